# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What stops a clone: each named by its code, in check mode as in a real run, and nothing touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


@pytest.fixture(scope="module")
def source(shared_servers):
    """A primary with roles, rules and slots for the refusals."""
    primary = shared_servers.primary("source", wal_level="logical")
    primary.psql("CREATE ROLE reader LOGIN PASSWORD 'secret'")
    primary.psql("CREATE ROLE stranger REPLICATION LOGIN PASSWORD 'secret'")
    primary.psql("SELECT pg_create_logical_replication_slot('logical_slot', 'pgoutput')")
    primary.hba("host replication replicator,reader 127.0.0.1/32 scram-sha-256")
    return primary


@pytest.fixture
def refused(module):
    """Call in check mode and for real: both fail with this code and nothing is at, or beside, the destination."""

    def call(code, dest, **options):
        before = sorted(dest.parent.iterdir())
        for check in (True, False):
            result = module("basebackup", check=check, dest=str(dest), **options)
            assert (result["failed"], result.get("code")) == (True, code), result
            assert result["remedy"] and result["msg"].endswith(result["remedy"])
        assert sorted(dest.parent.iterdir()) == before
        return result

    return call


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("wrong_password", {"login_password": "mistaken"}),
        ("wrong_password", {"login_password": ""}),
        ("no_hba_entry", {"login_user": "stranger"}),
        ("not_replication_role", {"login_user": "reader"}),
        ("unreachable", {"login_port": 1}),
        ("slot_missing", {"slot": "node1_slot"}),
        ("slot_mismatch", {"slot": "logical_slot"}),
        ("not_enough_space", {"source_size": 10**18}),
        ("passfile_missing", {"login_password": "", "passfile": "/nowhere/pass"}),
        ("programs_missing", {"bin_dir": "/nowhere"}),
        ("invalid_input", {"compression": "client-gzip"}),
        ("invalid_input", {"max_rate": "fast"}),
        ("invalid_input", {"wal_dir": "wal"}),
        ("not_permitted", {"dest": "/usr/node1"}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value,
)
def test_named_before_anything_is_done(module, shared_servers, source, code, more):
    dest = shared_servers.data("node1")
    wanted = {**source.replicator, "dest": str(dest), **more}
    before = sorted(shared_servers.folder.iterdir())
    for check in (True, False):
        result = module("basebackup", check=check, **wanted)
        assert (result["failed"], result.get("code")) == (True, code), result
        assert result["remedy"] and result["msg"].endswith(result["remedy"])
    assert sorted(shared_servers.folder.iterdir()) == before
    if code == "not_enough_space":
        assert result["needed_bytes"] > 10**18 > result["free_bytes"] > 0


def test_slot_that_is_in_use(refused, shared_servers, source):
    source.psql("SELECT pg_create_physical_replication_slot('busy_slot', true)")
    wal = shared_servers.data("wal")
    shared_servers.run("mkdir", wal)
    receiver = subprocess.Popen(
        shared_servers.as_owner(
            shared_servers.bin_dir() / "pg_receivewal", "-D", wal, "-S", "busy_slot", "-h", source.socket,
            "-p", str(source.port), "-U", "postgres",
        ), cwd="/",
    )  # fmt: skip
    until(
        lambda: source.psql("SELECT active FROM pg_replication_slots WHERE slot_name = 'busy_slot'") == "t", seconds=10
    )
    refused("slot_active", shared_servers.data("node1"), slot="busy_slot", **source.replicator)
    receiver.terminate()
    receiver.wait()
    source.psql("SELECT pg_drop_replication_slot('busy_slot')")


@pytest.mark.parametrize("senders", [0, 1])
def test_too_few_wal_senders(refused, servers, senders):
    primary = servers.primary(max_wal_senders=senders)
    result = refused("no_free_wal_sender", servers.data("node1"), **primary.replicator)
    assert ("needs two free WAL senders" in result["msg"]) == bool(senders)


def test_other_systems_and_running_servers(module, refused, servers, source):
    stranger = servers.primary("stranger", stranger=True)
    assert refused("server_running", stranger.data, force=True, **source.replicator)["server_pid"] == stranger.pid
    refused("server_running", source.data, force=True, **source.replicator)
    stranger.stop("immediate")  # leaves postmaster.pid behind, which no longer counts
    wanted = {"dest": str(stranger.data), **source.replicator}
    refused("other_system", stranger.data, **source.replicator)
    foreseen = module("basebackup", check=True, force=True, **wanted)
    assert (foreseen["action"], foreseen["reason"]) == ("replaced", "other_system"), foreseen
    done = module("basebackup", force=True, **wanted)
    assert (done["action"], done["reason"]) == ("replaced", "other_system"), done
    assert (Path(done["replaced_path"]) / "global/pg_control").exists()
    assert module("basebackup", force=True, **wanted)["action"] == "kept"


@pytest.fixture(scope="module")
def split(shared_servers):
    """A system after a failover: ``new`` was promoted while ``old`` wrote on, ``past`` with it; ``early`` had stopped before."""
    old = shared_servers.primary("old")
    early, new, past = (shared_servers.standby(old, name) for name in ("early", "new", "past"))
    early.stop()
    new.ctl("promote")
    old.psql("CREATE TABLE lost AS SELECT generate_series(1, 1000) AS n")
    new.psql("CREATE TABLE won AS SELECT generate_series(1, 1000) AS n")
    position = old.psql("SELECT pg_current_wal_lsn()")
    until(lambda: past.psql(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == "t", seconds=10)
    past.stop()
    return {"old": old, "early": early, "new": new, "past": past}


def test_standby_from_before_the_fork_is_kept(module, split):
    kept = module("basebackup", check=True, dest=str(split["early"].data), **split["new"].replicator)
    assert (kept["failed"], kept.get("action")) == (False, "kept"), kept


def test_standby_past_the_fork_has_diverged(refused, split):
    assert "left timeline 1" in refused("diverged", split["past"].data, **split["new"].replicator)["msg"]


def test_standby_on_another_timeline_has_diverged(refused, split):
    """The promoted one, made a standby of the old primary: what it wrote is not there."""
    new = split["new"]
    new.psql("CHECKPOINT")
    new.stop()
    new.write("standby.signal", "")
    try:
        refused("diverged", new.data, **split["old"].replicator)
    finally:
        (new.data / "standby.signal").unlink()
        refused("diverged", new.data, **split["old"].replicator)
        new.start()


def test_former_primary(refused, split):
    old = split["old"]
    old.stop()
    result = refused("former_primary", old.data, **split["new"].replicator)
    assert "pg_rewind" in result["remedy"] and "left timeline 1" in result["msg"]
    old.start()


def test_control_file_that_cannot_be_read(module, refused, servers, source):
    dest = servers.data("node1")
    servers.run("cp", "-a", servers.pristine, dest)
    servers.run("sh", "-c", f"printf x | dd of='{dest}/global/pg_control' bs=1 seek=100 conv=notrunc status=none")
    refused("unreadable_control_file", dest, **source.replicator)
    servers.run("sh", "-c", f"echo 9 > '{dest}/PG_VERSION'")
    refused("unreadable_control_file", dest, **source.replicator)


@pytest.fixture
def small_disk(servers):
    """A mounted file system of 40 MB inside the test's folder."""
    path = servers.data("small")
    servers.run("mkdir", path)
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m,mode=0777", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_disk_that_is_too_small(module, refused, small_disk, source):
    """Without source_size: pg_basebackup announces the size within a second and is ended, or fills the disk sooner."""
    slow = module("basebackup", dest=str(small_disk / "node1"), max_rate="4M", **source.replicator)
    assert (slow["failed"], slow["code"]) == (True, "not_enough_space"), slow
    assert slow["needed_bytes"] > slow["free_bytes"] > 0
    assert not list(small_disk.iterdir())
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    full = module("basebackup", dest=str(small_disk / "node1"), **source.replicator)
    assert (full["failed"], full["code"]) == (True, "not_enough_space"), full
    assert not list(small_disk.iterdir())
    refused("mount_point", small_disk, **source.replicator)


@pytest.fixture
def locked(servers):
    """A directory of the server's owner below one that only root may write to, as mount points usually are."""
    if os.geteuid() != 0:
        pytest.skip("a directory of root is needed")
    parent = servers.data("srv")
    parent.mkdir(mode=0o755)
    servers.run("mkdir", servers.data("parking"))

    def make(name):
        path = servers.data("parking") / name
        servers.run("mkdir", path)
        return path.rename(parent / name)

    return make


@pytest.mark.parametrize("kind", ["tablespace", "pg_wal"])
def test_rebuild_is_rehearsed_while_the_standby_streams(module, servers, locked, kind):
    primary, there, elsewhere = servers.primary(), servers.data("there"), servers.data("elsewhere")
    servers.run("mkdir", there)
    primary.psql(f"CREATE TABLESPACE side LOCATION '{there}'")
    here = locked(kind) if kind == "tablespace" else servers.data("here")
    wal = locked(kind) if kind == "pg_wal" else None
    made = {"dest": str(servers.data("node1")), **primary.replicator}
    # As the first clone would be: plain pg_basebackup into directories that are there and empty.
    servers.run(
        servers.bin_dir() / "pg_basebackup", "-D", made["dest"], "-h", primary.socket, "-p", str(primary.port),
        "-U", "postgres", "-R", "--checkpoint=fast", f"--tablespace-mapping={there}={here}",
        *([f"--waldir={wal}"] if wal else []),
    )  # fmt: skip
    standby = servers.server(Path(made["dest"])).start()
    streams = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
    until(lambda: primary.psql(streams) == "1", seconds=10)

    wanted = {**made, "rebuild": True, "force": True, "tablespace_mapping": {str(there): str(here)}}
    assert module("basebackup", check=True, **wanted)["code"] == "server_running"
    refused = module("basebackup", check=True, on_running="rehearse", **wanted)
    assert (refused["failed"], refused["code"]) == (True, "not_permitted"), refused
    assert str(wal or here) in refused["msg"] and "pg_standby_wal_dir" in refused["remedy"]
    assert module("basebackup", on_running="rehearse", **wanted)["code"] == "invalid_input"
    mapping = {str(there): str(elsewhere), str(here): str(elsewhere)}
    more = {"wal_dir": str(elsewhere)} if wal else {"tablespace_mapping": mapping}
    fits = module("basebackup", check=True, on_running="rehearse", **{**wanted, **more})
    assert (fits["failed"], fits.get("action")) == (False, "replaced"), fits
    assert fits["wal_dir"] == (str(elsewhere) if wal else None)
    assert primary.psql(streams) == "1" and standby.psql("SELECT pg_is_in_recovery()") == "t"
