"""Two fleets in one inventory: every operation on one, and the other does not notice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import Run, TwoFleets, own_place
from ansible_collections.pgfleet.cluster.tests.integration.operations.load import kill, refuse, started, succeed

WEST = ("w1", "w2")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoFleets]:
    with own_place() as (name, ports):
        made = TwoFleets(tmp_path_factory.mktemp("fleets"), name, ports)
        made.wipe()
        made.site()
        yield made
        made.wipe()


@pytest.fixture
def fleets(both: TwoFleets) -> Iterator[TwoFleets]:
    """What a test does to orders leaves west as it is, to the byte."""
    before = untouched(both)
    yield both
    assert untouched(both) == before


def untouched(fleets: TwoFleets) -> dict[str, Any]:
    files = {
        str(path): path.read_bytes()
        for node in WEST
        for path in Path(f"/etc/postgresql/{version(fleets, node)}/{fleets.called('west')}_{node}").rglob("*")
        if path.is_file()
    }
    secret = fleets.folder / "secrets" / fleets.called("west") / "replication.password"
    return {
        "servers": {node: started(fleets, node) for node in WEST},
        "timeline": fleets.psql("w1", "SELECT timeline_id FROM pg_control_checkpoint()"),
        "slots": fleets.psql("w1", "SELECT slot_name, active FROM pg_replication_slots"),
        "roles": fleets.psql("w1", "SELECT rolname, rolpassword FROM pg_authid WHERE NOT rolname LIKE 'pg\\_%'"),
        "secret": secret.read_text(),
        "files": files,
    }


def version(fleets: TwoFleets, node: str) -> str:
    return fleets.psql(node, "SELECT current_setting('server_version_num')::int / 10000")


def documents(fleets: TwoFleets, *arguments: str) -> list[dict[str, Any]]:
    file = fleets.folder / "status.json"
    succeed(fleets, "status", "-e", "output=json", "-e", f"output_file={file}", *arguments)
    found = json.loads(file.read_text())
    return found if isinstance(found, list) else [found]


def lead(fleets: TwoFleets) -> dict[str, list[str]]:
    """Who leads each fleet that is well; every node of it follows."""
    well = [each for each in documents(fleets) if not each["findings"]]
    return {
        each["fleet"].removeprefix(f"{fleets.name}_"): [
            node["name"] for node in each["nodes"] if node["role"] == "primary"
        ]
        for each in well
    }


def words(run: Run) -> str:
    return " ".join(run.output.split())


def test_one_run_makes_both_and_another_changes_nothing(fleets: TwoFleets) -> None:
    run = fleets.site()
    assert run.changed == 0
    assert f"Fleet {fleets.called('orders')}" in run.output
    assert f"Fleet {fleets.called('west')}" in run.output
    assert run.output.count("All is well.") == 2
    assert lead(fleets) == {"orders": ["o1"], "west": ["w1"]}
    identifiers = {fleets.psql(node, "SELECT system_identifier FROM pg_control_system()") for node in ("o1", "w1")}
    assert len(identifiers) == 2


def test_no_fleet_has_slots_or_secrets_of_the_other(fleets: TwoFleets) -> None:
    passwords = {
        fleet: (fleets.folder / "secrets" / fleets.called(fleet) / "replication.password").read_text().strip()
        for fleet in fleets.MEMBERS
    }
    assert len(set(passwords.values())) == 2
    for fleet, nodes in fleets.MEMBERS.items():
        for node in nodes:
            folder = Path(f"/etc/postgresql/{version(fleets, node)}/{fleets.called(fleet)}_{node}")
            entries = [
                line.split(":") for line in (folder / "replication.pgpass").read_text().splitlines() if ":" in line
            ]
            assert {entry[1] for entry in entries} == {str(fleets.ports[each]) for each in nodes}
            assert {entry[4] for entry in entries} == {passwords[fleet]}
    slots = "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots"
    assert [fleets.psql(node, slots) for node in ("o1", "w1")] == ["o2_slot o3_slot", "w2_slot"]


def test_one_fleet_is_shown_as_one_document_and_all_as_a_list(fleets: TwoFleets) -> None:
    assert [each["fleet"] for each in documents(fleets)] == [fleets.called("orders"), fleets.called("west")]
    file = fleets.folder / "one.json"
    succeed(fleets, "status", "-e", "output=json", "-e", f"output_file={file}", fleet=fleets.called("west"))
    one = json.loads(file.read_text())
    assert (one["fleet"], [node["name"] for node in one["nodes"]]) == (fleets.called("west"), list(WEST))


@pytest.mark.parametrize(
    ("playbook", "given", "said"),
    [
        ("switchover", {}, "holds 2 fleets, and this is done to one at a time"),
        ("failover", {}, "Say which one: -e fleet="),
        ("restart", {}, "Say which one: -e fleet="),
        ("drill", {"drill": "switchover"}, "Say which one: -e fleet="),
        ("switchover", {"to": "o9"}, "There is no node 'o9' in this inventory"),
        ("switchover", {"to": "w2", "fleet": "orders"}, "'w2' is a node of the fleet"),
        ("destroy", {"confirm": "yes"}, "or -e fleet=all"),
        ("status", {"fleet": "north"}, "There is no fleet 'north' in this inventory"),
    ],
)
def test_a_run_that_is_for_no_fleet_is_refused(
    fleets: TwoFleets, playbook: str, given: dict[str, str], said: str
) -> None:
    if given.get("fleet") == "orders":
        given = {**given, "fleet": fleets.called("orders")}
    refuse(fleets, playbook, said, **given)


def test_a_failure_in_one_fleet_does_not_stop_the_other(fleets: TwoFleets) -> None:
    """One server cannot start with its settings: its fellows stay as they are, the other fleet gets its own change."""
    broken = {"pg_server_settings": {"shared_buffers": "32MB", "shared_preload_libraries": "no_such_library"}}
    fine = {"pg_server_settings": {"shared_buffers": "32MB", "work_mem": "5MB"}}
    file = Path(f"/etc/postgresql/{version(fleets, 'o1')}/{fleets.called('orders')}_o1/conf.d/pgfleet.conf")
    before = file.read_text()
    fleets.hosts({"o1": fine, "w1": {}}, {"o2": broken, "o3": fine, "w2": {}})
    try:
        run = fleets.play("site.yml")
        assert run.returncode == 2
        assert "could not access file" in words(run)
        assert "o2 failed before, see above" in words(run)
        assert "This run ended for the fleet with a failure" in words(run)
        assert run.output.count("All is well.") == 1
        assert {run.recap[node]["failed"] for node in ("o1", "o2", "o3")} == {1}
        assert {run.recap[node]["failed"] for node in WEST} == {0}
        assert file.read_text() == before
    finally:
        fleets.all_hosts()
    assert fleets.site().changed == 0


def test_before_a_change_one_fleet_that_is_not_fit_stops_all(fleets: TwoFleets) -> None:
    fleets.hosts({"o1": {}, "w1": {}}, {"o2": {"pg_server_port": fleets.ports["w2"]}, "o3": {}, "w2": {}})
    try:
        for named in ({}, {"fleet": fleets.called("orders")}):
            run = fleets.play("site.yml", **named)
            assert run.returncode == 2
            assert run.changed == 0
            assert str(fleets.ports["w2"]) in words(run)
    finally:
        fleets.all_hosts()


def test_a_switchover_there_and_back(fleets: TwoFleets) -> None:
    run = succeed(fleets, "switchover", to="o2")
    assert run.recap["w1"]["ok"] == 1, "the other fleet is only looked up in the inventory"
    assert lead(fleets) == {"orders": ["o2"], "west": ["w1"]}
    succeed(fleets, "restart", fleet=fleets.called("orders"), switchover="yes", to="o1")
    assert lead(fleets) == {"orders": ["o1"], "west": ["w1"]}


def test_a_failover_and_the_way_back(fleets: TwoFleets) -> None:
    kill(fleets, "o1")
    succeed(fleets, "failover", fleet=fleets.called("orders"))
    assert lead(fleets) == {"west": ["w1"]}
    succeed(fleets, "rejoin", node="o1")
    new = lead(fleets)["orders"][0]
    assert new != "o1"
    succeed(fleets, "switchover", to="o1")
    assert lead(fleets) == {"orders": ["o1"], "west": ["w1"]}


def test_a_rebuild_and_a_removal(fleets: TwoFleets) -> None:
    succeed(fleets, "rebuild_standby", node="o3")
    assert lead(fleets) == {"orders": ["o1"], "west": ["w1"]}
    succeed(fleets, "remove_standby", node="o3")
    fleets.hosts({"o1": {}, "w1": {}}, {"o2": {}, "w2": {}})
    try:
        assert fleets.site().changed == 0
    finally:
        fleets.all_hosts()
    fleets.site()
    assert lead(fleets) == {"orders": ["o1"], "west": ["w1"]}


def test_a_drill_takes_its_nodes_from_one_fleet(fleets: TwoFleets) -> None:
    run = succeed(fleets, "drill", "--check", drill="switchover", fleet=fleets.called("orders"))
    assert "primary o1, standby of the drill o2" in words(run)
    refused = fleets.play("playbooks/drill.yml", "--check", drill="switchover", fleet=fleets.called("west"))
    assert refused.returncode == 2
    assert "needs two standbys" in words(refused)


def test_verify_proves_both(fleets: TwoFleets) -> None:
    run = succeed(fleets, "verify")
    assert words(run).count("was seen on every standby") == 2


def test_one_fleet_is_destroyed_and_made_again(fleets: TwoFleets) -> None:
    succeed(fleets, "destroy", fleet=fleets.called("orders"), confirm="yes")
    assert not (fleets.folder / "secrets" / fleets.called("orders")).exists()
    assert lead(fleets) == {"west": ["w1"]}
    run = succeed_site(fleets, fleet=fleets.called("orders"))
    assert run.recap["w1"]["ok"] == 1
    assert lead(fleets) == {"orders": ["o1"], "west": ["w1"]}


def succeed_site(fleets: TwoFleets, **variables: Any) -> Run:
    run = fleets.play("site.yml", **variables)
    assert run.returncode == 0, run.output
    return run
