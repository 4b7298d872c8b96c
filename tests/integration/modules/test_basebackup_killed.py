# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Clones whose module is killed at some moment: nothing of it goes on, and the next run makes it good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


def kill_module(started):
    """Only the module's process: beneath runuser, when the tests run as root."""
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    module = int(children[0]) if os.geteuid() == 0 else started.pid
    os.kill(module, signal.SIGKILL)


def kill_group(started):
    os.killpg(started.pid, signal.SIGKILL)


def noted(dest):
    """The moment the note is written, before any data."""
    return Path(f"{dest}.incoming.pgfleet").exists()


def data_arrives(dest):
    return any(Path(f"{dest}.incoming").glob("base/*/*"))


def copied(dest):
    return Path(f"{dest}.incoming/backup_manifest").exists()


def programs_on(dest):
    shown = subprocess.run(["ps", "-eo", "pid,args", "ww"], check=True, capture_output=True, text=True).stdout
    return [line for line in shown.splitlines() if f"{dest}.incoming" in line]


def plain_copy(servers, primary, path, wanted, rate):
    """A slow pg_basebackup that no module watches."""
    command = servers.as_owner(
        servers.bin_dir() / "pg_basebackup", f"--pgdata={path}", "-h", primary.socket, "-p", str(primary.port),
        "-U", "postgres", f"--max-rate={rate}", "--checkpoint=fast",
        *(f"--tablespace-mapping={old}={new}.plain" for old, new in wanted["tablespace_mapping"].items()),
    )  # fmt: skip
    return subprocess.Popen(command, cwd="/", stderr=subprocess.PIPE, start_new_session=True)


@pytest.fixture(scope="module")
def primary(shared_servers):
    """A primary with a tablespace and a slot."""
    made = shared_servers.primary()
    made.psql("SELECT pg_create_physical_replication_slot('node1_slot', true)")
    space = shared_servers.data("space")
    shared_servers.run("mkdir", space)
    made.psql(f"CREATE TABLESPACE side LOCATION '{space}'")
    made.psql("CREATE TABLE t TABLESPACE side AS SELECT n, repeat('x', 500) AS x FROM generate_series(1, 20000) AS n")
    return made


@pytest.fixture
def dest(servers):
    return servers.data("node1")


@pytest.fixture
def wanted(servers, shared_servers, primary, dest):
    """Options for a clone with the WAL and the tablespace outside of it."""
    return {
        "dest": str(dest), "wal_dir": str(servers.data("wal")), "passfile": str(servers.data("pass")),
        "tablespace_mapping": {str(shared_servers.data("space")): str(servers.data("here"))}, **primary.replicator,
    }  # fmt: skip


@pytest.mark.parametrize("kill", [kill_module, kill_group])
@pytest.mark.parametrize(
    ("moment", "more"),
    [
        (noted, {"max_rate": "4M"}),
        (data_arrives, {"max_rate": "4M"}),
        (copied, {"manifest_checksums": "SHA512"}),
    ],
    ids=["before data", "in the middle", "before the rename"],
)
def test_killed_and_run_again(servers, module, primary, dest, wanted, moment, more, kill):
    wanted["slot"] = "node1_slot"
    started = module.start("basebackup", **wanted, **more)
    until(lambda: moment(dest) or started.poll() is not None, "the moment never came", 10, 0.0005)
    kill(started)
    started.wait()
    until(lambda: not programs_on(dest), "pg_basebackup outlived its module", 10, 0.0005)
    assert not dest.exists()
    until(lambda: primary.psql("SELECT count(*) FROM pg_stat_replication") == "0", "a WAL sender is left", 10, 0.0005)

    foreseen = module("basebackup", check=True, **wanted)
    assert (foreseen["action"], foreseen["reason"]) == ("cloned", "unfinished_clone"), foreseen
    done = module("basebackup", **wanted)
    assert (done["action"], done["reason"]) == ("cloned", "unfinished_clone"), done
    assert not [path.name for path in servers.folder.iterdir() if ".incoming" in path.name or ".replaced" in path.name]
    assert module("basebackup", **wanted)["action"] == "kept"
    if moment is data_arrives:
        servers.server(dest).start()
        until(
            lambda: primary.psql("SELECT active FROM pg_replication_slots") == "t",
            "the standby does not follow",
            10,
            0.0005,
        )


def test_orphan_of_an_earlier_run_is_ended(servers, module, primary, dest, wanted):
    """A pg_basebackup that even its watcher could not end: the next run ends it, instead of fighting it."""
    note = {"kind": "clone", "dest": str(dest), "moves": [{"final": str(dest), "aside": f"{dest}.replaced-1"}]}
    servers.run("sh", "-c", f"cat > '{dest}.incoming.pgfleet'", input=json.dumps(note))
    orphan = plain_copy(servers, primary, f"{dest}.incoming", wanted, "4M")
    until(lambda: data_arrives(dest), "no data", 10, 0.0005)
    done = module("basebackup", **wanted)
    assert (done["action"], done["reason"]) == ("cloned", "unfinished_clone"), done
    assert orphan.wait(timeout=5) != 0


def test_somebody_elses_unfinished_copy_is_refused_then_set_aside(servers, module, primary, dest, wanted):
    """PG_VERSION is there, but the pg_basebackup that put it there was killed."""
    copy = plain_copy(servers, primary, dest, wanted, "16M")
    until(lambda: (dest / "base/1/PG_VERSION").exists() and (dest / "PG_VERSION").exists(), "no data", 10, 0.0005)
    os.killpg(copy.pid, signal.SIGKILL)
    copy.wait()
    for check in (True, False):
        refused = module("basebackup", check=check, **wanted)
        assert (refused["failed"], refused["code"]) == (True, "unfinished_copy"), refused
        assert "force" in refused["remedy"]
    done = module("basebackup", force=True, **wanted)
    assert (done["action"], done["reason"]) == ("replaced", "unfinished_copy"), done
    assert (Path(done["replaced_path"]) / "base/1/PG_VERSION").exists()


def test_incoming_directory_of_somebody_else_is_refused(servers, module, primary, dest, wanted):
    servers.run("mkdir", f"{dest}.incoming", f"{dest}.incoming/precious")
    refused = module("basebackup", force=True, **wanted)
    assert (refused["failed"], refused["code"]) == (True, "incoming_foreign"), refused
    assert Path(f"{dest}.incoming/precious").is_dir()
