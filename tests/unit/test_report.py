"""The cluster as a document and as a table."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._report import cluster_document, cluster_table


def primary(standbys: tuple[str, ...] = ("b",), lost: tuple[str, ...] = (), **different: Any) -> dict[str, Any]:
    rows = [
        {"name": name, "state": "streaming", "slot": f"{name}_slot", "lag_bytes": 2048, "lag_seconds": 0.25}
        for name in standbys
    ]
    slots = [{"name": f"{name}_slot", "lost": name in lost} for name in (*standbys, *lost)]
    status = {
        "role": "primary", "running": True, "reachable": True, "system_identifier": "1", "timeline": 2,
        "standbys": rows, "slots": slots, "upstream": None, **different,
    }  # fmt: skip
    return {"status": status, "reasons": []}


def standby(**different: Any) -> dict[str, Any]:
    status = {
        "role": "standby", "running": True, "reachable": True, "system_identifier": "1", "timeline": 2,
        "standbys": [], "slots": [], "upstream": {"slot": "b_slot"}, **different,
    }  # fmt: skip
    return {"status": status, "reasons": []}


PAGILA = {"source": "generated", "scale": 1, "release": "v3.1.0"}
ROWS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "well": ({"a": primary(), "b": standby()}, "streaming", None),
    "not connected": ({"a": primary(standbys=()), "b": standby()}, "not streaming", "b is not streaming"),
    "stopped standby": ({"a": primary(standbys=()), "b": standby(running=False)}, "stopped", "b: stopped."),
    "absent": ({"a": primary(standbys=()), "b": {}}, "absent", "b: absent."),
    "silent": ({"a": primary(standbys=()), "b": None}, "no answer", "b: no answer."),
    "lost slot": ({"a": primary(standbys=(), lost=("b",)), "b": standby()}, "not streaming", "'b_slot' is lost"),
    "stopped primary": ({"a": primary(running=False), "b": standby()}, "not streaming", "a: stopped."),
    "split brain": ({"a": primary(), "b": primary(standbys=())}, "running", "2 nodes are primaries of one cluster"),
}


@pytest.mark.parametrize(("results", "state", "problem"), ROWS.values(), ids=ROWS.keys())
def test_document(results: dict[str, Any], state: str, problem: str | None) -> None:
    document = cluster_document(results, {"a": "192.0.2.1:5432", "b": "192.0.2.2:5432"}, ["a"], {})
    assert document["nodes"][1]["state"] == state
    assert bool(document["problems"]) == bool(problem)
    assert problem is None or any(problem in sentence for sentence in document["problems"])


def test_table() -> None:
    results = {"a": primary(), "b": standby()}
    document = cluster_document(results, {"a": "192.0.2.1:5432", "b": "192.0.2.2:5432"}, ["a"], PAGILA)
    assert cluster_table(document).splitlines() == [
        "node  role     address         state      slot    lag     lag time  timeline",
        "----  -------  --------------  ---------  ------  ------  --------  --------",
        "a     primary  192.0.2.1:5432  running    -       -       -         2",
        "b     standby  192.0.2.2:5432  streaming  b_slot  2.0 kB  0.250 s   2",
        "",
        "Pagila: generated rows (scale 1, release v3.1.0)",
        "",
        "All is well.",
    ]
