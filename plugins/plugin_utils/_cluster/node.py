# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether one node that does not lead may be brought back, rebuilt or removed, and with which steps. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.checks import (
    OperationRefused,
    refuse_held_back,
    refuse_stuck_archiver,
    refuse_unfit,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.answer import TOO_MANY
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import ARCHIVE, STREAMING

from .change import DONE, WHOLE, Change, Results, reads_archive, refuse_unknown, status_of
from .failover import Candidate, rank
from .restart import limits_of, primary_first, refuse_below_primary
from .topology import PRIMARY, STANDBY, Node, Topology, derive_topology, refuse_refusals

REJOIN, REBUILD, REMOVE = "rejoin", "rebuild", "remove"
_PURPOSES = {
    REJOIN: "that comes back, for example -e node=primary",
    REBUILD: "that is to be cloned again, for example -e node=node1",
    REMOVE: "that is to go, for example -e node=node3",
}


def plan_node(results: Results, name: str, operation: str) -> Change:
    """An operation on one node; raises OperationRefused or TopologyConflict."""
    refuse_unknown(results, name, _PURPOSES[operation])
    nodes = [Node.from_status(node, result) for node, result in results.items()]
    named = [node for node in nodes if node.name == name and operation != REMOVE]
    topology = derive_topology([_giving_in(node, nodes) if node in named else node for node in nodes], ())
    _refuse_primary(topology, name)
    refuse_refusals([node for node in nodes if node.name == topology.primary])
    _refuse_silent(results, name, operation)
    if operation == REMOVE:
        return _removal(topology, name)
    streams = _streams(results, topology, name)
    if operation == REJOIN and streams:
        how = "reads the archive" if reads_archive(results, name) else f"streams from {topology.primary}"
        steps = (f"{name} {how} already.",)
        return Change(name, topology.primary, DONE, topology, (), (), steps)
    return _return(results, topology, name, operation)


def _giving_in(node: Node, nodes: Sequence[Node]) -> Node:
    """Of two primaries, the stopped one that is to be brought back gives in to the one that runs, whatever its timeline."""
    rivals = [other for other in nodes if other is not node and other.role == PRIMARY and other.running]
    return replace(node, timeline=0) if node.role == PRIMARY and not node.running and rivals else node


def _refuse_primary(topology: Topology, name: str) -> None:
    if name == topology.primary:
        raise OperationRefused(
            f"{name} is the primary.",
            "Let another node lead first: switchover.yml -e to=.... Nothing was changed.",
            "node_is_primary",
        )
    if topology.primary not in topology.running:
        raise _not_running(topology.primary)


def _not_running(primary: str) -> OperationRefused:
    return OperationRefused(
        f"The primary {primary} does not run.",
        "Start it (site.yml), or let a standby lead (failover.yml). Nothing was changed.",
        "primary_not_running",
    )


def _refuse_silent(results: Results, name: str, operation: str) -> None:
    """Only a removal does without the node itself."""
    if results[name] is None and operation != REMOVE:
        raise OperationRefused(
            f"No answer from {name}.", "Make the machine reachable. Nothing was changed.", "no_answer"
        )


def _streams(results: Results, topology: Topology, name: str) -> bool:
    """Whether it does its part as a standby already."""
    leader, own = (results[topology.primary] or {})["status"], status_of(results, name)
    if reads_archive(results, name):
        same = own.get("timeline") == leader["timeline"]
        return bool(same and own.get("reachable") and own.get("wal_source") == ARCHIVE)
    standbys = leader["standbys"]
    return any(standby["name"] == name and standby["state"] == STREAMING for standby in standbys)


def _return(results: Results, topology: Topology, name: str, operation: str) -> Change:
    archived = reads_archive(results, name)
    after = replace(
        topology,
        roles={**topology.roles, name: STANDBY},
        running=tuple(node for node in topology.running if node != name),
    )
    way = {
        REJOIN: "Rewind it where that is needed and possible; otherwise set its directory aside and clone it.",
        REBUILD: "Set its directory aside and clone it.",
    }[operation]
    steps = [
        *([f"Stop the server of {name}."] if name in topology.running else []),
        *(["List the transactions that only it has."] if operation == REJOIN else []),
        *([] if archived else [f"Make sure of its slot on {topology.primary}."]),
        way,
        f"Start it as a standby {'that reads the archive' if archived else f'of {topology.primary}'}.",
    ]
    return Change(name, topology.primary, WHOLE, after, (name,), () if archived else (name,), tuple(steps))


@dataclass(frozen=True)
class Rolling:
    """Servers to restart, first to last; ``target`` is to lead where the primary restarts by a switchover."""

    order: tuple[str, ...]
    target: str
    steps: tuple[str, ...]

    def as_result(self) -> dict[str, Any]:
        return {"order": list(self.order), "target": self.target, "steps": list(self.steps)}


def plan_rolling(results: Results, switchover: bool, to: str) -> Rolling:
    """Every running server, standbys first; raises OperationRefused or TopologyConflict."""
    nodes = [Node.from_status(name, result) for name, result in results.items()]
    topology = derive_topology(nodes, ())
    primary = topology.primary
    if primary not in topology.running:
        raise _not_running(primary)
    refuse_refusals([node for node in nodes if node.answer != TOO_MANY])  # a restart ends every connection
    standbys = [name for name in topology.running if topology.roles[name] == STANDBY]
    refuse_stuck_archiver(primary, status_of(results, primary))
    for name in topology.running:
        refuse_unfit(name, results[name])
    _refuse_barred(primary, status_of(results, primary).get("barred_roles") or {})
    waiting = {name: status_of(results, name)["settings"]["pending_values"] or {} for name in topology.running}
    pending = waiting[primary]
    refuse_below_primary(limits_of(results), waiting, primary)
    if not switchover:
        order = [primary, *standbys] if primary_first(pending) else [*standbys, primary]
        return Rolling(tuple(order), "", tuple(f"Restart {name}." for name in order))
    if primary_first(pending):
        raise OperationRefused(
            f"A setting of {primary} is lowered that standbys must match or exceed, so {primary} must restart before them.",
            "Run site.yml, or this playbook without a switchover. Nothing was changed.",
            "primary_first",
        )
    best = [
        each.name for each in rank(results, [node for node in nodes if node.name in standbys]) if _can_take_over(each)
    ]
    if not to and not best:
        raise OperationRefused(
            "No standby runs that could lead without a delay.",
            "Start one (site.yml). Nothing was changed.",
            "no_candidate",
        )
    refuse_held_back(to, status_of(results, to))
    target = to or best[0]
    steps = [*(f"Restart {name}." for name in standbys), f"Let {target} lead; {primary} restarts as its standby."]
    return Rolling(tuple(standbys), target, tuple(steps))


def _can_take_over(each: Candidate) -> bool:
    """Without a loss and at once: the last WAL of a primary that stops is in no archive."""
    return not each.delay_ms and not each.archive_only


def _refuse_barred(primary: str, barred: Mapping[str, str]) -> None:
    """A standby that restarts has to log in again."""
    for role, why in barred.items():
        raise OperationRefused(
            f"Standbys of {primary} stream as the role '{role}', which may not log in again ({why}): a standby that restarts would not"
            " come back.",
            "Run site.yml, which makes the role what it must be, or ALTER ROLE. Nothing was changed.",
            "role_barred",
        )


def _removal(topology: Topology, name: str) -> Change:
    roles = {node: role for node, role in topology.roles.items() if node != name}
    after = replace(
        topology,
        roles=roles,
        existing=tuple(node for node in topology.existing if node != name),
        running=tuple(node for node in topology.running if node != name),
    )
    stop = f"Stop the server of {name} and keep it from being started; its data stays."
    steps = [
        *([stop] if name in topology.existing else []),
        f"Drop its slot on {topology.primary}.",
        "Take it out of pg_hba.conf, the password files and the settings of the others.",
        f"Then take {name} out of the inventory, or the next run of site.yml brings it back.",
    ]
    return Change(name, topology.primary, WHOLE, after, (), (name,), tuple(steps))
