# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which nodes of an inventory are one fleet, and which fleet a run is for. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError

#: The default of pg_server_fleet, for hosts of whom nothing else is said.
DEFAULT = "pgfleet"
#: How many fleets a playbook works on: all of them or the named one; one; a named one, or all where that was said.
ANY, ONE, NAMED = "any", "one", "named"
ALL = "all"
Fleets = Mapping[str, Sequence[str]]


class FleetUnclear(PgFleetError):
    """What was asked for is not a fleet of this inventory, or not a whole one."""

    code = "fleet_unknown"


def fleet_of(facts: Mapping[str, Any]) -> str:
    """The fleet of a host by its variables: as the node has said in this run, else as the inventory says."""
    return str(_said(facts, "fleet") or facts.get("pg_server_fleet") or DEFAULT)


def _said(facts: Mapping[str, Any], name: str) -> Any:
    return (facts.get("pg_server_facts") or {}).get(name)


def fleets_of(nodes: Sequence[str], hostvars: Mapping[str, Any]) -> dict[str, list[str]]:
    """The nodes of each fleet, fleets and nodes in the inventory's order. A node that gave no answer is known to its fellows."""
    known = {fellow: fleet_of(hostvars[node]) for node in nodes for fellow in _said(hostvars[node], "members") or ()}
    found: dict[str, list[str]] = {}
    for node in nodes:
        found.setdefault(known.get(node) or fleet_of(hostvars[node]), []).append(node)
    return found


def members_of(nodes: Sequence[str], hostvars: Mapping[str, Any], host: str, fleet: str) -> list[str]:
    """The nodes of the fleet that ``host`` is in, which a role knows as ``fleet``.

    Variables of a play are not among ``hostvars``: there all hosts of which the inventory says nothing are in that one.
    """
    name = str(fleet)
    if fleet_of(hostvars[host]) == name:
        return fleets_of(nodes, hostvars)[name]
    return [node for node in nodes if not hostvars[node].get("pg_server_fleet") or fleet_of(hostvars[node]) == name]


def chosen_nodes(fleets: Fleets, fleet: str, node: str, scope: str = ANY) -> list[str]:
    """The nodes that a run is for: those of ``fleet``, or of the fleet of ``node``, else all.

    Raises FleetUnclear where the two contradict each other or are not there, and where a run whose ``scope`` is ONE, or NAMED,
    does not say on which of several fleets it works.
    """
    everybody = [each for nodes in fleets.values() for each in nodes]
    if fleet == ALL and ALL not in fleets and scope != ONE:
        return everybody
    if fleet:
        return _named(fleets, fleet, node)
    if len(fleets) < 2 or scope == ANY:
        return everybody
    for nodes in fleets.values():
        if node in nodes:
            return list(nodes)
    held = ", ".join(f"{name} ({', '.join(nodes)})" for name, nodes in fleets.items())
    if node:
        raise FleetUnclear(
            f"There is no node '{node}' in this inventory. Its fleets: {held}.", "Name one of these.", "node_unknown"
        )
    limit = "this is done to one at a time" if scope == ONE else "this needs the name of one"
    raise FleetUnclear(
        f"This inventory holds {len(fleets)} fleets, and {limit}: {held}.",
        f"Say which one: -e fleet={next(iter(fleets))}{'' if scope == ONE else f', or -e fleet={ALL}'}.",
        "fleet_not_named",
    )


def _named(fleets: Fleets, fleet: str, node: str) -> list[str]:
    if fleet not in fleets:
        raise FleetUnclear(
            f"There is no fleet '{fleet}' in this inventory. There {'is' if len(fleets) == 1 else 'are'} {', '.join(fleets)}.",
            "Give one of these (pg_server_fleet) as -e fleet=….",
        )
    for name, nodes in fleets.items():
        if node in nodes and name != fleet:
            raise FleetUnclear(
                f"'{node}' is a node of the fleet {name}, not of {fleet}.",
                f"Give -e fleet={name} or another node ({', '.join(fleets[fleet])}).",
                "fleet_contradicted",
            )
    return list(fleets[fleet])


def refuse_broken(nodes: Sequence[str], took_part: Sequence[str], left: Sequence[str]) -> None:
    """Raise where a node of the fleet has failed in this run or gave no answer: nothing more is done to the others.

    ``took_part`` are the hosts that the play began with, ``left`` those that it still has.
    """
    failed = [node for node in nodes if node in took_part and node not in left]
    if failed:
        raise FleetUnclear(
            f"{', '.join(failed)} failed before, see above.",
            "Correct that and run again: the others are as they were.",
            "node_failed",
        )
