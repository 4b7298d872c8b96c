"""Which server restarts first."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._restart import restart_order


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
    "the wanted value is not known": ({"a": pending("max_connections", wanted=None)}, ["a"]),
}


@pytest.mark.parametrize(("waiting", "order"), ROWS.values(), ids=ROWS.keys())
def test_order(waiting: dict[str, Any], order: list[str]) -> None:
    assert restart_order(waiting, "a") == order
