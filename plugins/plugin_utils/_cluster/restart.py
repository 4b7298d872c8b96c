# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""In which order servers restart for changed settings. No I/O."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import PRIMARY_BOUND, as_integer

#: Of each node, what it has of the settings above.
Limits = Mapping[str, Mapping[str, Any]]
Pending = Mapping[str, Mapping[str, Mapping[str, Any]]]


class StandbyBelowPrimary(PgFleetError):
    """A standby has, or would get, less than its primary: its replay would stop, or it would not start."""

    code = "standby_below_primary"


def refuse_unequal(wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Raise where nodes are to differ in a setting that a standby may not have less of: any of them may lead."""
    for name, default in PRIMARY_BOUND.items():
        values = {node: as_integer(settings.get(name, str(default))) for node, settings in wanted.items()}
        if len({value for value in values.values() if value is not None}) > 1:
            listed = ", ".join(f"{value} on {node}" for node, value in values.items())
            raise StandbyBelowPrimary(
                f"{name} differs between the nodes: {listed}. A standby with less than its primary stops its replay, and any node may lead.",
                f"Give all nodes the same {name} in pg_server_settings. Nothing was changed.",
            )


def refuse_below_primary(limits: Limits, pending: Pending, primary: str) -> None:
    """Raise where restarts, or what is in force already, would leave a standby with less than its primary.

    ``limits`` are the values in force of the nodes that run, ``pending`` those that a restart would bring.
    """
    for name in PRIMARY_BOUND:
        now = _value(limits, primary, name)
        for node in limits:
            after = _next(limits, pending, node, name)
            if node == primary or now is None or after is None:
                continue
            needed = max(now if _below(limits, node, name, now) else 0, _next(limits, pending, primary, name) or 0)
            if after < needed:
                raise StandbyBelowPrimary(
                    f"{node} would have {name} = {after}, but its primary {primary} has or gets {needed}: with less, a standby"
                    " stops its replay or does not start.",
                    f"Give all nodes {name}: {needed} in pg_server_settings and run site.yml; or take back what gives {primary}"
                    " more (ALTER SYSTEM, another file).",
                )


def limits_of(results: Mapping[str, Any]) -> Limits:
    """Of each node with a session what it has of the settings above, by its replication_status."""
    known = {name: (result or {}).get("status") or {} for name, result in results.items()}
    return {name: status["standby_limits"] for name, status in known.items() if status.get("standby_limits")}


def limits_below(limits: Limits, node: str, primary: str) -> dict[str, tuple[int, int]]:
    """What a standby has less of than its primary: its own value and the primary's."""
    found = {name: (_value(limits, node, name), _value(limits, primary, name)) for name in PRIMARY_BOUND}
    return {
        name: (own, theirs)
        for name, (own, theirs) in found.items()
        if own is not None and theirs is not None and own < theirs
    }


def _value(limits: Limits, node: str, name: str) -> int | None:
    return as_integer(str((limits.get(node) or {}).get(name)))


def _below(limits: Limits, node: str, name: str, least: int) -> bool:
    own = _value(limits, node, name)
    return own is not None and own < least


def _next(limits: Limits, pending: Pending, node: str, name: str) -> int | None:
    waiting = (pending.get(node) or {}).get(name)
    wanted = as_integer(str(waiting["wanted"])) if waiting else None
    return _value(limits, node, name) if wanted is None else wanted


def highest_of_each(given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """One value for all nodes of every setting: the highest, so that no standby has less than its primary."""
    names = [name for settings in given for name in settings]
    return {
        name: max((str(each[name]) for each in given if name in each), key=lambda text: as_integer(text) or 0)
        for name in dict.fromkeys(names)
    }


def restart_order(pending: Mapping[str, Mapping[str, Mapping[str, Any]]], primary: str) -> list[str]:
    """Nodes that must restart, first to last.

    ``pending`` has each node's settings that wait for a restart by name, as replication_status gives them:
    ``setting`` (in force) and ``wanted``. Standbys come first, so that they allow more before the primary does; the
    primary comes first when one of its values is lowered, so that no standby ever allows less than the primary.
    """
    waiting = [name for name, settings in pending.items() if settings]
    standbys = [name for name in waiting if name != primary]
    if primary not in waiting:
        return standbys
    return [primary, *standbys] if primary_first(pending[primary]) else [*standbys, primary]


def primary_first(pending: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a value of the primary is lowered that standbys must match or exceed."""
    return any(_sinks(name, value) for name, value in pending.items())


def first_change(
    changing: Container[str], pending: Mapping[str, Mapping[str, Any]], running: Sequence[str], primary: str
) -> str:
    """The node that gets its new settings, and the restart that they need, before all others; empty when nobody runs.

    A standby, so that what stops it stops nobody who writes. The primary where there is none, and where a value is lowered that
    standbys must match or exceed: it must restart before them.
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
