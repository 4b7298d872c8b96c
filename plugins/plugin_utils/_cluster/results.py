# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What every node of a fleet has answered, out of the variables of all hosts. No I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

NOT_ASKED: dict[str, Any] = {"not_asked": True}


def status_results(names: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """The result of replication_status by node.

    {} where there is no server, None for a node that gave no answer, ``not_asked`` for one that the run leaves out. ``upstream``: from
    where the inventory says that the node gets its WAL while it is a standby.
    """
    listed = list(names)
    asked = _asked(listed, hostvars)
    answers: dict[str, Any] = {}
    for name in listed:
        facts = hostvars[name]
        if "version" not in (facts.get("pg_server_node") or {}):
            answers[name] = None if name in asked else NOT_ASKED
            continue
        status = facts.get("pg_server_status") or {}
        source = (facts.get("pg_server_facts") or {}).get("upstream")
        answers[name] = {**status, "upstream": source} if "status" in status else {}
    return answers


def _asked(names: Iterable[str], hostvars: Mapping[str, Any]) -> Container[str]:
    """The hosts of the run: each one that answered has noted them all."""
    noted = [(hostvars[name].get("pg_server_facts") or {}).get("asked") for name in names]
    told = [set(hosts) for hosts in noted if hosts]
    return set().union(*told) if told else set(names)


def current_results(
    names: Iterable[str], hostvars: Mapping[str, Any], active: Iterable[str], again: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """As status_results, but what a node that has left the run said before counts no more: only what it said ``again``.

    ``active`` are the hosts that the run still has.
    """
    results = status_results(names, hostvars)
    said = {each["item"]: each if "status" in each else None for each in again if "item" in each}
    left = [name for name, result in results.items() if result and name not in active and result is not NOT_ASKED]
    return {**results, **{name: said.get(name) for name in left}}


def pending_restarts(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The settings of each node with a session that wait for a restart."""
    return {
        name: result["status"]["settings"]["pending_values"] or {}
        for name, result in results.items()
        if result and result["status"]["reachable"]
    }


def tried_settings(names: Iterable[str], hostvars: Mapping[str, Any], register: str) -> dict[str, Mapping[str, Any]]:
    """The nodes whose settings were tried in this run, and which of those would wait for a restart."""
    found = {name: hostvars[name].get(register) or {} for name in names}
    return {name: tried["pending"] for name, tried in found.items() if "pending" in tried}


def wanted_settings(names: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """The settings of each node as they are settled in this run; adopted servers keep their own and are not among them."""
    found = {}
    for name in names:
        settled = hostvars[name].get("pg_server_wanted_settings") or {}
        if "settings" in settled and hostvars[name].get("pg_server_adoption") is None:
            found[name] = settled["settings"]
    return found
