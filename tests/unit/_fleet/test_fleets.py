"""Which nodes are one fleet, and which fleet a run is for."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.fleets import (
    ALL,
    ANY,
    NAMED,
    ONE,
    chosen_nodes,
    fleets_of,
    members_of,
    refuse_broken,
)

TWO = {"orders": ["o1", "o2"], "west": ["w1", "w2"]}
LONE = {"orders": ["o1", "o2"]}


def test_hosts_with_one_name_are_one_fleet() -> None:
    hostvars: dict[str, Any] = {
        "w1": {"pg_server_fleet": "west"},
        "o1": {"pg_server_facts": {"fleet": "orders"}},
        "w2": {"pg_server_fleet": "west", "pg_server_facts": {}},
        "x": {},
        "y": {"pg_server_fleet": None},
    }
    assert fleets_of(list(hostvars), hostvars) == {"west": ["w1", "w2"], "orders": ["o1"], "pgfleet": ["x", "y"]}


def test_a_node_that_gave_no_answer_is_in_the_fleet_of_its_fellows() -> None:
    """Where a play sets the fleet, the inventory says nothing of it."""
    hostvars: dict[str, Any] = {
        "a": {"pg_server_facts": {"fleet": "by the play", "members": ["a", "b"]}},
        "b": {},
        "c": {},
    }
    assert fleets_of(list(hostvars), hostvars) == {"by the play": ["a", "b"], "pgfleet": ["c"]}


@pytest.mark.parametrize(
    ("host", "fleet", "members"),
    [
        ("a", "west", ["a", "b"]),
        ("c", "pgfleet", ["c", "d"]),
        ("c", "by the play", ["c", "d"]),
        ("c", "west", ["a", "b", "c", "d"]),
    ],
    ids=["by the inventory", "by default", "by a play", "by a play, as some in the inventory"],
)
def test_members(host: str, fleet: str, members: list[str]) -> None:
    hostvars: dict[str, Any] = {"a": {"pg_server_fleet": "west"}, "b": {"pg_server_fleet": "west"}, "c": {}, "d": {}}
    assert members_of(list(hostvars), hostvars, host, fleet) == members


@pytest.mark.parametrize(
    ("fleets", "fleet", "node", "scope", "nodes"),
    [
        (TWO, "", "", ANY, ["o1", "o2", "w1", "w2"]),
        (TWO, "west", "", ANY, ["w1", "w2"]),
        (TWO, ALL, "", ANY, ["o1", "o2", "w1", "w2"]),
        (TWO, "west", "", ONE, ["w1", "w2"]),
        (TWO, "", "w2", ONE, ["w1", "w2"]),
        (TWO, "west", "w2", ONE, ["w1", "w2"]),
        (TWO, "west", "w9", ONE, ["w1", "w2"]),
        (TWO, "orders", "", NAMED, ["o1", "o2"]),
        (TWO, ALL, "", NAMED, ["o1", "o2", "w1", "w2"]),
        (LONE, "", "", ONE, ["o1", "o2"]),
        (LONE, "", "x9", ONE, ["o1", "o2"]),
        (LONE, "", "", NAMED, ["o1", "o2"]),
        ({**TWO, ALL: ["z"]}, ALL, "", ONE, ["z"]),
        ({}, "", "", ONE, []),
    ],
)
def test_the_nodes_of_a_run(fleets: dict[str, list[str]], fleet: str, node: str, scope: str, nodes: list[str]) -> None:
    assert chosen_nodes(fleets, fleet, node, scope) == nodes


@pytest.mark.parametrize(
    ("fleets", "fleet", "node", "scope", "code", "words"),
    [
        (TWO, "", "", ONE, "fleet_not_named", "orders (o1, o2), west (w1, w2). Say which one: -e fleet=orders."),
        (TWO, "", "", NAMED, "fleet_not_named", "-e fleet=orders, or -e fleet=all."),
        (TWO, ALL, "", ONE, "fleet_unknown", "no fleet 'all'"),
        (TWO, "north", "", ANY, "fleet_unknown", "no fleet 'north' in this inventory. There are orders, west."),
        (LONE, "north", "", ANY, "fleet_unknown", "There is orders."),
        (TWO, "", "w9", ONE, "node_unknown", "no node 'w9' in this inventory"),
        (TWO, "orders", "w1", ONE, "fleet_contradicted", "'w1' is a node of the fleet west, not of orders."),
    ],
)
def test_words_for_no_fleet(
    fleets: dict[str, list[str]], fleet: str, node: str, scope: str, code: str, words: str
) -> None:
    with pytest.raises(PgFleetError) as refused:
        chosen_nodes(fleets, fleet, node, scope)
    assert refused.value.code == code
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("took_part", "left", "failed"),
    [
        (["a", "b", "x"], ["a", "b"], []),
        (["a", "b"], ["b"], ["a"]),
        (["b"], ["b"], []),
    ],
    ids=["another fleet's node failed", "one failed", "one was never asked"],
)
def test_a_broken_fleet_is_left_alone(took_part: list[str], left: list[str], failed: list[str]) -> None:
    if not failed:
        refuse_broken(["a", "b"], took_part, left)
        return
    with pytest.raises(PgFleetError, match="a failed before, see above") as refused:
        refuse_broken(["a", "b"], took_part, left)
    assert refused.value.code == "node_failed"
