"""Which server restarts first."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.action import fleet_plan
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.checks import OperationRefused
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.restart import (
    StandbyBelowPrimary,
    first_change,
    highest_of_each,
    refuse_below_primary,
    refuse_unequal,
    restart_order,
)


def pending(name: str, setting: str = "100", wanted: str | None = "200") -> dict[str, Any]:
    return {name: {"setting": setting, "wanted": wanted}}


ROWS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing waits": ({"a": {}, "b": {}}, []),
    "only standbys": ({"a": {}, "b": pending("shared_buffers"), "c": {}}, ["b"]),
    "a bound value rises": (
        {"a": pending("max_connections"), "b": pending("max_connections"), "c": pending("max_connections")},
        ["b", "c", "a"],
    ),
    "a bound value sinks": (
        {"a": pending("max_connections", "200", "100"), "b": pending("max_connections", "200", "100")},
        ["a", "b"],
    ),
    "an unbound value sinks": (
        {"a": pending("shared_buffers", "200", "100"), "b": pending("shared_buffers", "200", "100")},
        ["b", "a"],
    ),
    "a bound value is no plain number": (
        {"a": pending("max_connections", "200", "0x64"), "b": pending("max_connections", "200", "1e2")},
        ["a", "b"],
    ),
    "the wanted value is not known": ({"a": pending("max_connections", wanted=None)}, ["a"]),
}


@pytest.mark.parametrize(("waiting", "order"), ROWS.values(), ids=ROWS.keys())
def test_order(waiting: dict[str, Any], order: list[str]) -> None:
    assert restart_order(waiting, "a") == order


FIRST: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "a standby": ({"a": {}, "b": {}, "c": {}}, ["a", "b", "c"], "b"),
    "a standby that runs": ({"a": {}, "b": {}, "c": {}}, ["a", "c"], "c"),
    "a primary alone": ({"a": pending("huge_pages")}, ["a"], "a"),
    "only a primary's change": ({"a": {}}, ["a", "b"], "a"),
    "a bound value rises": ({"a": pending("max_connections"), "b": pending("max_connections")}, ["a", "b"], "b"),
    "a bound value sinks": (
        {"a": pending("max_connections", "9", "5"), "b": pending("max_connections", "9", "5")},
        ["a", "b"],
        "a",
    ),
    "it sinks on a standby only": ({"b": pending("max_connections", "9", "5")}, ["a", "b"], "b"),
    "nobody runs": ({"a": {}, "b": {}}, [], ""),
    "nothing changes": ({}, ["a", "b"], ""),
}


@pytest.mark.parametrize(("tried", "running", "first"), FIRST.values(), ids=FIRST.keys())
def test_who_gets_changed_settings_first(tried: dict[str, Any], running: list[str], first: str) -> None:
    assert first_change(tried, tried, running, "a") == first


def limits(value: int) -> dict[str, Any]:
    return {"max_connections": value}


#: Limits in force and what waits for a restart; a leads.
BELOW: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "equal": ({"a": limits(100), "b": limits(100)}, {}, False),
    "both rise": (
        {"a": limits(100), "b": limits(100)},
        {"a": pending("max_connections"), "b": pending("max_connections")},
        False,
    ),
    "the primary alone rises": ({"a": limits(100), "b": limits(100)}, {"a": pending("max_connections")}, True),
    "a standby alone sinks": ({"a": limits(100), "b": limits(100)}, {"b": pending("max_connections", "100", "20")}, True),
    "both sink": (
        {"a": limits(100), "b": limits(100)},
        {"a": pending("max_connections", "100", "20"), "b": pending("max_connections", "100", "20")},
        False,
    ),
    "a standby is below already": ({"a": limits(200), "b": limits(100)}, {}, True),
    "one that is below cannot replay that the primary sinks": (
        {"a": limits(200), "b": limits(100)},
        {"a": pending("max_connections", "200", "100")},
        True,
    ),
    "one that is below rises": ({"a": limits(200), "b": limits(100)}, {"b": pending("max_connections")}, False),
    "what is wanted is not known": ({"a": limits(100), "b": limits(100)}, {"a": pending("max_connections", wanted=None)}, False),
    "a primary that cannot be asked": ({"b": limits(100)}, {}, False),
}  # fmt: skip


@pytest.mark.parametrize(("now", "waiting", "refused"), BELOW.values(), ids=BELOW.keys())
def test_no_restart_leaves_a_standby_below_its_primary(
    now: dict[str, Any], waiting: dict[str, Any], refused: bool
) -> None:
    if not refused:
        refuse_below_primary(now, waiting, "a")
        return
    with pytest.raises(StandbyBelowPrimary, match="b would have max_connections"):
        refuse_below_primary(now, waiting, "a")


def test_nodes_that_may_lead_have_the_same() -> None:
    refuse_unequal({"a": {"max_connections": "100"}, "b": {}, "c": {"max_connections": "0x64"}})
    with pytest.raises(StandbyBelowPrimary, match="max_connections differs between the nodes: 100 on a, 200 on b"):
        refuse_unequal({"a": {}, "b": {"max_connections": "200"}})


def test_the_highest_of_two_adopted_servers_counts() -> None:
    assert highest_of_each([{"max_connections": "300", "x": "1"}, {"max_connections": "100"}]) == {
        "max_connections": "300",
        "x": "1",
    }


@pytest.mark.parametrize("operation", [fleet_plan.pending_restart, fleet_plan.settings], ids=["site", "the first node"])
@pytest.mark.parametrize("node", ["a", "b"])
def test_a_primary_whose_archiver_hangs_is_not_restarted(operation: Any, node: str) -> None:
    """Its shutdown would wait for the archiver, and nobody could log in meanwhile."""
    waits = {"shared_buffers": {"setting": "4096", "wanted": "5120"}}
    hangs = {"waiting": 2, "oldest_waiting_seconds": 90.0, "failing": False, "last_archived_seconds": None}
    results = {
        name: {
            "status": {
                "reachable": True,
                "archiver": hangs,
                "settings": {"pending_values": waits if name == node else {}},
            }
        }
        for name in ("a", "b")
    }
    options = {"primary": "a", "running": ["a", "b"], "tried": {node: waits}}
    if node == "a":
        with pytest.raises(OperationRefused, match="The archiver of a hangs"):
            operation(results, options)
    else:
        operation(results, options)
