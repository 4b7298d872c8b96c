"""The role pagila_load, run by ansible-playbook against a real primary and a real standby."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: postgres
  gather_facts: false
  become: true
  any_errors_fatal: true
  roles: [pgfleet.cluster.pagila_load]
  post_tasks:
    - ansible.builtin.copy:
        content: "{{ pagila_load_result | to_json }}"
        dest: "{{ results }}/{{ inventory_hostname }}.json"
        mode: "0644"
      become: false
      check_mode: false
      changed_when: false
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes postgres by su: run these tests as root")


@dataclass
class Run:
    """What one run of the play said and did."""

    code: int
    output: str
    results: dict[str, dict[str, Any]]

    @property
    def text(self) -> str:
        """The output as one line, so that wrapped messages can be found."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> int:
        return sum(map(int, re.findall(r"changed=(\d+)", self.output)))


class Fleet:
    """A primary and a standby, and the play for both."""

    def __init__(self, servers: Any, folder: Path) -> None:
        self.folder = folder
        self.primary = servers.primary("primary")
        self.standby = servers.standby(self.primary, "node1")
        hosts = {
            name: {"pagila_load_login_port": server.port}
            for name, server in (("primary", self.primary), ("node1", self.standby))
        }
        shared = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_become_method": "su",
            "pagila_load_primary": "primary",
            "pagila_load_login_unix_socket": str(self.primary.socket),
            "pagila_load_staging_directory": str(self.primary.socket),
            "pagila_load_cache_dir": str(folder / "cache"),
            "pagila_load_upstream_url": "http://127.0.0.1:1",
            "results": str(folder),
        }
        (folder / "hosts.json").write_text(json.dumps({"postgres": {"hosts": hosts, "vars": shared}}))
        (folder / "play.yml").write_text(PLAY)
        (folder / "ansible.cfg").touch()
        (folder / "collections/ansible_collections/pgfleet").mkdir(parents=True)
        (folder / "collections/ansible_collections/pgfleet/cluster").symlink_to(ROOT)

    def play(self, *more: str, **variables: Any) -> Run:
        for old in self.folder.glob("*.json"):
            if old.name != "hosts.json":
                old.unlink()
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_NOCOLOR": "true",
        }
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", self.folder / "hosts.json",
             self.folder / "play.yml", "-e", json.dumps(variables), *more],
            env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        results = {
            name: json.loads((self.folder / f"{name}.json").read_text())
            for name in ("primary", "node1")
            if (self.folder / f"{name}.json").exists()
        }
        return Run(done.returncode, done.stdout + done.stderr, results)

    def marker(self) -> str:
        query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'pagila'"
        return str(self.primary.psql(query))

    def staged(self) -> list[Path]:
        return list(self.primary.socket.glob(".pgfleet-*"))


@pytest.fixture
def fleet(servers: Any, tmp_path: Path) -> Fleet:
    return Fleet(servers, tmp_path)


def test_generated_rows(fleet: Fleet) -> None:
    foreseen = fleet.play("--check", pagila_load_source="generated")
    assert (foreseen.code, foreseen.changed) == (0, 1), foreseen.output
    assert "Would load generated rows (scale 1" in foreseen.text
    assert fleet.primary.psql("SELECT count(*) FROM pg_database WHERE datname = 'pagila'") == "0"

    first = fleet.play(pagila_load_source="generated", pagila_load_scale=2)
    assert (first.code, first.changed) == (0, 1), first.output
    primary, standby = first.results["primary"], first.results["node1"]
    assert primary["counts"] == standby["counts"]
    assert (primary["counts"]["rental"], primary["counts"]["payment_p2022_07"]) == (2 * 16044, 2 * 2334)
    assert {primary[key] for key in ("source", "database", "release")} == {"generated", "pagila", "v3.1.0"}
    assert (primary["scale"], primary["changed"]) == (2, True)
    assert fleet.marker() == "pgfleet pagila: source=generated scale=2 release=v3.1.0"

    again = fleet.play(pagila_load_source="generated", pagila_load_scale=2)
    assert (again.code, again.changed) == (0, 0), again.output
    assert again.results["node1"]["counts"] == standby["counts"]
    assert again.results["node1"]["changed"] is False

    kept = fleet.play()
    assert (kept.code, kept.changed) == (0, 0), kept.output
    assert "Kept generated rows (scale 2" in kept.text

    smaller = fleet.play(pagila_load_source="generated")
    assert smaller.code and "generated rows (scale 1, release v3.1.0) were asked for" in smaller.text


def test_rows_of_the_release(fleet: Fleet, pagila_data: Path) -> None:
    data = {"pagila_load_source": "data", "pagila_load_data_file": str(pagila_data)}
    first = fleet.play(**data)
    assert first.code == 0, first.output
    assert first.results["node1"]["counts"]["payment"] == 16049
    assert fleet.marker() == "pgfleet pagila: source=data scale=1 release=v3.1.0"
    assert fleet.staged() == []
    again = fleet.play(**data)
    assert (again.code, again.changed) == (0, 0), again.output


def test_release_from_a_directory(fleet: Fleet, tmp_path: Path) -> None:
    empty = tmp_path / "release"
    empty.mkdir()
    refused = fleet.play(pagila_load_source="upstream", pagila_load_upstream_dir=str(empty))
    assert refused.code and "one is missing, or its SHA-256 is another" in refused.text
    assert fleet.primary.psql("SELECT count(*) FROM pg_database WHERE datname = 'pagila'") == "0"


def test_auto_generates_where_the_release_cannot_be_had(fleet: Fleet) -> None:
    refused = fleet.play(pagila_load_source="upstream")
    assert refused.code and "could not be downloaded from http://127.0.0.1:1" in refused.text
    done = fleet.play()
    assert done.code == 0, done.output
    assert done.results["node1"]["source"] == "generated"
    assert "Loaded generated rows" in done.text


def test_damaged_data_leaves_nothing_and_the_next_run_loads(fleet: Fleet, tmp_path: Path, pagila_data: Path) -> None:
    damaged = tmp_path / "damaged.sql"
    lines = pagila_data.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith("COPY public.rental"))
    damaged.write_text("".join(lines[: at + 1] + lines[at + 2 :]))
    refused = fleet.play(pagila_load_source="data", pagila_load_data_file=str(damaged))
    assert refused.code and "the transaction was rolled back" in refused.text, refused.output
    assert (
        fleet.primary.psql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", "pagila") == "0"
    )
    assert fleet.staged() == []

    done = fleet.play(pagila_load_source="generated")
    assert done.code == 0, done.output
    other = fleet.play(pagila_load_source="data", pagila_load_data_file=str(pagila_data))
    assert other.code and "but data rows (scale 1, release v3.1.0) were asked for" in other.text


def test_what_is_not_ours_is_not_touched(fleet: Fleet) -> None:
    fleet.primary.psql("CREATE DATABASE pagila")
    fleet.primary.psql("CREATE SCHEMA own; CREATE VIEW own.thing AS SELECT 1 AS one", "pagila")
    for mode in ((), ("--check",)):
        foreign = fleet.play(*mode, pagila_load_source="generated")
        assert foreign.code and "that were not loaded by this role. Nothing was touched." in foreign.text
    assert fleet.primary.psql("SELECT one FROM own.thing", "pagila") == "1"

    fleet.primary.psql("DROP SCHEMA own CASCADE", "pagila")
    assert fleet.play(pagila_load_source="generated").code == 0
    fleet.primary.psql("DELETE FROM film_actor WHERE film_id = 3", "pagila")
    changed = fleet.play()
    assert changed.code and "film_actor has 5457 instead of 5462" in changed.text


def test_checks_come_first(fleet: Fleet) -> None:
    missing = fleet.play(pagila_load_source="data", pagila_load_data_file="/nowhere/data.sql")
    assert missing.code and "'/nowhere/data.sql' (pagila_load_data_file) is no file" in missing.text
    alone = fleet.play("--limit", "node1")
    assert alone.code and "add it to --limit" in alone.text
    absent = fleet.play("--check", pagila_load_source="generated", pagila_load_server_absent=True)
    assert (absent.code, absent.changed) == (0, 1), absent.output


def test_a_standby_that_does_not_replay_is_named(fleet: Fleet) -> None:
    fleet.standby.psql("SELECT pg_wal_replay_pause()")
    stuck = fleet.play(pagila_load_source="generated", pagila_load_wait=1)
    assert stuck.code and "after 1" in stuck.text and "See with replication_status why it lags" in stuck.text
    fleet.standby.psql("SELECT pg_wal_replay_resume()")
    done = fleet.play()
    assert (done.code, done.changed) == (0, 0), done.output
