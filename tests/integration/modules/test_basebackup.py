# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Clones of real servers: made, kept, followed, replaced."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


def beside(dest):
    """What lies beside a destination under names that begin with its own."""
    return sorted(path.name for path in dest.parent.iterdir() if path.name.startswith(f"{dest.name}."))


def make_directory(servers, name, *files):
    path = servers.data(name)
    servers.run("mkdir", path)
    for file in files:
        servers.run("touch", path / file)
    return path


def wait_for(server, query, expected):
    until(lambda: server.psql(query) == expected, f"{query}: {expected} was expected", seconds=10)


def test_check_then_clone_then_keep_then_follow(servers, module):
    primary = servers.primary()
    primary.psql("SELECT pg_create_physical_replication_slot('node1_slot', true)")
    dest = servers.data("node1")
    passfile = servers.folder / "pass"
    wanted = {
        "data_directory": str(dest), "slot": "node1_slot", "application_name": "node1", "passfile": str(passfile),
        **primary.replicator,
    }  # fmt: skip

    foreseen = module("basebackup", check=True, **wanted)
    assert (foreseen["action"], foreseen["reason"], foreseen["changed"]) == ("cloned", "missing", True)
    assert not dest.exists() and not beside(dest) and not passfile.exists()

    done = module("basebackup", **wanted)
    assert (done["action"], done["reason"], done["changed"]) == ("cloned", "missing", True), done
    assert done["diff"] == foreseen["diff"]
    assert done["system_identifier"] == primary.psql("SELECT system_identifier FROM pg_control_system()")
    assert done["timeline"] == 1 and done["start_lsn"] < done["end_lsn"]
    assert done["bytes"] > 20_000_000 and done["seconds"] > 0 and done["mb_per_s"] > 0
    assert done["verify_seconds"] is not None and done["replaced_path"] is None
    assert dest.stat().st_mode & 0o777 == 0o700 and passfile.stat().st_mode & 0o777 == 0o600
    assert not beside(dest)

    for check in (True, False):
        again = module("basebackup", check=check, **wanted)
        assert (again["action"], again["reason"], again["changed"]) == ("kept", "is_standby", False), again

    standby = servers.server(dest).start()
    wait_for(
        primary,
        "SELECT application_name, state, active FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid"
        " WHERE slot_name = 'node1_slot'",
        "node1|streaming|t",
    )
    running = module("basebackup", **wanted)
    assert (running["action"], running["changed"]) == ("kept", False), running
    assert standby.psql("SELECT pg_is_in_recovery()") == "t"


def test_kept_standby_gets_new_recovery_settings(servers, module):
    primary = servers.primary()
    for slot in ("old_slot", "new_slot"):
        primary.psql(f"SELECT pg_create_physical_replication_slot('{slot}')")
    standby = servers.standby(primary, "node1", slot="old_slot", cluster_name="kept")
    passfile = servers.folder / "pass"
    wanted = {
        "data_directory": str(standby.data),
        "slot": "new_slot",
        "application_name": "node1",
        **primary.replicator,
    }
    wanted["passfile"] = str(passfile)
    file = standby.data / "postgresql.auto.conf"
    before = file.read_text()

    foreseen = module("basebackup", check=True, **wanted)
    assert (foreseen["action"], foreseen["recovery_changed"], foreseen["changed"]) == ("kept", True, True)
    assert file.read_text() == before and not passfile.exists()

    done = module("basebackup", **wanted)
    assert (done["recovery_changed"], done["passfile_changed"]) == (True, True)
    assert done["diff"] == foreseen["diff"]
    assert done["diff"]["after"]["primary_slot_name"] == "new_slot"
    kept = [line for line in before.splitlines() if not line.startswith("primary_")]
    assert [line for line in file.read_text().splitlines() if not line.startswith("primary_")] == kept
    standby.ctl("reload")
    wait_for(primary, "SELECT active FROM pg_replication_slots WHERE slot_name = 'new_slot'", "t")
    assert not module("basebackup", **wanted)["changed"]


def test_a_standby_that_reads_the_archive_only(servers, module):
    archive = make_directory(servers, "archive")
    reads = {"restore_command": f"cp {archive}/%f %p", "wal_retrieve_retry_interval": "100ms"}
    primary = servers.primary(archive_mode="on", archive_command=f"cp %p {archive}/%f", **reads)
    passfile = str(servers.folder / "pass")
    wanted = {
        "data_directory": str(servers.data("node1")),
        "passfile": passfile,
        "upstream": "archive",
        **primary.replicator,
    }
    refused = module("basebackup", slot="node1_slot", **wanted)
    assert refused["failed"] and "is to read its WAL from the archive only" in refused["msg"]

    assert module("basebackup", **wanted)["action"] == "cloned"
    standby = servers.server(servers.data("node1"), **reads).start()
    assert not module("basebackup", **wanted)["changed"]
    primary.psql("CREATE TABLE shipped AS SELECT 1 AS a")
    assert module("replication_probe", action="switch", **primary.login)["changed"] is False
    wait_for(standby, "SELECT to_regclass('shipped') IS NOT NULL", "t")
    assert primary.psql("SELECT count(*) FROM pg_stat_replication") == "0"

    found = module("replication_status", expect={"state": "archive"}, **standby.login)
    assert (found["failed"], found["findings"], found["status"]["wal_source"]) == (False, [], "archive")
    assert found["status"]["replayed_age_seconds"] > 0
    leader = module("replication_status", **primary.login)["status"]
    assert leader["archiver"]["last_archived_lsn"] <= leader["lsn"]["current"]
    streams = module("replication_status", expect={}, **standby.login)
    assert {each["code"] for each in streams["reasons"]} == {"no_wal_receiver", "no_upstream"}
    assert streams["findings"] == []

    assert module("basebackup", **{**wanted, "upstream": "stream"})["recovery_changed"]
    standby.ctl("reload")
    wait_for(primary, "SELECT state FROM pg_stat_replication", "streaming")
    assert (
        module("replication_status", expect={"state": "archive"}, **standby.login)["reasons"][0]["code"]
        == "not_from_archive"
    )
    assert module("basebackup", **wanted)["recovery_changed"]
    standby.ctl("reload")
    wait_for(primary, "SELECT count(*) FROM pg_stat_replication", "0")


def test_directories_outside_and_replacing_them(servers, module):
    primary = servers.primary()
    space, wal, here = (make_directory(servers, name) for name in ("space", "wal", "here"))
    primary.psql(f"CREATE TABLESPACE side LOCATION '{space}'")
    primary.psql("CREATE TABLE t TABLESPACE side AS SELECT generate_series(1, 1000) AS n")
    dest = servers.data("node1")
    wanted = {
        "data_directory": str(dest),
        "wal_dir": str(wal),
        "tablespace_mapping": {str(space): str(here)},
        **primary.replicator,
    }
    first = module("basebackup", **wanted)
    assert first["action"] == "cloned", first
    assert (dest / "pg_wal").readlink() == wal
    assert [link.readlink() for link in (dest / "pg_tblspc").iterdir()] == [here]

    refused = module("basebackup", **{**wanted, "data_directory": str(servers.data("other"))})
    assert (refused["failed"], refused["code"]) == (True, "not_empty"), refused

    servers.run("rm", dest / "standby.signal")
    done = module("basebackup", force=True, **wanted)
    assert (done["action"], done["reason"]) == ("replaced", "not_a_standby"), done
    aside = Path(done["replaced_path"])
    assert aside.name.startswith("node1.replaced-") and beside(dest) == [aside.name]
    assert (aside / "pg_wal").readlink() == Path(f"{wal}{aside.name[5:]}")
    assert all(link.readlink().is_dir() for link in [*(aside / "pg_tblspc").iterdir(), *(dest / "pg_tblspc").iterdir()])

    again = module("basebackup", rebuild=True, keep_replaced=False, **wanted)
    assert (again["action"], again["reason"], again["replaced_path"]) == ("replaced", "rebuild", None), again
    assert beside(dest) == [aside.name] and len(beside(wal)) == len(beside(here)) == 1
    without = module("basebackup", rebuild=True, keep_replaced=False, **{**wanted, "wal_dir": None})
    assert (without["action"], without["wal_dir"]) == ("replaced", str(wal)), without
    assert (dest / "pg_wal").readlink() == wal and len(beside(wal)) == 1 and "outside" in without["explanation"]
    moved = servers.data("moved")
    other = module("basebackup", rebuild=True, keep_replaced=False, **{**wanted, "wal_dir": str(moved)})
    assert (other["wal_dir"], (dest / "pg_wal").readlink()) == (str(moved), moved), other
    assert str(wal) in str(other["warnings"]) and wal.is_dir(), other

    standby = servers.server(dest).start()
    assert standby.psql("SELECT count(*) FROM t") == "1000"


@pytest.mark.parametrize("content", [(), ("somebody's.file",)], ids=["empty", "foreign"])
def test_only_an_empty_directory_is_filled(servers, module, content):
    primary = servers.primary()
    dest = make_directory(servers, "node1", *content)
    wanted = {
        "data_directory": str(dest),
        "compression": "server-gzip:1",
        "manifest_checksums": "SHA256",
        "verify": False,
    }
    done = module("basebackup", **wanted, **primary.replicator)
    if not content:
        assert (done["action"], done["reason"], done["verify_seconds"]) == ("cloned", "empty", None), done
        return
    assert (done["failed"], done["code"]) == (True, "foreign_files"), done
    done = module("basebackup", **wanted, force=True, keep_replaced=False, wal_method="fetch", **primary.replicator)
    assert (done["action"], done["reason"], done["replaced_path"]) == ("replaced", "foreign_files", None), done
    assert not beside(dest) and not (dest / content[0]).exists()


def test_renames_that_were_cut_short_are_done_to_the_end(servers, module):
    """The state between setting the old directory aside and renaming the new one into its place."""
    primary = servers.primary()
    dest = servers.data("node1")
    wanted = {"data_directory": str(dest), **primary.replicator}
    assert module("basebackup", **wanted)["action"] == "cloned"
    servers.run("mv", dest, f"{dest}.incoming")
    aside = make_directory(servers, "node1.replaced-20260101T000000Z", "old")
    moves = [{"final": str(dest), "aside": str(aside)}]
    note = {"kind": "clone", "dest": str(dest), "phase": "swapping", "replaces": True, "moves": moves}
    servers.run("sh", "-c", f"cat > '{dest}.incoming.pgfleet'", input=json.dumps(note))
    foreseen = module("basebackup", check=True, **wanted)
    assert (foreseen["action"], foreseen["reason"]) == ("cloned", "finish_swap"), foreseen
    done = module("basebackup", **wanted)
    assert (done["action"], done["reason"], done["replaced_path"]) == ("replaced", "finish_swap", str(aside)), done
    assert beside(dest) == [aside.name]
    assert module("basebackup", **wanted)["action"] == "kept"


def test_no_secret_while_a_clone_runs_and_no_second_run(servers, module):
    primary = servers.primary()
    secret = "k7wQ-never-shown"
    primary.psql(f"ALTER ROLE replicator PASSWORD '{secret}'")
    dest = servers.data("node1")
    wanted = {"data_directory": str(dest), **primary.replicator, "login_password": secret}
    first = module.start("basebackup", max_rate="8M", **wanted)
    while not list(Path(f"{dest}.incoming").glob("base/*")):
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.01)
    shown = subprocess.run(["ps", "axeww"], check=True, capture_output=True, text=True).stdout
    assert f"--pgdata={dest}.incoming" in shown and secret not in shown
    for check in (True, False):
        second = module("basebackup", check=check, **wanted)
        assert (second["failed"], second["code"]) == (True, "busy"), second
    output = first.stdout.read() + first.stderr.read()
    assert '"action": "cloned"' in output and secret not in output
    assert not [path for path in dest.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
