"""Demotion, promotion and rewind of real servers."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


def pair(servers: Any, **settings: Any) -> tuple[Any, Any]:
    """A primary and a standby that streams from it."""
    old = servers.primary(**{"wal_keep_size": "64MB", **settings})
    new = servers.standby(old, cluster_name="new")
    streams(old)
    return old, new


def streams(server: Any) -> None:
    until(lambda: server.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != "0")


def archive_for(servers: Any) -> dict[str, str]:
    """Settings of servers that share an archive."""
    folder = servers.folder / "archive"
    servers.run("mkdir", "-p", folder)
    return {"archive_mode": "on", "archive_command": f"cp %p {folder}/%f", "restore_command": f"cp {folder}/%f %p"}


def follow(old: Any, new: Any, **more: Any) -> dict[str, Any]:
    """Options of a standby of ``new`` in the directory of ``old``."""
    passfile = old.data.with_suffix(".pgpass")
    old.run("sh", "-c", f"umask 077; echo '127.0.0.1:{new.port}:*:replicator:secret' > {passfile}")
    return {
        "login_host": "127.0.0.1",
        "login_port": new.port,
        "passfile": str(passfile),
        "application_name": "old",
        **more,
    }


def demotion(old: Any, new: Any, **more: Any) -> dict[str, Any]:
    return {"data_directory": str(old.data), **follow(old, new, **more)}


def rewinding(old: Any, new: Any, **more: Any) -> dict[str, Any]:
    options = {"rewind_user": "rewinder", "rewind_password": "rewind's: secret", **more}
    return {"dest": str(old.data), **follow(old, new, **options)}


def let_rewind(new: Any) -> None:
    new.psql("CREATE ROLE rewinder LOGIN PASSWORD 'rewind''s: secret'")
    for function in (
        "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)", "pg_read_binary_file(text)",
        "pg_read_binary_file(text, bigint, bigint, boolean)",
    ):  # fmt: skip
        new.psql(f"GRANT EXECUTE ON FUNCTION {function} TO rewinder")
    new.psql("CHECKPOINT")


def test_switchover_by_hand(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    old.psql("CREATE TABLE t AS SELECT 1 AS n")
    check = module("demote", check=True, **demotion(old, new))
    assert (check["changed"], check["action"], check["lsn"]) == (True, "demoted", None)
    assert old.running
    demoted = module("demote", **demotion(old, new))
    assert (demoted["action"], demoted["timeline"]) == ("demoted", 1)
    assert not old.running
    assert module("demote", **demotion(old, new))["changed"] is False
    check = module("promote", check=True, after_lsn=demoted["lsn"], **new.login)
    assert (check["changed"], check["timeline_after"]) == (True, None)
    promoted = module("promote", after_lsn=demoted["lsn"], timeline=1, **new.login)
    assert (promoted["before"], promoted["timeline_before"], promoted["timeline_after"]) == ("standby", 1, 2)
    again = module("promote", **new.login)
    assert (again["changed"], again["before"], again["timeline_after"]) == (False, "primary", 2)
    new.psql("INSERT INTO t VALUES (2)")
    old.start()
    until(lambda: old.psql("SELECT count(*) FROM t") == "2")
    assert old.psql("SELECT pg_is_in_recovery()") == "t"


def test_a_demotion_that_is_taken_back(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    module("demote", **demotion(old, new))
    options = {"data_directory": str(old.data), "state": "restored"}
    assert module("demote", check=True, **options)["action"] == "restored"
    assert (old.data / "standby.signal").exists()
    assert module("demote", **options)["changed"]
    assert not module("demote", **options)["changed"]
    old.start()
    assert old.psql("SELECT pg_is_in_recovery()") == "f"
    streams(old)
    assert module("demote", state="restored", data_directory=str(new.data))["code"] == "not_demoted"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"login_port": 1}, "unreachable"),
        ({"slot": "nowhere"}, "slot_missing"),
        ({"login_user": "nobody"}, "no_hba_entry"),
    ],
    ids=["successor", "slot", "login"],
)
def test_what_would_fail_later_is_refused_before_the_shutdown(
    shared_servers: Any, module: Any, options: dict[str, Any], code: str
) -> None:
    if not shared_servers.made:
        pair(shared_servers)
    old, new = shared_servers.made
    for check in (True, False):
        refused = module("demote", check=check, **{**demotion(old, new), **options})
        assert refused["code"] == code, refused
        assert old.running


def test_a_successor_that_lacks_the_last_record_is_not_promoted(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    new.psql("SELECT pg_wal_replay_pause()")
    until(lambda: new.psql("SELECT pg_get_wal_replay_pause_state()") == "paused")
    old.psql("CREATE TABLE late AS SELECT 1 AS n")
    demoted = module("demote", **demotion(old, new))
    refused = module("promote", after_lsn=demoted["lsn"], wait=0.5, **new.login)
    assert (refused["failed"], refused["code"]) == (True, "replay_paused")
    new.psql("SELECT pg_wal_replay_resume()")
    assert module("promote", after_lsn="F/0", wait=0.5, **new.login)["code"] == "not_replayed"
    assert module("promote", after_lsn=demoted["lsn"], timeline=7, **new.login)["code"] == "wrong_timeline"
    assert module("promote", system_identifier="1", **new.login)["code"] == "wrong_system_identifier"
    assert new.psql("SELECT pg_is_in_recovery()") == "t"
    assert module("promote", after_lsn=demoted["lsn"], **new.login)["changed"]


def test_a_handover_takes_no_longer_than_the_servers_need(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    promoting = module.start("promote", handover=True, **new.login)
    demoted = module("demote", handover=True, **demotion(old, new))
    said = promoting.stdout.read()
    promoted = json.loads(said.splitlines()[-1])
    assert promoted["timeline_after"] == 2
    assert 0 < demoted["handover_seconds"] < 10
    assert new.psql("SELECT pg_is_in_recovery()") == "f"


def test_a_handover_that_dies_promotes_nobody(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    promoting = module.start("promote", handover=True, begin=3, **new.login)
    refused = module("demote", handover=True, **demotion(old, new, slot="nowhere"))
    assert refused["code"] == "slot_missing"
    said = promoting.stdout.read()
    assert json.loads(said.splitlines()[-1])["code"] == "handover_ended"
    assert new.psql("SELECT pg_is_in_recovery()") == "t"
    assert old.running


def diverge(servers: Any, crash: bool = True, segments: int = 0, **settings: Any) -> tuple[Any, Any]:
    """A former primary with three commits of its own, and the one that leads now."""
    old, new = pair(servers, **settings)
    old.psql("CREATE TABLE t (n int)")
    until(lambda: new.psql("SELECT count(*) FROM pg_class WHERE relname = 't'") == "1")
    new.psql("SELECT pg_promote()")
    for number in range(3):
        old.psql(f"INSERT INTO t VALUES ({number})")
    for _segment in range(segments):
        old.psql("SELECT pg_switch_wal()")
        old.psql("CREATE TABLE IF NOT EXISTS more AS SELECT 1 AS n; UPDATE more SET n = n + 1")
    new.psql("INSERT INTO t VALUES (100)")
    let_rewind(new)
    old.stop("immediate" if crash else "fast")
    return old, new


def test_the_recovery_of_a_crashed_server_leaves_the_wal_that_a_rewind_reads(servers: Any, module: Any) -> None:
    old, new = diverge(servers, segments=4, wal_keep_size="0")
    done = module("rewind", **rewinding(old, new))
    assert (done["failed"], done["action"]) == (False, "rewound"), done
    old.write_config()
    old.start()
    until(lambda: old.psql("SELECT n FROM t") == "100")


@pytest.mark.parametrize("crash", [True, False], ids=["crashed", "stopped"])
def test_a_diverged_former_primary_is_rewound(servers: Any, module: Any, crash: bool) -> None:
    old, new = diverge(servers, crash)
    check = module("rewind", check=True, **rewinding(old, new))
    assert (check["action"], check["reason"], check["diverged"]["transactions"]) == ("rewound", "diverged", 3)
    assert check["diverged"]["first_commit"] < check["diverged"]["last_commit"]
    assert not (old.data / "standby.signal").exists()
    done = module("rewind", **rewinding(old, new))
    assert (done["action"], done["diverged"]["transactions"]) == ("rewound", 3), done
    assert not Path(f"{old.data}.rewind.pgfleet").exists()
    old.write_config()  # pg_rewind has brought the other server's own file
    old.start()
    until(lambda: old.psql("SELECT string_agg(n::text, ' ') FROM t") == "100")
    assert module("rewind", **rewinding(old, new))["action"] == "kept"


def test_two_rewinds_at_once_are_one(servers: Any, module: Any) -> None:
    """Both have planned a rewind before one of them has the lock."""
    old, new = diverge(servers, crash=False)
    started = [module.start("rewind", **rewinding(old, new)) for _run in range(2)]
    said = [json.loads(run.stdout.read().splitlines()[-1]) for run in started]
    actions = sorted(result.get("action", result.get("code")) for result in said)
    assert actions in (["kept", "rewound"], ["busy", "rewound"]), said
    assert module("rewind", **rewinding(old, new))["action"] == "kept"


def test_a_former_primary_without_writes_of_its_own_needs_no_rewind(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    old.stop("fast")
    until(lambda: new.psql("SELECT count(*) FROM pg_stat_wal_receiver") == "0")
    new.psql("SELECT pg_promote()")
    done = module("rewind", **follow(old, new), dest=str(old.data))
    assert (done["action"], done["reason"], done["diverged"]) == ("followed", "not_needed", None)
    old.start()
    streams(new)


def test_a_rewind_that_was_interrupted_is_not_trusted(servers: Any, module: Any) -> None:
    old, new = diverge(servers)
    note = {"dest": str(old.data), "phase": "rewinding", "inode": old.data.stat().st_ino}
    Path(f"{old.data}.rewind.pgfleet").write_text(json.dumps(note))
    refused = module("rewind", **rewinding(old, new))
    assert (refused["failed"], refused["code"]) == (True, "interrupted")
    reported = module("rewind", on_impossible="report", **rewinding(old, new))
    assert (reported["changed"], reported["action"], reported["reason"]) == (False, "impossible", "interrupted")


def test_a_rewind_without_the_wal_it_needs_is_impossible(servers: Any, module: Any) -> None:
    old, new = diverge(servers, crash=False)
    servers.run("sh", "-c", f"rm {old.data}/pg_wal/0000000100000000000000*")
    found = module("rewind", on_impossible="report", **rewinding(old, new))
    assert (found["action"], found["reason"]) == ("impossible", "wal_gone"), found
    assert found["diverged"]["transactions"] is None
    assert not (old.data / "standby.signal").exists()


@pytest.mark.parametrize("kept", [True, False], ids=["in the archive", "nowhere"])
def test_a_rewind_reads_from_the_archive_what_the_directory_has_no_more(servers: Any, module: Any, kept: bool) -> None:
    """The last checkpoint before the fork lies in a segment that the former primary has removed since."""
    settings = archive_for(servers)
    old, new = pair(servers, **settings, wal_keep_size="0")
    old.psql("CREATE TABLE t (n int)")
    for number in (10, 11):
        old.psql(f"INSERT INTO t VALUES ({number}); SELECT pg_switch_wal()")
    fork = old.psql("INSERT INTO t VALUES (12) RETURNING pg_walfile_name(pg_current_wal_lsn())")
    until(lambda: new.psql("SELECT count(*) FROM t") == "3")
    new.psql("SELECT pg_promote()")
    old.psql("INSERT INTO t VALUES (1)")
    new.psql("INSERT INTO t VALUES (100)")
    let_rewind(new)
    old.stop()
    folders = [old.data / "pg_wal", new.data / "pg_wal"] + ([] if kept else [servers.folder / "archive"])
    for folder in folders:
        older = f"awk '/^[0-9A-F]+$/ && $0 < \"{fork}\"'"
        servers.run("sh", "-c", f"cd {folder}; ls | {older} | xargs -r rm")
    for check in (True, False):
        found = module("rewind", check=check, on_impossible="report", **rewinding(old, new))
        assert found["action"] == ("rewound" if kept else "impossible"), found
    if kept:
        old.write_config()
        old.start()
        streams(new)
        assert old.psql("SELECT count(*) FROM t WHERE n IN (10, 11, 12, 100)") == "4"
        assert old.psql("SELECT count(*) FROM t") == "4"


def test_a_rewind_that_may_not_read_is_refused_before_anything_changes(servers: Any, module: Any) -> None:
    old, new = diverge(servers, crash=False)
    refused = module("rewind", **rewinding(old, new, rewind_password="nonsense"))
    assert (refused["failed"], refused["code"]) == (True, "wrong_password")
    assert not Path(f"{old.data}.rewind.pgfleet").exists()
    assert module("rewind", **rewinding(old, new))["action"] == "rewound"


def test_a_running_server_is_left_alone(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    new.psql("SELECT pg_promote()")
    assert module("rewind", **rewinding(old, new))["code"] == "server_running"
    assert old.running


def test_a_frozen_server_is_killed_when_asked(servers: Any, module: Any) -> None:

    server = servers.primary()
    os.kill(server.pid, signal.SIGSTOP)
    options = {"data_directory": str(server.data), "state": "stopped", "timeout": 1}
    assert module("server", **options)["code"] == "server_action_failed"
    killed = module("server", kill=True, **options)
    assert (killed["after"], killed["pid"]) == ("stopped", None)
    until(lambda: not server.running)  # some machines take a while to bury a process
