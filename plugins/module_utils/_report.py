# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The state of a whole cluster: one document for programs, one table for people. No I/O."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from ._errors import PgFleetError
from ._topology import FORMER, PRIMARY, STANDBY, Node, derive_topology

Results = Mapping[str, "Mapping[str, Any] | None"]

_COLUMNS = (
    ("node", "name"),
    ("role", "role"),
    ("address", "address"),
    ("state", "state"),
    ("slot", "slot"),
    ("lag", "lag_bytes"),
    ("lag time", "lag_seconds"),
    ("timeline", "timeline"),
)


def cluster_document(
    results: Results, addresses: Mapping[str, str], first_primaries: Sequence[str], pagila: Mapping[str, Any]
) -> dict[str, Any]:
    """The nodes in the order given, and every problem in a plain sentence.

    ``results`` are those of replication_status by node; None for a node that gave no answer. ``addresses`` are those
    by which the nodes reach each other, ``pagila`` has ``source``, ``scale`` and ``release`` of the sample rows where
    they are loaded. Never raises for a broken cluster: saying so is the point.
    """
    statuses = {name: (result or {}).get("status") for name, result in results.items()}
    leaders = [status for status in statuses.values() if status and status["role"] == PRIMARY and status["running"]]
    seen = {standby["name"]: standby for leader in leaders for standby in leader["standbys"]}
    lost = {slot["name"] for leader in leaders for slot in leader["slots"] if slot["lost"]}
    former, conflicts = _topology(results, first_primaries)
    nodes = [
        {
            **_node(name, result, statuses[name], seen.get(name), lost),
            "address": addresses.get(name),
            **({"role": FORMER} if name in former else {}),
        }
        for name, result in results.items()
    ]
    return {"nodes": nodes, "problems": [*conflicts, *_problems(nodes)], "pagila": dict(pagila) or None}


def _topology(results: Results, first_primaries: Sequence[str]) -> tuple[list[str], list[str]]:
    """Former primaries, and in a sentence why nobody could go on with this cluster."""
    try:
        found = derive_topology([Node.from_status(name, result) for name, result in results.items()], first_primaries)
    except PgFleetError as error:
        return [], [str(error)]
    return [name for name, role in found.roles.items() if role == FORMER], []


def _node(
    name: str,
    result: Mapping[str, Any] | None,
    status: Mapping[str, Any] | None,
    seen: Mapping[str, Any] | None,
    lost_slots: Container[str],
) -> dict[str, Any]:
    upstream = (status or {}).get("upstream") or {}
    slot = (seen or {}).get("slot") or upstream.get("slot")
    return {
        "name": name,
        "role": "unknown" if result is None else (status or {"role": "absent"})["role"],
        "state": _state(result, status, seen),
        "slot": slot,
        "slot_lost": slot in lost_slots,
        "lag_bytes": seen["lag_bytes"] if seen else None,
        "lag_seconds": seen["lag_seconds"] if seen else None,
        "timeline": (status or {}).get("timeline"),
    }


def _state(result: Mapping[str, Any] | None, status: Mapping[str, Any] | None, seen: Mapping[str, Any] | None) -> str:
    if result is None:
        return "no answer"
    if status is None or status["role"] == "absent":
        return "absent"
    if not status["running"]:
        return "stopped"
    if status["role"] == PRIMARY:
        return "running"
    return str(seen["state"]) if seen else "not streaming"


def _problems(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    problems = []
    for node in nodes:
        if node["role"] == FORMER:
            problems.append(
                f"{node['name']} is a former primary, {node['state']}: rejoin.yml -e node={node['name']} brings it back."
            )
        elif node["state"] in ("no answer", "absent", "stopped"):
            problems.append(f"{node['name']}: {node['state']}.")
        elif node["role"] == STANDBY and node["state"] != "streaming":
            problems.append(f"{node['name']} is not streaming from the primary (state: {node['state']}).")
        if node["slot_lost"]:
            problems.append(f"{node['name']}: its slot '{node['slot']}' is lost; it must be built anew.")
    return problems


def cluster_table(document: Mapping[str, Any]) -> str:
    """The document as people read it."""
    rows = [[title for title, _key in _COLUMNS]]
    rows += [[_cell(key, node[key]) for _title, key in _COLUMNS] for node in document["nodes"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if document["pagila"]:
        lines += ["", "Pagila: {source} rows (scale {scale}, release {release})".format(**document["pagila"])]
    problems = [f"! {problem}" for problem in document["problems"]]
    return "\n".join([*lines, "", *(problems or ["All is well."])])


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "lag_bytes":
        return _bytes(int(value))
    if key == "lag_seconds":
        return f"{float(value):.3f} s"
    return str(value)


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
