"""Histories with equal numbers that are not one history, and WAL that nobody has any more."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._lineage.wal import LocalWal
from ansible_collections.pgfleet.cluster.tests.integration.modules.test_change_of_primary import (
    follow,
    let_rewind,
    pair,
    rewinding,
    streams,
)
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


def twins(servers: Any) -> tuple[Any, Any]:
    """Two standbys that were promoted at one position: each calls its timeline 2, and writes rows of its own."""
    old = servers.primary(wal_keep_size="64MB")
    both = [servers.standby(old, name) for name in ("left", "right")]
    old.psql("CREATE TABLE t (n int)")
    old.stop()
    until(lambda: {server.psql("SELECT count(*) FROM pg_stat_wal_receiver") for server in both} == {"0"})
    ends = {server.psql("SELECT pg_last_wal_replay_lsn()") for server in both}
    assert len(ends) == 1, "a primary that shuts down sends everything first"
    for server in both:
        server.psql("SELECT pg_promote()")
        server.psql("CHECKPOINT")
    left, right = both
    for number in range(3):
        left.psql(f"INSERT INTO t VALUES ({number})")
    right.psql("INSERT INTO t SELECT generate_series(100, 199)")
    let_rewind(right)
    return left, right


def cloning(old: Any, new: Any, **more: Any) -> dict[str, Any]:
    return {"data_directory": str(old.data), **follow(old, new, **more)}


@pytest.mark.parametrize("ahead", [True, False], ids=["past the source", "behind the source"])
def test_equal_timelines_of_two_promotions_are_not_one(servers: Any, module: Any, ahead: bool) -> None:
    left, right = twins(servers)
    if ahead:
        left.psql("CREATE TABLE more AS SELECT generate_series(1, 5000)")
    left.stop()
    for check in (True, False):
        found = module("rewind", check=check, on_impossible="report", **rewinding(left, right))
        assert (found["action"], found["reason"], found["changed"]) == ("impossible", "other_history", False), found
        assert found["diverged"]["transactions"] == 3 + ahead
        assert "timeline 2" in found["explanation"]
    assert module("rewind", **rewinding(left, right))["code"] == "other_history"

    servers.run("touch", left.data / "standby.signal")
    refused = module("basebackup", **cloning(left, right))
    assert refused["code"] in ("other_history", "diverged"), refused
    assert "differs" in refused["msg"] or ahead
    assert module("basebackup", force=True, **cloning(left, right))["action"] == "replaced"
    left.write_config()
    left.start()
    assert left.psql("SELECT count(*) FROM t WHERE n >= 100") == "100"
    assert module("basebackup", **cloning(left, right))["action"] == "kept"
    assert module("rewind", **rewinding(left, right))["action"] == "kept"


def test_a_standby_that_streams_rows_of_another_history_is_found(servers: Any, module: Any) -> None:
    """The server itself does not see it: it streams from where it is."""
    left, right = twins(servers)
    left.stop()
    servers.run("touch", left.data / "standby.signal")
    servers.run(
        "sh",
        "-c",
        f"echo \"primary_conninfo = 'host={right.socket} port={right.port} user=postgres'\""
        f" >> {left.data}/postgresql.auto.conf",
    )
    right.psql("INSERT INTO t SELECT generate_series(200, 299)")
    left.start()
    assert left.psql("SELECT pg_is_in_recovery()") == "t"
    refused = module("basebackup", **cloning(left, right))
    assert "other history" in refused["msg"] or "another history" in refused["msg"], refused
    found = module("rewind", on_impossible="report", **rewinding(left, right))
    assert (found["action"], found["reason"]) == ("impossible", "other_history")
    assert "cannot be read" in found["lost"]


def test_a_server_that_wrote_on_the_same_timeline_without_a_promotion(servers: Any, module: Any) -> None:
    """standby.signal was removed by hand: there is no fork to see."""
    old, new = pair(servers)
    old.psql("CREATE TABLE t (n int)")
    until(lambda: new.psql("SELECT count(*) FROM pg_class WHERE relname = 't'") == "1")
    new.stop()
    servers.run("rm", new.data / "standby.signal")
    new.start()
    new.psql("INSERT INTO t VALUES (1)")
    old.psql("INSERT INTO t SELECT generate_series(1, 1000)")
    let_rewind(new)
    new.psql("INSERT INTO t SELECT generate_series(1, 5000)")
    old.stop()
    found = module("rewind", on_impossible="report", **rewinding(old, new))
    assert (found["reason"], found["diverged"]["transactions"]) == ("other_history", 1), found


def test_a_crashed_server_that_is_behind_on_the_same_timeline_follows(servers: Any, module: Any) -> None:
    """It must not recover on its own first, which would write WAL of its own."""
    old, new = pair(servers)
    old.psql("CREATE TABLE t (n int)")
    old.psql("CHECKPOINT")
    until(lambda: old.psql("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()") == "1")
    old.stop("immediate")
    new.stop()
    servers.run("rm", new.data / "standby.signal")
    new.start()
    let_rewind(new)
    new.psql("INSERT INTO t VALUES (1)")
    done = module("rewind", **rewinding(old, new))
    assert (done["action"], done["reason"], done["diverged"]) == ("followed", "not_needed", None), done
    old.start()
    streams(new)
    until(lambda: old.psql("SELECT n FROM t") == "1")


@pytest.fixture
def unfollowable(servers: Any) -> tuple[Any, Any]:
    """The checkpoint before the fork began in a segment that neither side has; its record lies in the next one."""
    old, new = pair(servers, checkpoint_timeout="30s", checkpoint_completion_target="0.1")
    old.psql("CREATE TABLE t AS SELECT generate_series(1, 100000) AS n")
    until(lambda: new.psql("SELECT count(*) FROM pg_class WHERE relname = 't'") == "1")
    old.psql("UPDATE t SET n = n + 1")  # pages for the checkpoint to write, one after the other
    slowly = subprocess.Popen(
        servers.as_owner(
            servers.bin_dir() / "pg_basebackup",
            "-c",
            "spread",
            "-X",
            "none",
            "-D",
            servers.data("slow"),
            "-h",
            old.socket,
            "-p",
            str(old.port),
            "-U",
            "postgres",
        ),
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    phase = "SELECT count(*) FROM pg_stat_progress_basebackup WHERE phase = 'waiting for checkpoint to finish'"
    until(lambda: old.psql(phase) == "1")
    time.sleep(0.3)
    old.psql("INSERT INTO t VALUES (0); SELECT pg_switch_wal(); INSERT INTO t VALUES (0)")
    assert slowly.wait(timeout=60) == 0
    control = "SELECT pg_walfile_name({}_lsn) FROM pg_control_checkpoint()"
    redo, record = (old.psql(control.format(which)) for which in ("redo", "checkpoint"))
    assert redo < record, "the checkpoint went on while the segment was switched"
    until(lambda: old.psql("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()") == "1")
    new.psql("SELECT pg_promote()")
    old.psql("INSERT INTO t VALUES (1)")
    old.stop()
    new.psql("INSERT INTO t VALUES (2)")
    let_rewind(new)
    for server in (old, new):
        older = f"awk '/^[0-9A-F]+$/ && substr($0, 9) < \"{record[8:]}\"'"
        servers.run("sh", "-c", f"cd {server.data}/pg_wal; ls | {older} | xargs -r rm")
    return old, new


def test_a_rewind_that_could_not_be_followed_is_impossible(unfollowable: Any, servers: Any, module: Any) -> None:
    old, new = unfollowable
    for check in (True, False):
        found = module("rewind", check=check, on_impossible="report", **rewinding(old, new))
        assert (found["action"], found["reason"], found["changed"]) == ("impossible", "wal_gone", False), found
        assert found["diverged"]["transactions"] == 1
    assert not (old.data / "standby.signal").exists()

    servers.run(
        servers.bin_dir() / "pg_rewind",
        "-D",
        old.data,
        "--source-server",
        f"host={new.socket} port={new.port} user=postgres dbname=postgres",
    )
    servers.run("touch", old.data / "standby.signal")
    found = module("rewind", on_impossible="report", **rewinding(old, new))
    assert (found["action"], found["reason"]) == ("impossible", "wal_gone"), (
        f"pg_rewind believes that it can be followed: {found}"
    )
    done = module("basebackup", force=True, rebuild=True, **cloning(old, new))
    assert (done["failed"], done["action"]) == (False, "replaced"), done


def test_a_standby_whose_archive_has_the_wal_is_kept(unfollowable: Any, servers: Any, module: Any) -> None:
    old, new = unfollowable
    servers.run(
        servers.bin_dir() / "pg_rewind",
        "-D",
        old.data,
        "--source-server",
        f"host={new.socket} port={new.port} user=postgres dbname=postgres",
    )
    servers.run("touch", old.data / "standby.signal")
    old.write_config(restore_command="cp /archive/%f %p")
    found = module("rewind", on_impossible="report", **rewinding(old, new))
    assert (found["action"], found["reason"]) == ("kept", "is_standby"), found


def test_the_control_file_of_a_copy_may_be_newer_than_its_wal(servers: Any, tmp_path: Path) -> None:
    """A checkpoint that ended while pg_rewind copied is in the control file, and its record is yet to come."""
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "pg_wal/000000010000000000000003").write_bytes(bytes(16 << 20))
    stale = DataDir(str(tmp_path), timeline=1, checkpoint_lsn="0/3000110", redo_lsn="0/30000D8")
    programs = str(servers.bin_dir())
    assert LocalWal(stale, programs).overwritten_checkpoint() == 0x3000110
    assert LocalWal(replace(stale, backup_label=True), programs).overwritten_checkpoint() is None
