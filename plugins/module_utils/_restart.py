# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""In which order servers restart for changed settings. No I/O."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from ._settings import as_integer

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


def first_change(
    changing: Container[str], pending: Mapping[str, Mapping[str, Any]], running: Sequence[str], primary: str
) -> str:
    """The node that gets its new settings, and the restart that they need, before all others; empty when nobody runs.

    A standby, so that what stops it stops nobody who writes. The primary where there is none, and where a value sinks that
    no standby may be below: it must restart before them.
    """
    nodes = [name for name in running if name in changing]
    standbys = [name for name in nodes if name != primary]
    if primary in nodes and primary_first(pending.get(primary) or {}):
        return primary
    return (standbys or nodes or [""])[0]


def _sinks(name: str, value: Mapping[str, Any]) -> bool:
    if name not in PRIMARY_BOUND:
        return False
    wanted, setting = as_integer(str(value["wanted"])), as_integer(str(value["setting"]))
    return wanted is not None and setting is not None and wanted < setting
