"""Which server restarts first."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._restart import first_change, restart_order


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
