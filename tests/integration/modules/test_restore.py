# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Restores from real repositories, compared row by row with what was committed."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
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
    primary.psql("CREATE TABLE ledger (id int PRIMARY KEY, at timestamptz)")
    primary.psql("INSERT INTO ledger SELECT n, clock_timestamp() FROM generate_series(1, 100) AS n")
    label = call_repository(module_path, servers, primary, options, take=True)
    return Origin(primary, options, archive, {}, label)


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


@pytest.fixture(scope="module", params=PROVIDERS)
def origin(request, shared_servers, module_path):
    made = make_origin(shared_servers, module_path, request.param)
    note_points(made)
    return made


@pytest.fixture
def side(servers, module):
    """A directory for a side server, and the removal of what runs there."""
    dest = servers.data("side")
    yield dest
    if (dest / "postmaster.pid").exists():
        servers.run(servers.bin_dir() / "pg_ctl", "stop", "-s", "-m", "immediate", "-D", dest)


def wanted(origin: Origin, dest: Path, **more: Any) -> dict[str, Any]:
    return {
        "data_directory": str(dest),
        "settings": {"fsync": False, "shared_buffers": "16MB"},
        **origin.options,
        **more,
    }


def ask(done: dict[str, Any], statement: str) -> str:
    return PgServer(Path("/"), done["server_port"], Path(done["socket_directory"])).psql(statement)


@pytest.mark.parametrize("kind", ["time", "lsn", "name", "xid"])
def test_every_row_before_the_mistake_and_none_behind(origin, side, module, kind):
    options = wanted(origin, side, **origin.at(kind))
    done = module("restore", **options)
    assert not done["failed"], (done, Path(side, "pgfleet_restore.log").read_text())
    assert (done["action"], done["reason"], done["changed"]) == ("restored", "missing", True), done
    expected = origin.points[kind][1]
    found = ask(done, f"SELECT count(*), max(id), count(*) FILTER (WHERE id > {expected}) FROM ledger")
    assert found == f"{expected}|{expected}|0"
    assert done["reached"]["state"] == "promoted" and done["reached"]["timeline"] == 2
    assert done["set"]["label"] == origin.first_set and done["timeline"] == 1
    again = module("restore", **options)
    assert (again["action"], again["changed"], again["reached"]) == ("kept", False, done["reached"]), again
    gone = module("restore", **{**options, "state": "absent"})
    assert gone["action"] == "removed" and not side.exists(), gone
