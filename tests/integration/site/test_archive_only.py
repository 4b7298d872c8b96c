"""A standby that only reads the archive, and one that the archive saves when its slot is lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import as_postgres
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

SLOTS = "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots"
STREAMING = "SELECT string_agg(application_name, ' ' ORDER BY application_name) FROM pg_stat_replication WHERE state = 'streaming'"


def archive(folder: Path) -> dict[str, Any]:
    """What a fleet has of pg_backup, by hand."""
    return {
        "pg_server_settings": {
            "archive_mode": "on",
            "archive_command": f"test ! -f {folder}/%f && cp %p {folder}/%f",
            "restore_command": f"cp {folder}/%f %p",
            "archive_timeout": "2s",
        }
    }


class Shipping:
    """A fleet with an archive, and which of its nodes read nothing else."""

    def __init__(self, fleet: Any, folder: Path) -> None:
        self.fleet = fleet
        self.given = archive(folder)

    def read_archive(self, *nodes: str) -> None:
        hosts = {node: {"pg_standby_upstream": "archive"} if node in nodes else {} for node in ("node1", "node2")}
        self.fleet.hosts({"primary": {}}, hosts)

    def play(self, playbook: str, **variables: Any) -> Any:
        run = self.fleet.play(f"playbooks/{playbook}.yml", **self.given, **variables)
        assert run.returncode == 0, run.output
        return run

    def site(self, **variables: Any) -> Any:
        return self.fleet.site(**self.given, **variables)

    def settled(self) -> dict[str, Any]:
        """The document of a run that must find nothing to do."""
        run = self.site()
        assert run.changed == 0, run.output
        document: dict[str, Any] = self.fleet.status()
        return document

    def node(self, document: dict[str, Any], name: str) -> dict[str, Any]:
        return next(each for each in document["nodes"] if each["name"] == name)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = subprocess.run(
        [*as_postgres(), "mktemp", "-d"], check=True, capture_output=True, text=True, cwd="/"
    ).stdout.strip()
    yield Path(made)
    subprocess.run([*as_postgres(), "rm", "-r", made], check=True, cwd="/")


@pytest.fixture(scope="module")
def shipping(bare_fleet: Any, folder: Path) -> Shipping:
    made = Shipping(bare_fleet, folder)
    made.read_archive("node1")
    return made


def rows(fleet: Any, node: str) -> str:
    return str(fleet.psql(node, "SELECT count(*) FROM shipped"))


def test_without_an_archive_it_is_refused_before_anything_changes(shipping: Shipping) -> None:
    run = shipping.fleet.play("site.yml")
    assert run.returncode != 0
    assert "no restore_command would be in force" in " ".join(run.output.split())
    assert run.changed == 0, run.output


def test_built_with_one(shipping: Shipping) -> None:
    shipping.site()
    document = shipping.settled()
    assert document["findings"] == []
    node = shipping.node(document, "node1")
    assert (node["state"], node["slot"]) == ("archive", None)
    assert node["lag_bytes"] is not None
    assert shipping.fleet.psql("primary", SLOTS) == "node2_slot"
    assert shipping.fleet.psql("primary", STREAMING) == "node2"
    shipping.fleet.psql("primary", "CREATE TABLE shipped AS SELECT 1 AS a")
    until(lambda: shipping.fleet.answer("node1", "SELECT count(*) FROM shipped") == "1", "the row is shipped", 12)
    shipping.play("verify")


def test_it_streams_and_reads_the_archive_again(shipping: Shipping) -> None:
    fleet = shipping.fleet
    began = fleet.psql("node1", "SELECT pg_postmaster_start_time()")
    shipping.read_archive()
    shipping.site()
    assert fleet.psql("primary", STREAMING) == "node1 node2"
    assert fleet.psql("primary", SLOTS) == "node1_slot node2_slot"
    shipping.read_archive("node1")
    shipping.site()
    assert fleet.psql("primary", STREAMING) == "node2"
    assert fleet.psql("primary", SLOTS) == "node2_slot"
    assert fleet.psql("node1", "SELECT pg_postmaster_start_time()") == began, "a reload is enough"
    assert shipping.settled()["findings"] == []


def test_it_goes_on_when_another_one_leads(shipping: Shipping) -> None:
    fleet = shipping.fleet
    run = fleet.play("playbooks/switchover.yml", to="node1", **shipping.given)
    assert run.returncode != 0
    assert "from the archive only" in " ".join(run.output.split())
    shipping.play("switchover", to="node2")
    assert fleet.psql("node2", SLOTS) == "primary_slot"
    fleet.psql("node2", "INSERT INTO shipped VALUES (2)")
    until(lambda: rows(fleet, "node1") == "2", "it has followed to the new timeline", 15)
    document = shipping.settled()
    assert document["findings"] == []
    assert shipping.node(document, "node1")["timeline"] == 2


def test_it_leads_when_nobody_else_can(shipping: Shipping) -> None:
    fleet = shipping.fleet
    fleet.psql("node2", "INSERT INTO shipped VALUES (3)")
    until(lambda: rows(fleet, "node1") == "3", "the row is shipped", 12)
    fleet.stop("primary")
    fleet.stop("node2")
    shipping.play("failover", force=True)
    assert fleet.psql("node1", "SELECT pg_is_in_recovery()") == "f"
    shipping.play("rejoin", node="node2")
    shipping.play("rejoin", node="primary")
    assert fleet.psql("node1", STREAMING) == "node2 primary"
    assert rows(fleet, "primary") == "3"
    assert shipping.settled()["findings"] == []
    shipping.play("switchover", to="primary")
    assert fleet.psql("primary", STREAMING) == "node2", "a former primary reads the archive again"
    assert fleet.psql("primary", SLOTS) == "node2_slot"
    assert shipping.settled()["findings"] == []


def lose_the_slot(fleet: Any, node: str) -> None:
    """Stop the standby and write more than its slot may keep."""
    fleet.stop(node)
    fleet.psql("primary", "ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'")
    fleet.psql("primary", "SELECT pg_reload_conf()")
    for _segment in range(6):
        fleet.psql("primary", "INSERT INTO shipped VALUES (4)")
        fleet.psql("primary", "SELECT pg_switch_wal()")
    fleet.psql("primary", "CHECKPOINT")
    fleet.psql("primary", "ALTER SYSTEM RESET max_slot_wal_keep_size")
    fleet.psql("primary", "SELECT pg_reload_conf()")
    lost = f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = '{node}_slot'"
    until(lambda: fleet.psql("primary", lost) == "lost", "the slot is lost", 10)


def test_the_archive_saves_a_standby_whose_slot_was_lost(shipping: Shipping) -> None:
    fleet = shipping.fleet
    lose_the_slot(fleet, "node2")
    data = Path(fleet.psql("primary", "SHOW data_directory")).parent / f"{fleet.name}_node2"
    made = data.stat().st_ino
    shipping.site()
    assert fleet.psql("primary", STREAMING) == "node2"
    assert rows(fleet, "node2") == rows(fleet, "primary")
    assert data.stat().st_ino == made, "it was not cloned"
    assert shipping.settled()["findings"] == []


@pytest.mark.turns(2)
@pytest.mark.parametrize("name", ["slot_lost_archive", "archive_only"])
def test_drills(shipping: Shipping, tmp_path: Path, name: str) -> None:
    shipping.read_archive()
    shipping.site()
    shipping.play(
        "drill", drill=name, confirm=True, pg_drill_directory=str(tmp_path), pg_drill_target="node1", pg_drill_quiet=0.3
    )
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert (result["problems"], result["foreign"], result["rows_differing"]) == ([], 0, {})
    if name == "slot_lost_archive":
        assert (result["acked_lost"], result["in_doubt"]) == (0, 0)
    else:
        assert shipping.fleet.psql("node1", STREAMING) == "node2 primary"
