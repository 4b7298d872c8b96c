"""drill.yml on a cluster of its own: every drill leaves a whole cluster, no lost row, and nothing of itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

NODES = ("primary", "node1", "node2", "node3")
SHORT = {"pg_drill_quiet": 0.3, "pg_drill_cut_seconds": 2}
#: A server that is away costs seconds; a machine that does other work as well holds a read up for less than this.
BUSY_MS = 1000
#: What such a fault does to a cluster, other tests prove as well, in every commit: those of the modules, of the operations and on containers.
ALTERNATELY = pytest.mark.turns(2)


class Drills:
    """Runs drills on a fleet and reads what they write."""

    def __init__(self, fleet: Any, folder: Path) -> None:
        self.fleet = fleet
        self.folder = folder

    def play(self, name: str, **variables: Any) -> Any:
        given = {"drill": name, "confirm": True, "pg_drill_directory": str(self.folder), **SHORT, **variables}
        return self.fleet.play("playbooks/drill.yml", **given)

    def run(self, name: str, **variables: Any) -> dict[str, Any]:
        """The result of a drill that must end well."""
        done = self.play(name, **variables)
        assert done.returncode == 0, done.output
        result: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        assert result["problems"] == []
        assert result["healthy"]
        assert result["foreign"] == 0
        assert result["rows_differing"] == {}
        assert result["acked"] > 0
        held_up = {node: result["read_gap_ms"][node] for node in result["bystanders"]}
        assert max(held_up.values(), default=0) < BUSY_MS, held_up
        return result

    def primary(self) -> str:
        return next(node for node in NODES if self.fleet.psql(node, "SELECT pg_is_in_recovery()") == "f")


@pytest.fixture(scope="module")
def drills(fleet: Any, tmp_path_factory: pytest.TempPathFactory) -> Drills:
    return Drills(fleet, tmp_path_factory.mktemp("drills"))


def nothing_left(drills: Drills) -> None:
    """No database, role, rule, setting or process of a drill."""
    for node in NODES:
        ask = drills.fleet.psql
        assert ask(node, "SELECT count(*) FROM pg_database WHERE datname = 'pgfleet_drill'") == "0"
        assert ask(node, "SELECT count(*) FROM pg_roles WHERE rolname = 'pgfleet_drill'") == "0"
        assert ask(node, "SELECT count(*) FROM pg_hba_file_rules WHERE 'pgfleet_drill' = ANY(user_name)") == "0"
        assert ask(node, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'reject'") == "0"
        assert (
            ask(
                node,
                "SELECT count(*) FROM pg_settings WHERE name = 'max_slot_wal_keep_size' AND sourcefile LIKE '%auto.conf'",
            )
            == "0"
        )
    assert not list(drills.folder.glob("*/load.json"))
    assert f"/{drills.fleet.name}_" not in Path("/proc/mounts").read_text()


def test_switchover_costs_writers_little_and_readers_nothing(drills: Drills) -> None:
    result = drills.run("switchover", pg_drill_target="node2")
    assert drills.primary() == "node2"
    assert result["acked_lost"] == 0
    assert result["bystanders"] == ["node1", "node3"]
    assert result["read_gap_ms"]["node2"] < BUSY_MS, "a promotion interrupts no reader"
    assert [event["text"] for event in result["events"] if event["kind"] == "promoted"] == ["node2 is primary"]
    assert result["writes"] != "stopped", "it may be over before it counts as an interruption"
    assert result["to_redundancy_ms"] > 0
    assert {step["name"] for step in result["steps"]} == {"switchover.yml"}
    page = (drills.folder / "switchover.html").read_text()
    assert "<svg" in page
    assert not re.search(r'(src|href)="https?:|url\(.?https?:|@import', page), "one file, which fetches nothing"
    nothing_left(drills)


@ALTERNATELY
@pytest.mark.parametrize("name", ["primary_restart", "primary_kill"])
def test_a_primary_that_comes_back_has_everything(drills: Drills, name: str) -> None:
    leader = drills.primary()
    result = drills.run(name)
    assert drills.primary() == leader
    assert result["acked_lost"] == 0
    assert result["writes"] == "interrupted"
    assert result["read_gap_ms"][leader] > 0
    assert set(result["bystanders"]) == set(NODES) - {leader}


@ALTERNATELY
@pytest.mark.parametrize("name", ["standby_kill", "standby_freeze", "disk_full", "clone_kill"])
def test_a_standby_in_trouble_bothers_nobody(drills: Drills, name: str) -> None:
    if name == "disk_full" and os.geteuid():
        pytest.skip("mounting needs root")
    target = next(node for node in NODES if node != drills.primary())
    result = drills.run(name, pg_drill_target=target)
    assert result["acked_lost"] == 0
    assert result["in_doubt"] == 0, "no write failed"
    assert set(result["bystanders"]) == set(NODES) - {target}
    assert result["to_redundancy_ms"] > 0, "it was away for a while"
    if name == "clone_kill":
        killed = (drills.folder / "clone_kill/01-rebuild_standby.log").read_text()
        begun = killed.partition(" : Clone the primary's data directory]")[2]
        assert begun
        assert "changed:" not in begun, "the clone was not killed but finished"
    nothing_left(drills)


@ALTERNATELY
def test_a_cut_network_stops_neither_writes_nor_reads(drills: Drills) -> None:
    result = drills.run("network_cut")
    assert result["acked_lost"] == 0
    assert result["to_redundancy_ms"] > 1000 * SHORT["pg_drill_cut_seconds"]
    nothing_left(drills)


def test_failover_and_rejoin(drills: Drills) -> None:
    leader = drills.primary()
    result = drills.run("failover")
    assert drills.primary() != leader
    assert [step["name"] for step in result["steps"]] == ["failover.yml", "rejoin.yml"]
    assert result["read_gap_ms"][leader] > 0


@ALTERNATELY
def test_with_synchronous_quorum_a_failover_loses_nothing(drills: Drills) -> None:
    quorum = {"pg_server_synchronous": "quorum"}
    drills.fleet.site(**quorum)
    result = drills.run("failover", **quorum)
    assert result["synchronous"] == "quorum"
    assert result["acked_lost"] == 0
    drills.fleet.site()


@ALTERNATELY
def test_two_primaries_are_refused_by_every_playbook(drills: Drills) -> None:
    leader = drills.primary()
    target = next(node for node in NODES if node != leader)
    result = drills.run("split_brain", pg_drill_target=target)
    assert drills.primary() == leader
    assert result["acked_lost"] == 0
    names = [step["name"] for step in result["steps"]]
    assert names == [
        "status.yml",
        "verify.yml",
        "site.yml",
        "switchover.yml",
        "failover.yml",
        "restart.yml",
        "rejoin.yml",
        "rebuild_standby.yml",
        "remove_standby.yml",
        "rejoin.yml",
    ]
    assert drills.fleet.psql(target, "SELECT to_regclass('pgfleet_drill_diverged') IS NULL") == "t"


@ALTERNATELY
def test_certificates_and_their_authority_change_and_nobody_notices(drills: Drills) -> None:
    result = drills.run("certificate_rotation")
    assert (result["acked_lost"], result["in_doubt"]) == (0, 0)
    assert result["to_redundancy_ms"] == 0, "every standby streamed all the time"
    assert [step["name"] for step in result["steps"]] == ["rotate_certificates.yml"] * 2
    nothing_left(drills)


@ALTERNATELY
def test_the_control_machine_may_die_in_a_switchover(drills: Drills) -> None:
    result = drills.run("control_death", pg_drill_steps=[11, 17])
    assert result["acked_lost"] == 0
    assert [event["text"] for event in result["events"] if "is killed" in event["text"]]


def test_an_interrupted_drill_is_cleared_away_by_the_next(drills: Drills) -> None:
    arguments = {"drill": "standby_freeze", "confirm": True, "pg_drill_directory": str(drills.folder), **SHORT}
    killed = drills.fleet.kill_at("Write WAL until its slot is lost", playbook="playbooks/drill.yml", **arguments)
    assert "slot is lost" in killed
    assert (drills.folder / "standby_freeze/load.json").exists(), "the load of the killed run goes on"
    result = drills.run("standby_kill")
    assert result["acked_lost"] == 0
    nothing_left(drills)


def test_a_load_that_ends_before_the_drill_makes_it_a_failure(drills: Drills) -> None:
    done = drills.play("primary_restart", pg_drill_seconds=2)
    assert done.returncode != 0
    assert "The load ended before the drill did: its 2 s or 200000 rows were used up" in " ".join(done.output.split())
    result = json.loads((drills.folder / "primary_restart.json").read_text())
    assert not result["healthy"]
    nothing_left(drills)


REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "not known": ("earthquake", {}, "There is no drill 'earthquake'"),
    "not confirmed": ("failover", {"confirm": False}, "and -e confirm=yes"),
    "no archive": ("archive_only", {}, "needs an archive that standbys read"),
    "not a standby": ("switchover", {"pg_drill_target": "nobody"}, "one of them pg_drill_target"),
}


@pytest.mark.parametrize(("name", "variables", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals(drills: Drills, name: str, variables: dict[str, Any], words: str) -> None:
    done = drills.play(name, **variables)
    assert done.returncode != 0
    assert words in " ".join(done.output.split())


def test_check_mode_says_what_it_would_do(drills: Drills) -> None:
    done = drills.fleet.play(
        "playbooks/drill.yml", "--check", drill="switchover", pg_drill_directory=str(drills.folder / "none")
    )
    assert done.returncode == 0, done.output
    assert done.changed == 0
    assert "Clean switchover: primary" in " ".join(done.output.split())
    assert not (drills.folder / "none").exists()


def test_a_cluster_that_is_not_well_is_refused(drills: Drills) -> None:
    standby = next(node for node in NODES if node != drills.primary())
    drills.fleet.stop(standby)
    done = drills.play("switchover")
    assert done.returncode != 0
    assert not (drills.folder / "switchover/load.json").exists()


def test_site_finds_nothing_to_do_after_all_this(drills: Drills) -> None:
    drills.fleet.site()  # starts what the test before has stopped
    run = drills.fleet.site()
    assert run.changed == 0, run.output
