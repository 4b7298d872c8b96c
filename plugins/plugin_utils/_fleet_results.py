# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What every node of a fleet has answered, out of the variables of all hosts. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def status_results(names: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """The result of replication_status by node; {} where there is no server, None for a node that gave no answer."""
    answers: dict[str, Any] = {}
    for name in names:
        facts = hostvars[name]
        asked = "version" in (facts.get("pg_server_node") or {})
        status = facts.get("pg_server_status") or {}
        answers[name] = (status if "status" in status else {}) if asked else None
    return answers


def pending_restarts(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The settings of each node with a session that wait for a restart."""
    return {
        name: result["status"]["settings"]["pending_values"] or {}
        for name, result in results.items()
        if result and result["status"]["reachable"]
    }
