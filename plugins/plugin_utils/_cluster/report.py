# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The state of a whole cluster: one document for programs, one table for people. No I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.answer import ACCEPTS, SAID
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import ARCHIVE

from .archived import lag_of, lagging
from .findings import Finding, each_once, of_node, summary
from .restart import limits_below, limits_of
from .results import current_results
from .topology import FORMER, PRIMARY, STANDBY, Node, derive_topology

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
_WIDTH = 98
NOT_ASKED, UNREACHABLE, ABSENT = "not asked", "unreachable", "absent"
STREAMING, NOT_STREAMING = "streaming", "not streaming"


@dataclass(frozen=True)
class View:
    """What the primaries see: whether there is one that can be asked, its standbys by name, its lost slots; ``leader`` is its status."""

    known: bool
    standbys: Mapping[str, Mapping[str, Any]]
    lost_slots: Container[str]
    leader: Mapping[str, Any]


def fleet_document(
    fleet: str,
    names: Sequence[str],
    hostvars: Mapping[str, Any],
    first_primaries: Iterable[str],
    active: Container[str],
    again: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The document of one fleet, out of the variables of all hosts; ``active`` and ``again`` as for current_results."""
    results = current_results(names, hostvars, [name for name in names if name in active], again)
    facts = {name: hostvars[name].get("pg_server_facts") or {} for name in names}
    addresses = {name: "{address}:{port}".format(**each) for name, each in facts.items() if "address" in each}
    slots = {name: each["slot"] for name, each in facts.items() if "slot" in each}
    rows = [found for name in names if (found := hostvars[name].get("pagila_load_result"))]
    primaries = [name for name in first_primaries if name in names]
    lost = not any(name in active for name in names) and any(hostvars[name].get("pg_server_node") for name in names)
    return cluster_document(
        results, addresses, primaries, (rows or [{}])[0], slots, fleet, [_RUN_FAILED] if lost else ()
    )


def cluster_document(
    results: Results,
    addresses: Mapping[str, str],
    first_primaries: Sequence[str],
    pagila: Mapping[str, Any],
    slots: Mapping[str, str] | None = None,
    fleet: str = "",
    more: Sequence[Finding] = (),
) -> dict[str, Any]:
    """The nodes in the order given, and every finding of every node and of the fleet.

    ``results`` are those of replication_status by node; None for a node that gave no answer, ``not_asked`` for one that
    the run leaves out. ``addresses`` are those by which the nodes reach each other, ``slots`` their slots on a primary,
    ``pagila`` has ``source``, ``scale`` and ``release`` of the sample rows where they are loaded. Never raises for a
    broken cluster: saying so is the point. ``problems`` are the findings as sentences; ``more`` come first.
    """
    primary, former, conflicts = _topology(results, first_primaries)
    view = _view(results)
    nodes, found = [], [*more, *conflicts]
    for name, result in results.items():
        node = {
            **_node(name, result, view),
            "address": addresses.get(name),
            **({"role": FORMER} if name in former else {}),
        }
        own = _own_findings(node, result, view, slots or {})
        own = _below_primary(node, own, limits_below(limits_of(results), name, primary or ""), primary)
        found += own
        nodes.append({**node, "findings": [each.as_result() for each in own]})
    shown = each_once(found, primary)
    return {
        "fleet": fleet,
        "nodes": nodes,
        "findings": [each.as_result() for each in shown],
        "problems": [str(each) for each in shown],
        "summary": summary(shown),
        "pagila": dict(pagila) or None,
    }


def _topology(results: Results, first_primaries: Sequence[str]) -> tuple[str | None, list[str], list[Finding]]:
    """The primary, former primaries, and why nobody could go on with this cluster."""
    try:
        found = derive_topology([Node.from_status(name, result) for name, result in results.items()], first_primaries)
    except PgFleetError as error:
        return None, [], [Finding(None, error.code, error.message, error.remedy)]
    return found.primary, [name for name, role in found.roles.items() if role == FORMER], []


def _view(results: Results) -> View:
    statuses = [(result or {}).get("status") for result in results.values()]
    leaders = [status for status in statuses if status and status["role"] == PRIMARY and _is_known(status)]
    return View(
        bool(leaders),
        {standby["name"]: standby for leader in leaders for standby in leader["standbys"]},
        {slot["name"] for leader in leaders for slot in leader["slots"] if slot["lost"]},
        leaders[0] if leaders else {},
    )


def _is_known(status: Mapping[str, Any]) -> bool:
    return bool(status["running"] and (status.get("known") or status.get("reachable")))


def _node(name: str, result: Mapping[str, Any] | None, view: View) -> dict[str, Any]:
    status: Mapping[str, Any] = (result or {}).get("status") or {}
    unknown = result is None or bool(result.get("not_asked"))
    seen = view.standbys.get(name) if status.get("role") == STANDBY else None
    slot = (seen or {}).get("slot") or (status.get("upstream") or {}).get("slot")
    state = _state(result, status, seen, view)
    behind, seconds = (seen["lag_bytes"], seen["lag_seconds"]) if seen else (None, None)
    if state == ARCHIVE:
        behind, seconds = lag_of(status, view.leader)
    return {
        "name": name,
        "role": "unknown" if unknown else status.get("role", ABSENT),
        "answer": status.get("answer"),
        "server_words": status.get("server_words"),
        "state": state,
        "slot": slot,
        "slot_lost": slot in view.lost_slots,
        "lag_bytes": behind,
        "lag_seconds": seconds,
        "timeline": status.get("timeline"),
    }


def _state(
    result: Mapping[str, Any] | None, status: Mapping[str, Any], seen: Mapping[str, Any] | None, view: View
) -> str:
    if result is None:
        return UNREACHABLE
    if result.get("not_asked"):
        return NOT_ASKED
    if not status or status["role"] == ABSENT:
        return ABSENT
    if not status["running"]:
        return "stopped"
    answer = status.get("answer") or ACCEPTS
    if answer != ACCEPTS:
        return SAID.get(answer, str(answer))
    if status["role"] == PRIMARY:
        return "running"
    if seen:
        return str(seen["state"])
    if status.get("wal_source") == ARCHIVE:
        return ARCHIVE
    receives = (status.get("wal_receiver") or {}).get("status") == STREAMING
    return STREAMING if receives and not view.known else NOT_STREAMING


def _own_findings(
    node: Mapping[str, Any], result: Mapping[str, Any] | None, view: View, slots: Mapping[str, str]
) -> list[Finding]:
    """What is not well with a node, by what it says and what the primary sees."""
    name, state = node["name"], node["state"]
    if node["role"] == FORMER:
        rejoin = f"rejoin.yml -e node={name} brings it back."
        return [Finding(name, "former_primary", f"{name} is a former primary, {state}.", rejoin)]
    if state == UNREACHABLE:
        return [Finding(name, "unreachable", f"{name}: unreachable.", "Check its machine and the network to it.")]
    if state == NOT_ASKED:
        return [Finding(name, "not_asked", f"{name} was not asked.", "Run it again without --limit.")]
    if state == ABSENT:
        return [Finding(name, "absent", f"{name}: absent.", "site.yml makes it.")]
    status = (result or {})["status"]
    told = (result or {}).get("findings") or []
    found = of_node(name, status.get("address"), told, slots)
    if state == "stopped" and not found:
        found = [Finding(name, "not_running", f"{name}: stopped.", "site.yml starts it.")]
    misses = node["role"] == STANDBY and state == NOT_STREAMING and not found
    if misses or (node["role"] == STANDBY and state not in (STREAMING, NOT_STREAMING, ARCHIVE) and not found):
        words = f"{name} is not streaming from the primary (state: {state})."
        found.append(Finding(name, "standby_missing" if misses else "not_streaming", words, _LOOK))
    late = lagging(name, status, view.leader)
    found += [late] if late else []
    reads = any(each.code == "catching_up_from_archive" for each in found)
    if node["slot_lost"] and not view.standbys.get(name) and not reads:
        words = f"{name}: its slot '{node['slot']}' is lost: the WAL that it needs is gone."
        found.append(Finding(name, "slot_lost", words, f"rebuild_standby.yml -e node={name} clones it again.", name))
    return found


def _below_primary(
    node: Mapping[str, Any], own: list[Finding], below: Mapping[str, tuple[int, int]], primary: str | None
) -> list[Finding]:
    """A standby with less than its primary does not replay, whether it says so or not."""
    if node["role"] != STANDBY or not below:
        return own
    name = node["name"]
    has = ", ".join(f"{setting} = {mine} (there {theirs})" for setting, (mine, theirs) in below.items())
    give = ", ".join(f"{setting}: {theirs}" for setting, (_mine, theirs) in below.items())
    words = f"{name} has less than its primary {primary}, and its replay stops: {has}."
    remedy = f"Give all nodes {give} in pg_server_settings, then run site.yml."
    return [
        Finding(name, "standby_below_primary", words, remedy),
        *(each for each in own if each.code != "replay_paused"),
    ]


_RUN_FAILED = Finding(
    None, "node_failed", "This run ended for the fleet with a failure, see above.", "Correct that and run again."
)
_LOOK = "Its log says why; site.yml lets it follow the primary."


def fleet_tables(documents: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """One document as its table, several as one table a fleet, each below its name."""
    if isinstance(documents, Mapping):
        return cluster_table(documents)
    return "\n\n".join(f"Fleet {each['fleet']}\n\n{cluster_table(each)}" for each in documents)


def cluster_table(document: Mapping[str, Any]) -> str:
    """The document as people read it: long reasons below the table."""
    rows = [[title for title, _key in _COLUMNS]]
    rows += [[_cell(key, node[key]) for _title, key in _COLUMNS] for node in document["nodes"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if document["pagila"]:
        lines += ["", "Pagila: {source} rows (scale {scale}, release {release})".format(**document["pagila"])]
    problems = [line for problem in document["problems"] for line in _wrapped(problem)]
    return "\n".join([*lines, "", *([*problems, ""] if problems else []), document["summary"]])


def _wrapped(problem: str) -> list[str]:
    return textwrap.wrap(f"! {problem}", _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


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
