# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Restores from real repositories, compared row by row with what was committed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.modules.conftest import NODE_PYTHON, PgServer
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

PROVIDERS = ["plain", "pgbackrest"]
#: Asks a repository to do something, as modules do.
CALL = """
import json, sys
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.options import repository_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.repository import Cluster
told = json.load(sys.stdin)
repository = repository_of(told["params"])
if told["cluster"]:
    repository.initialize(Cluster(**told["cluster"]))
print(repository.take("full") if told["take"] else "")
"""
NO_LOGIN = {
    "login_host": "", "login_hostaddr": "", "login_user": "postgres", "login_password": "", "login_db": "postgres", "ssl_mode": "prefer",
    "ca_cert": None, "ssl_cert": None, "ssl_key": None, "channel_binding": "prefer", "connect_timeout": 10, "passfile": None,
}  # fmt: skip


@dataclass
class Origin:
    """A primary with a repository, and what was committed at each point of it."""

    primary: PgServer
    options: dict[str, Any]
    archive: Any
    points: dict[str, tuple[str, int]]
    first_set: str
    space: Path

    def at(self, kind: str) -> dict[str, str]:
        return {"target_type": kind, "target": self.points[kind][0]}


def call_repository(module_path: Path, servers: Any, primary: PgServer, options: dict[str, Any], **told: Any) -> str:
    params = {"stanza": None, "config_file": None, "repository": None, "bin_dir": None, **NO_LOGIN, **options,
              "login_unix_socket": str(primary.socket), "login_port": primary.port}  # fmt: skip
    command = servers.as_owner("env", f"PYTHONPATH={module_path}", NODE_PYTHON, "-W", "ignore", "-c", CALL)
    done = subprocess.run(
        command, input=json.dumps({"params": params, "cluster": None, "take": False, **told}), capture_output=True, text=True, cwd="/",
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def pgbackrest(servers: Any, folder: Path, primary: PgServer) -> tuple[dict[str, Any], str]:
    config = folder / "pgbackrest.conf"
    text = f"""[global]
repo1-path={folder}/repo
log-path={folder}/log
lock-path={folder}/lock
spool-path={folder}/spool
compress-type=lz4
log-level-file=off
[main]
pg1-path={primary.data}
pg1-port={primary.port}
pg1-socket-path={primary.socket}
pg1-user=postgres
"""
    servers.run("sh", "-c", f"mkdir -p '{folder}' && cat > '{config}'", input=text)
    return {
        "provider": "pgbackrest",
        "stanza": "main",
        "config_file": str(config),
    }, f"pgbackrest --config={config} --stanza=main"


def archived(primary: PgServer) -> None:
    """Wait until all that was written is in the archive."""
    name = primary.psql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    primary.psql("SELECT pg_switch_wal()")
    until(lambda: primary.psql("SELECT last_archived_wal FROM pg_stat_archiver") >= name, f"{name} is not archived")


def make_origin(servers: Any, module_path: Path, provider: str, name: str = "origin") -> Origin:
    primary = servers.primary(f"{name}-{provider}", max_connections=120, max_worker_processes=9, wal_keep_size="64MB")
    folder = servers.folder / f"{name}-repo-{provider}"
    if provider == "plain":
        options: dict[str, Any] = {"provider": "plain", "repository": str(folder)}
        archive = folder / "archive"
        settings = {
            "archive_mode": "on",
            "archive_library": "basic_archive",
            "basic_archive.archive_directory": str(archive),
        }
    else:
        options, program = pgbackrest(servers, folder, primary)
        archive = folder / "repo/archive/main"
        settings = {"archive_mode": "on", "archive_command": f"{program} archive-push %p"}
    facts = json.loads(primary.psql("SELECT row_to_json(s) FROM pg_control_system() AS s"))
    cluster = {"system_identifier": str(facts["system_identifier"]), "version": 15, "segment_bytes": 1 << 24,
               "data_directory": str(primary.data)}  # fmt: skip
    cluster["version"] = int(primary.psql("SHOW server_version_num")) // 10000
    if provider == "plain":
        call_repository(module_path, servers, primary, options, cluster=cluster)
    primary.write_config(**settings)
    primary.stop()
    primary.start()
    if provider == "pgbackrest":
        call_repository(module_path, servers, primary, options, cluster=cluster)
    space = servers.data(f"{name}-{provider}-space")
    servers.run("mkdir", space)
    primary.psql(f"CREATE TABLESPACE side LOCATION '{space}'")
    primary.psql("CREATE TABLE ledger (id int PRIMARY KEY, at timestamptz) TABLESPACE side")
    primary.psql("INSERT INTO ledger SELECT n, clock_timestamp() FROM generate_series(1, 100) AS n")
    label = call_repository(module_path, servers, primary, options, take=True)
    return Origin(primary, options, archive, {}, label, space)


def note_points(origin: Origin) -> None:
    """Rows, a point of each kind, and then the mistake: a row more and the table dropped."""
    primary, points = origin.primary, origin.points

    def insert(count: int) -> str:
        return primary.psql(
            f"INSERT INTO ledger SELECT (SELECT max(id) FROM ledger) + n, clock_timestamp() FROM generate_series(1, {count}) AS n;"
        )

    def rows() -> int:
        return int(primary.psql("SELECT count(*) FROM ledger"))

    insert(50)
    primary.psql("SELECT pg_create_restore_point('before')")
    points["name"] = "before", rows()
    insert(10)
    points["xid"] = (
        primary.psql(
            "BEGIN; INSERT INTO ledger SELECT max(id) + 1 FROM ledger; SELECT pg_current_xact_id(); COMMIT"
        ).splitlines()[-1],
        rows(),
    )
    insert(10)
    points["lsn"] = primary.psql("SELECT pg_current_wal_insert_lsn()"), rows()
    insert(5)
    time.sleep(0.02)
    points["time"] = (
        primary.psql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')"),
        rows(),
    )
    time.sleep(0.02)
    insert(1)
    primary.psql("DROP TABLE ledger")
    archived(primary)


@pytest.fixture(scope="module")
def origins(shared_servers, module_path):
    """Each made when it is first asked for: workers of xdist may go from one to the other and back."""
    made: dict[str, Origin] = {}

    def get(provider: str) -> Origin:
        if provider not in made:
            made[provider] = make_origin(shared_servers, module_path, provider)
            note_points(made[provider])
        return made[provider]

    return get


@pytest.fixture(params=PROVIDERS)
def origin(request, origins):
    return origins(request.param)


@pytest.fixture
def side(servers, module):
    """A directory for a side server, and the removal of what runs there."""
    dest = servers.data("side")
    yield dest
    stop(servers, dest)


def stop(servers: Any, dest: Path) -> None:
    if (dest / "postmaster.pid").exists():
        servers.run(servers.bin_dir() / "pg_ctl", "stop", "-s", "-m", "immediate", "-D", dest)


def wanted(origin: Origin, dest: Path, **more: Any) -> dict[str, Any]:
    return {
        "data_directory": str(dest), "settings": {"fsync": False, "shared_buffers": "16MB"},
        "tablespace_mapping": {str(origin.space): f"{dest}-space"}, **origin.options, **more,
    }  # fmt: skip


def beside(dest: Path) -> list[str]:
    return sorted(path.name for path in dest.parent.iterdir() if path.name.startswith(f"{dest.name}"))


def ask(done: dict[str, Any], statement: str) -> str:
    return PgServer(Path("/"), done["server_port"], Path(done["socket_directory"])).psql(statement)


def expect_rows(done: dict[str, Any], rows: int) -> None:
    assert ask(done, f"SELECT count(*), max(id), count(*) FILTER (WHERE id > {rows}) FROM ledger") == f"{rows}|{rows}|0"


only_plain = pytest.mark.parametrize("origin", ["plain"], indirect=True)


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ("plain", "time"),
        ("plain", "lsn"),
        ("plain", "name"),
        ("plain", "xid"),
        ("pgbackrest", "time"),
        ("pgbackrest", "lsn"),
    ],
    indirect=["origin"],
)
def test_every_row_before_the_mistake_and_none_behind(origin, side, module, kind):
    options = wanted(origin, side, **origin.at(kind))
    foreseen = module("restore", check=True, **options)
    assert (foreseen["action"], foreseen["reason"], foreseen["changed"]) == ("restored", "missing", True), foreseen
    assert not beside(side)
    done = module("restore", **options)
    assert not done["failed"], (done, Path(side, "pgfleet_restore.log").read_text())
    assert (done["action"], done["reason"], done["changed"]) == ("restored", "missing", True), done
    assert (done["diff"], done["set"]) == (foreseen["diff"], foreseen["set"])
    expect_rows(done, origin.points[kind][1])
    assert done["reached"]["state"] == "promoted" and done["reached"]["timeline"] == 2 and done["reached"]["time"]
    assert done["set"]["label"] == origin.first_set and done["timeline"] == 1 and not done["doubt"]
    assert ask(done, "SHOW archive_mode") == "off" and ask(done, "SHOW listen_addresses") == ""
    assert int(ask(done, "SHOW max_connections")) >= 120
    again = module("restore", check=kind == "time", **options)
    assert (again["action"], again["changed"], again["reached"]) == ("kept", False, done["reached"]), again
    gone = module("restore", **{**options, "state": "absent"})
    assert gone["action"] == "removed" and not beside(side), gone


@only_plain
def test_pause_then_stop_then_promote(origin, side, servers, module):
    options = wanted(origin, side, action="pause", **origin.at("lsn"))
    paused = module("restore", **options)
    assert (paused["action"], paused["reached"]["state"], paused["reached"]["timeline"]) == ("restored", "paused", 1), (
        paused
    )
    expect_rows(paused, origin.points["lsn"][1])
    assert module("restore", **options)["action"] == "kept"
    stop(servers, side)
    started = module("restore", **options)
    assert (started["action"], started["reached"]) == ("started", paused["reached"]), started
    foreseen = module("restore", check=True, **{**options, "action": "promote"})
    promoted = module("restore", **{**options, "action": "promote"})
    assert (foreseen["action"], promoted["action"], promoted["reached"]["state"]) == (
        "promoted",
        "promoted",
        "promoted",
    ), promoted
    assert ask(promoted, "SELECT pg_is_in_recovery()") == "f"
    stop(servers, side)
    again = module("restore", **{**options, "action": "promote"})
    assert (again["action"], again["reached"]) == ("started", promoted["reached"]), again
    refused = module("restore", **options)
    assert refused["code"] == "already_promoted", refused
    other = module("restore", **wanted(origin, side, **origin.at("xid")))
    assert other["code"] == "other_restore", other


@only_plain
@pytest.mark.parametrize("paused", [False, True])
def test_shut_down_at_the_target_then_promoted(origin, side, module, paused):
    options = wanted(origin, side, action="shutdown", **origin.at("name"))
    if paused:
        module("restore", **{**options, "action": "pause"})
    done = module("restore", **options)
    action = "stopped" if paused else "restored"
    assert (done["action"], done["reached"]["state"], done["server_pid"]) == (action, "shut_down", None), done
    assert module("restore", **options)["action"] == "kept"
    promoted = module("restore", **{**options, "action": "promote"})
    assert promoted["action"] == "promoted", promoted
    expect_rows(promoted, origin.points["name"][1])


@only_plain
@pytest.mark.parametrize("kind", ["latest", "immediate"])
def test_ends_that_need_no_target(origin, side, module, kind):
    done = module("restore", **wanted(origin, side, target_type=kind))
    assert done["reached"]["state"] == "promoted", done
    assert ask(done, "SELECT to_regclass('ledger') IS NULL") == ("t" if kind == "latest" else "f")
    if kind == "immediate":
        expect_rows(done, 100)


@only_plain
def test_what_is_known_beforehand_is_refused_and_nothing_is_made(origin, side, servers, module):
    def soon(seconds: float) -> str:
        return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()

    full = servers.data("full")
    servers.run("sh", "-c", f"mkdir '{full}' && touch '{full}/something'")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("target_not_reached", {"target_type": "time", "target": soon(60)}),
        ("target_before_backup", {"target_type": "time", "target": soon(-86400)}),
        ("target_before_backup", {"target_type": "lsn", "target": "0/1000100"}),
        ("target_not_reached", {"target_type": "lsn", "target": "7/0"}),
        ("invalid_input", {"target_type": "time", "target": "2026-05-21 10:00:00"}),
        ("invalid_input", {"action": "pause"}),
        ("invalid_input", {"server_port": 99999}),
        ("invalid_input", {"server_port": 0}),
        ("set_missing", {"set": "nobody's"}),
        ("timeline_missing", {"timeline": 9}),
        ("other_cluster", {"system_identifier": "1"}),
        ("tablespace_unmapped", {"tablespace_mapping": {}}),
        ("not_empty", {"data_directory": str(full)}),
        ("live_directory", {"data_directory": str(origin.primary.data)}),
        ("not_a_side_directory", {"data_directory": str(origin.primary.data), "state": "absent"}),
    ]
    for number, (code, more) in enumerate(cases):
        refused = module("restore", check=bool(number % 2), **{**wanted(origin, side), **more})
        assert (refused["failed"], refused.get("code")) == (True, code), (more, refused)
        assert refused["remedy"]
    assert not beside(side) and origin.primary.running


@only_plain
def test_a_gap_is_named(origin, side, servers, module):
    """A segment behind the backup is taken away: at once refused where it must be replayed, else when it turns out so."""
    primary = origin.primary
    for _number in range(2):
        primary.psql("CREATE TABLE IF NOT EXISTS other (n int); INSERT INTO other VALUES (1)")
        archived(primary)
    names = sorted(path for path in Path(origin.archive).rglob("0000000100000000000000*") if ".backup" not in path.name)
    gone = names[-2]
    hidden = gone.with_name(f".{gone.name}")
    gone.rename(hidden)
    try:
        refused = module("restore", check=True, **wanted(origin, side))
        assert (refused["code"], refused["missing"]) == ("archive_gap", gone.name[:24]), refused
        now = datetime.now(timezone.utc).isoformat()
        late = module("restore", **wanted(origin, side, target_type="time", target=now))
        assert late["code"] == "archive_gap" and gone.name[:24] in late["remedy"], late
        assert side.exists() and not (side / "postmaster.pid").exists()
        assert module("restore", **wanted(origin, side, state="absent"))["action"] == "removed"
        before = module("restore", **wanted(origin, side, **origin.at("xid")))
        assert before["doubt"] == gone.name[:24], before
        expect_rows(before, origin.points["xid"][1])
    finally:
        hidden.rename(gone)


@only_plain
@pytest.mark.parametrize("keep", [True, False])
def test_a_target_that_is_never_reached(origin, side, module, keep):
    options = wanted(origin, side, target_type="name", target="nobody's", keep=keep)
    refused = module("restore", **options)
    assert refused["code"] == "target_not_reached" and "before configured recovery target" in refused["server_words"], (
        refused
    )
    assert side.exists() == keep and not (side / "postmaster.pid").exists()
    assert keep or not beside(side)


@only_plain
def test_histories_that_part(origin, side, module):
    """A node was promoted by mistake and its history came into the archive."""
    lsn = origin.points["lsn"][0]
    for timeline in (2, 3):
        Path(origin.archive, f"{timeline:08X}.history").write_text(f"1\t{lsn}\tno recovery target specified\n")
    try:
        refused = module("restore", check=True, **wanted(origin, side))
        assert (refused["code"], refused["timelines"]) == ("timeline_ambiguous", [2, 3]), refused
        done = module("restore", **wanted(origin, side, timeline=1, **origin.at("time")))
        expect_rows(done, origin.points["time"][1])
    finally:
        for timeline in (2, 3):
            Path(origin.archive, f"{timeline:08X}.history").unlink()


def noted(dest: Path) -> bool:
    return Path(f"{dest}.incoming.pgfleet").exists()


def data_arrives(dest: Path) -> bool:
    return any(Path(f"{dest}.incoming").glob("base/*/*"))


def renamed(dest: Path) -> bool:
    return dest.exists()


def server_runs(dest: Path) -> bool:
    return (dest / "postmaster.pid").exists()


@only_plain
@pytest.mark.parametrize("moment", [noted, data_arrives, renamed, server_runs])
def test_killed_and_run_again(origin, side, servers, module, moment):
    options = wanted(origin, side, **origin.at("time"))
    started = module.start("restore", **options)
    until(lambda: moment(side) or started.poll() is not None, "the moment never came", 20, 0.0005)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    done = module("restore", **options)
    assert not done["failed"] and done["changed"], done
    expect_rows(done, origin.points["time"][1])
    assert beside(side) == [side.name, f"{side.name}-space"]
    assert module("restore", **options)["action"] == "kept"
    assert module("restore", **{**options, "state": "absent"})["action"] == "removed"
    assert not beside(side)


@only_plain
def test_killed_while_it_is_removed(origin, side, servers, module):
    options = wanted(origin, side, target_type="immediate")
    module("restore", **options)
    gone = {**options, "state": "absent"}
    started = module.start("restore", **gone)
    until(lambda: noted(side) or started.poll() is not None, "the moment never came", 20, 0.0005)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    module("restore", **gone)
    assert module("restore", **gone)["action"] == "kept" and not beside(side)


def node_options(origin: Origin, servers: Any, dest: Path) -> dict[str, Any]:
    """As on a node that restores its own directory: pgBackRest's configuration names that one."""
    options = wanted(origin, dest)
    if origin.options["provider"] == "pgbackrest":
        config = dest.parent / "node.conf"
        text = Path(options["config_file"]).read_text().replace(f"pg1-path={origin.primary.data}", f"pg1-path={dest}")
        servers.run("sh", "-c", f"cat > '{config}'", input=text)
        options["config_file"] = str(config)
    return options


def test_a_standby_that_nothing_was_copied_for_from_the_primary(origin, servers, module):
    dest, primary = servers.data("standby"), origin.primary
    passfile = servers.folder / "pass"
    servers.run("sh", "-c", f"umask 077; echo '127.0.0.1:{primary.port}:*:replicator:secret' > '{passfile}'")
    options = {**node_options(origin, servers, dest), "mode": "standby", "login_host": "127.0.0.1", "login_port": primary.port,
               "passfile": str(passfile), "application_name": "restored"}  # fmt: skip
    done = module("restore", **options)
    assert (done["action"], done["mode"], done["reached"]) == ("restored", "standby", None), done
    assert (dest / "standby.signal").exists() and not (dest / "recovery.signal").exists()
    standby = servers.server(dest, archive_mode="off", max_connections=120, max_worker_processes=9).start()
    streaming = "SELECT state FROM pg_stat_replication WHERE application_name = 'restored'"
    until(lambda: primary.psql(streaming) == "streaming", f"no streaming: {standby.log.read_text()[-2000:]}")
    assert standby.psql("SELECT pg_is_in_recovery()") == "t"
    again = module("restore", **options)
    assert (again["action"], again["changed"]) == ("kept", False), again
    changed = module("restore", **{**options, "application_name": "other"})
    assert (changed["recovery_changed"], changed["changed"]) == (True, True), changed
    assert module("restore", **{**options, "state": "absent"})["code"] == "not_a_side_directory"
    standby.stop("immediate")


def test_files_for_a_server_that_others_start(origin, servers, module):
    dest = servers.data("inplace")
    options = {**node_options(origin, servers, dest), "mode": "files", **origin.at("lsn")}
    done = module("restore", **options)
    assert (done["action"], done["server_pid"]) == ("restored", None), done
    waiting = module("restore", **options)
    assert (waiting["action"], waiting["reason"]) == ("kept", "not_started"), waiting
    server = servers.server(dest, archive_mode="off", max_connections=120, max_worker_processes=9).start()
    seen = module("restore", **options)
    assert (seen["action"], seen["reached"]["state"]) == ("recovered", "promoted"), seen
    assert server.psql("SELECT count(*) FROM ledger") == str(origin.points["lsn"][1])
    assert "recovery_target" not in (dest / "postgresql.auto.conf").read_text()
    assert server.psql("SHOW recovery_target_lsn") == origin.points["lsn"][0]  # until its next start
    assert module("restore", **options)["action"] == "kept"
    server.stop("immediate")
