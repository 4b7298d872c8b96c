"""The live topology, in a table: what the nodes say, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.topology import (
    Node,
    TopologyConflict,
    derive_topology,
    refuse_refusals,
)

SYSTEM = "7400000000000000001"
OTHER = "7400000000000000002"


def node(
    name: str,
    role: str = "absent",
    running: bool = True,
    system: str | None = SYSTEM,
    timeline: int = 1,
    state: str | None = None,
) -> Node:
    if role == "absent":
        return Node(name)
    return Node(name, role=role, running=running, system_identifier=system, timeline=timeline, cluster_state=state)


def handed_over(name: str) -> Node:
    return node(name, "standby", False, state="shut down")


def left_out(name: str) -> Node:
    return Node(name, answered=False, asked=False)


def silent(name: str) -> Node:
    return Node(name, answered=False)


GOOD: dict[str, tuple[list[Node], str]] = {
    "first deployment follows the inventory": ([node("a"), node("b"), node("c")], "a"),
    "as deployed": ([node("a", "primary"), node("b", "standby")], "a"),
    "after a switchover the inventory is not asked": ([node("a", "standby"), node("b", "primary")], "b"),
    "a stopped primary is still the primary": ([node("a", "primary", False), node("b", "standby")], "a"),
    "the inventory's primary lost its data": ([node("a"), node("b", "primary", timeline=2)], "b"),
    "a standby of a standby": (
        [
            replace(node("a", "primary", False), known=True),
            replace(node("b", "standby"), known=True, followers=("c",)),
            replace(node("c", "standby"), known=True, follows="192.0.2.2:5432"),
        ],
        "a",
    ),
    "a silent standby": ([node("a", "primary"), silent("b")], "a"),
    "killed before the first clone": ([node("a", "primary"), node("b"), node("c")], "a"),
}


@pytest.mark.parametrize(("nodes", "primary"), GOOD.values(), ids=GOOD.keys())
def test_primary(nodes: list[Node], primary: str) -> None:
    found = derive_topology(nodes, ["a"])
    assert found.primary == primary
    assert not found.interrupted
    assert found.roles == {item.name: "primary" if item.name == primary else "standby" for item in nodes}
    assert set(found.existing) == {item.name for item in nodes if item.exists}


BAD: dict[str, tuple[list[Node], list[str], str, str]] = {
    "two running primaries": (
        [node("a", "primary"), node("b", "primary", timeline=2)],
        ["a"],
        "two_primaries",
        "a (primary, running",
    ),
    "a stopped primary on the newer timeline": (
        [node("a", "primary"), node("b", "primary", False, timeline=2)],
        ["a"],
        "two_primaries",
        "usually the one on the highest timeline",
    ),
    "two stopped primaries of one timeline": (
        [node("a", "primary", False), node("b", "primary", False)],
        ["a"],
        "two_primaries",
        "rejoin.yml",
    ),
    "a stopped primary on the same timeline": (
        [node("a", "primary", False, timeline=2), node("b", "primary", timeline=2)],
        ["a"],
        "two_primaries",
        "equal timelines say nothing",
    ),
    "an interrupted switchover": (
        [handed_over("a"), node("b", "standby")],
        ["a"],
        "switchover_interrupted",
        "-e to=a takes it back",
    ),
    "a standby shut down cleanly is no primary": (
        [node("a", "standby", False, state="shut down in recovery"), node("b", "standby")],
        ["a"],
        "no_primary",
        "failover.yml",
    ),
    "strangers": (
        [node("a", "primary"), node("b", "standby", system=OTHER)],
        ["a"],
        "wrong_system_identifier",
        OTHER,
    ),
    "only standbys": ([node("a", "standby"), node("b", "standby")], ["a"], "no_primary", "promote a standby"),
    "the primary is not in the inventory": (
        [replace(node("b", "standby"), known=True, follows="192.0.2.9:5432")],
        ["b"],
        "primary_not_in_inventory",
        "b streams from 192.0.2.9:5432",
    ),
    "it is not, but a former one is, which is not started": (
        [node("a", "primary", False), replace(node("b", "standby", timeline=2), known=True, follows="192.0.2.9:5432")],
        ["a"],
        "primary_not_in_inventory",
        "Do not promote a standby",
    ),
    "the primary is silent": ([silent("a"), node("b", "standby")], ["a"], "no_primary", "No answer from: a"),
    "the first primary is silent": ([silent("a"), node("b")], ["a"], "no_answer", "a"),
    "the primary is not asked": ([left_out("a"), node("b", "standby")], ["a"], "not_asked", "without --limit"),
    "a standby is not asked": ([node("a", "primary"), left_out("b")], ["a"], "not_asked", "b was not asked"),
    "two primaries and one not asked": (
        [node("a", "primary"), node("b", "primary", timeline=2), left_out("c")],
        ["a"],
        "two_primaries",
        "2 nodes",
    ),
    "no first primary": ([node("a"), node("b")], [], "first_primary_unclear", "0 hosts"),
    "two first primaries": ([node("a"), node("b")], ["a", "b"], "first_primary_unclear", "2 hosts"),
    "a server that cannot be asked": (
        [node("a", "primary"), Node("b", role="unknown", why="It refuses logins.")],
        ["a"],
        "role_unknown",
        "It refuses logins.",
    ),
}


@pytest.mark.parametrize(("nodes", "first", "code", "words"), BAD.values(), ids=BAD.keys())
def test_conflict(nodes: list[Node], first: list[str], code: str, words: str) -> None:
    with pytest.raises(TopologyConflict) as caught:
        derive_topology(nodes, first)
    assert caught.value.code == code
    assert words in str(caught.value)


FORMER: dict[str, tuple[list[Node], str]] = {
    "after a failover": ([node("a", "primary", False), node("b", "primary", timeline=2), node("c", "standby")], "b"),
    "everything is stopped after a failover": (
        [node("a", "primary", False), node("b", "primary", False, timeline=2), node("c", "standby", False)],
        "b",
    ),
}


@pytest.mark.parametrize(("nodes", "primary"), FORMER.values(), ids=FORMER.keys())
def test_a_stopped_former_primary_is_no_part_of_the_cluster(nodes: list[Node], primary: str) -> None:
    found = derive_topology(nodes, ["a"])
    assert found.roles["a"] == "former"
    assert found.primary == primary
    assert found.as_result()["former"] == ["a"]
    assert "a" not in found.as_result()["standbys"]


def test_an_interrupted_switchover_can_be_asked_for() -> None:
    found = derive_topology([handed_over("a"), node("b", "standby")], ["b"], interrupted=True)
    assert (found.primary, found.interrupted) == ("a", True)
    assert found.roles == {"a": "primary", "b": "standby"}


def test_node_from_status() -> None:
    status: dict[str, Any] = {
        "role": "standby", "running": True, "reachable": True, "system_identifier": SYSTEM, "timeline": 3,
    }  # fmt: skip
    found = Node.from_status("a", {"status": {**status, "answer": "accepts_connections"}, "reasons": []})
    assert found == replace(node("a", "standby", timeline=3), answer="accepts_connections", known=True)
    assert Node.from_status("a", {}) == node("a")
    assert not Node.from_status("a", None).answered
    assert not Node.from_status("a", {"not_asked": True}).asked


ANSWERS: dict[str, tuple[str, bool, bool, bool]] = {  # alive, frozen, refused by what needs a session
    "accepts_connections": ("accepts_connections", True, False, False),
    "too many clients": ("too_many_clients", True, False, True),
    "what writing pg_hba.conf may cure": ("rejected_by_hba", True, False, False),
    "authentication failed": ("authentication_failed", True, False, True),
    "starting up": ("starting_up", True, False, True),
    "shutting down": ("shutting_down", True, False, True),
    "hot_standby off": ("hot_standby_off", True, False, True),
    "other words": ("refused", True, False, True),
    "not listening": ("not_listening", True, False, True),
    "frozen": ("frozen", False, True, True),
}


@pytest.mark.parametrize(("answer", "alive", "frozen", "refused"), ANSWERS.values(), ids=ANSWERS.keys())
def test_alive_is_alive(answer: str, alive: bool, frozen: bool, refused: bool) -> None:
    status = {
        "role": "primary", "running": True, "reachable": alive and not refused, "system_identifier": SYSTEM,
        "timeline": 1, "answer": answer, "server_words": "its words",
    }  # fmt: skip
    found = Node.from_status("a", {"status": status, "reasons": [{"message": "It is so.", "remedy": "Do that."}]})
    assert (found.alive, found.frozen, found.refuses) == (alive, frozen, alive and answer != "accepts_connections")
    assert derive_topology([found], ["a"]).as_result()["primary_running"]
    if not refused:
        return refuse_refusals([found])
    with pytest.raises(TopologyConflict) as caught:
        refuse_refusals([found])
    assert (caught.value.code, caught.value.facts["server_words"]) == ("session_refused", "its words")
    assert "It is so. Do that." in str(caught.value)
    return None
