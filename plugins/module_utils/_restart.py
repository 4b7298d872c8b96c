# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""In which order servers restart for changed settings. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: A standby must allow at least as much of these as its primary (manual: Hot Standby, Administrator's Overview).
PRIMARY_BOUND = frozenset(
    (
        "max_connections",
        "max_locks_per_transaction",
        "max_prepared_transactions",
        "max_wal_senders",
        "max_worker_processes",
    )
)


def restart_order(pending: Mapping[str, Mapping[str, Mapping[str, Any]]], primary: str) -> list[str]:
    """Nodes that must restart, first to last.

    ``pending`` has each node's settings that wait for a restart by name, as replication_status gives them:
    ``setting`` (in force) and ``wanted``. Standbys come first, so that they allow more before the primary does; the
    primary comes first when one of its values sinks, so that no standby ever allows less than the primary.
    """
    waiting = [name for name, settings in pending.items() if settings]
    standbys = [name for name in waiting if name != primary]
    if primary not in waiting:
        return standbys
    return [primary, *standbys] if primary_first(pending[primary]) else [*standbys, primary]


def primary_first(pending: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a value of the primary sinks that no standby may be below."""
    return any(_sinks(name, value) for name, value in pending.items())


def _sinks(name: str, value: Mapping[str, Any]) -> bool:
    if name not in PRIMARY_BOUND or value["wanted"] is None:
        return False
    return int(value["wanted"]) < int(value["setting"])
