# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a standby may take over from a primary that is well, and with which steps. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.checks import (
    OperationRefused,
    archive_steps,
    logical_steps,
    refuse_held_back,
    refuse_stuck_archiver,
    refuse_unfit,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._lsn import lsn_distance
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.answer import SAID
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.controldata import CLEAN
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import ARCHIVE, STREAMING

from .change import (
    DONE,
    PROMOTE,
    WHOLE,
    Change,
    Results,
    reads_archive,
    refuse_unknown,
    status_of,
    turned,
    turning_steps,
)
from .restart import limits_of, refuse_below_primary
from .topology import FORMER, STANDBY, Node, Topology, derive_topology, refuse_unasked_primary


def plan_switchover(results: Results, target: str, max_lag_bytes: int) -> Change:
    """The way to a cluster that ``target`` leads; raises OperationRefused or TopologyConflict.

    ``results`` are those of replication_status by node, as for the live topology.
    """
    nodes = [Node.from_status(name, result) for name, result in results.items()]
    refuse_unknown(results, target, "that is to lead, for example -e to=node2")
    topology = derive_topology(nodes, (), interrupted=True)
    if topology.interrupted:
        _refuse_silence(nodes, topology)
    if target == topology.primary:
        return _nothing(results, topology, target)
    _refuse_target(results, topology, target)
    refuse_unasked_primary(nodes, topology.primary)
    if topology.primary in topology.running:
        _refuse_slow(results, topology, target, max_lag_bytes)
        refuse_stuck_archiver(topology.primary, status_of(results, topology.primary))
        refuse_unfit(topology.primary, results[topology.primary])
        old = status_of(results, topology.primary)["settings"]["pending_values"] or {}
        refuse_below_primary(limits_of(results), {topology.primary: old}, target)
        return _change(results, topology, target, WHOLE)
    _refuse_behind(results, topology, target, max_lag_bytes)
    return _change(results, topology, target, PROMOTE if topology.interrupted else WHOLE)


def _refuse_silence(nodes: Sequence[Node], topology: Topology) -> None:
    """While nobody leads, a node that cannot be asked may have been promoted by the run that was interrupted."""
    unreachable = [node.name for node in nodes if not node.answered]
    if unreachable:
        raise OperationRefused(
            f"A switchover from {topology.primary} was interrupted, and {', '.join(unreachable)} gives no answer:"
            " it may have been promoted.",
            "Make every node reachable, then run again. Nothing was changed.",
            "no_answer",
        )


def _refuse_target(results: Results, topology: Topology, target: str) -> None:
    status = (results[target] or {}).get("status") or {}
    role = topology.roles[target]
    if role == FORMER:
        raise OperationRefused(
            f"{target} is a former primary on timeline {status['timeline']} and follows nobody.",
            f"Bring it back first: rejoin.yml -e node={target}. Nothing was changed.",
            "target_former",
        )
    if not status.get("reachable") or status["role"] != STANDBY:
        found = _found(Node.from_status(target, results[target]))
        raise OperationRefused(
            f"{target} {found}, so it cannot take over.",
            "Start it (site.yml), or name another node. Nothing was changed.",
            "target_not_running",
        )
    if status.get("wal_source") == ARCHIVE:
        raise OperationRefused(
            f"{target} gets its WAL from the archive only, and the last WAL of {topology.primary} is never archived before it has stopped.",
            f"Let it stream first: pg_standby_upstream: stream for {target}, and site.yml, which clones nothing. Nothing was changed.",
            "archive_only",
        )
    timeline = ((results[topology.primary] or {}).get("status") or {}).get("timeline")
    if status["timeline"] != timeline:
        raise OperationRefused(
            f"{target} is on timeline {status['timeline']}, but {topology.primary} on {timeline}.",
            "Its log says why it does not follow; rebuild_standby.yml clones it again. Nothing was changed.",
            "wrong_timeline",
        )
    if status["replay_paused"]:
        raise OperationRefused(
            f"Replay is paused on {target}.",
            "SELECT pg_wal_replay_resume() there, or name another node. Nothing was changed.",
            "replay_paused",
        )
    refuse_held_back(target, status)
    refuse_unfit(target, results[target])


def _found(node: Node) -> str:
    if not node.answered:
        return "gives no answer"
    refusal = f"accepts no session ({SAID.get(node.answer, node.answer)})"
    return refusal if node.running and not node.accepts else "is not a standby that runs"


def _refuse_slow(results: Results, topology: Topology, target: str, max_lag_bytes: int) -> None:
    """With a primary that runs: the target must stream from it and be nearly level."""
    primary = ((results[topology.primary] or {}).get("status")) or {}
    seen = {standby["name"]: standby for standby in primary.get("standbys", ())}
    standby = seen.get(target)
    if standby is None or standby["state"] != STREAMING:
        found = f"its state there is '{standby['state']}'" if standby else "it is not connected"
        raise OperationRefused(
            f"{target} does not stream from {topology.primary}: {found}.",
            "Wait until it does (status.yml shows it), or name another node. Nothing was changed.",
            "not_streaming",
        )
    _refuse_lag(target, standby["lag_bytes"], max_lag_bytes)


def _refuse_behind(results: Results, topology: Topology, target: str, max_lag_bytes: int) -> None:
    """With a stopped primary: it must have been shut down cleanly, or its last WAL may be nowhere else."""
    primary = (results[topology.primary] or {})["status"]
    if primary["cluster_state"] != CLEAN:
        raise OperationRefused(
            f"{topology.primary} does not run and was not shut down cleanly (its state is"
            f" '{primary['cluster_state']}').",
            "Start it (site.yml) and run again, or give it up with failover.yml. Nothing was changed.",
            "primary_crashed",
        )
    status = (results[target] or {})["status"]
    position = primary["lsn"]["flush"] or primary["lsn"]["replay"]
    _refuse_lag(target, lsn_distance(position, status["lsn"]["replay"]), max_lag_bytes)


def _refuse_lag(target: str, lag: int | None, max_lag_bytes: int) -> None:
    if lag is None or lag > max_lag_bytes:
        found = "is not known" if lag is None else f"is {lag} bytes, more than {max_lag_bytes}"
        raise OperationRefused(
            f"What {target} has yet to replay {found}: writes would wait for it.",
            "Wait until it has caught up, name another node, or allow more with -e max_lag_bytes=...."
            " Nothing was changed.",
            "lagging",
        )


def _nothing(results: Results, topology: Topology, target: str) -> Change:
    """The target leads already: what an interrupted run may have left is still looked after."""
    after = replace(topology, interrupted=False)
    steps = [f"Start {target} again as the primary that it was."] if topology.interrupted else []
    steps.append(f"{target} is the primary; make sure that every standby follows it.")
    slots = _slots(results, after, target)
    return Change(target, target, DONE, after, _others(after, target), slots, tuple(steps))


def _change(results: Results, topology: Topology, target: str, stage: str) -> Change:
    old, following = topology.primary, _others(topology, target)
    after = turned(topology, target)
    stop = f"Make a checkpoint on {old}, shut it down cleanly and make it a standby of {target}."
    said = status_of(results, old)
    slots = _slots(results, after, target, old)
    steps = [
        *logical_steps(old, said, target, status_of(results, target)),
        *(archive_steps(old, said) if stage == WHOLE else []),
        *([f"Create on {target} a slot for each of {', '.join(slots)}."] if slots else []),
        *([stop] if stage == WHOLE else []),
        f"Prove that {target} has replayed the last WAL of {old}, and promote {target}.",
        *turning_steps(results, following, target),
        f"Start {old} as a standby of {target} and drop its slots.",
    ]
    return Change(old, target, stage, after, following, slots, tuple(steps))


def _others(topology: Topology, target: str) -> tuple[str, ...]:
    excluded = (target, topology.primary)
    return tuple(name for name, role in topology.roles.items() if role == STANDBY and name not in excluded)


def _slots(results: Results, topology: Topology, target: str, old: str = "") -> tuple[str, ...]:
    """The old primary is handed over by a stream, and reads the archive only afterwards."""
    standbys = (name for name, role in topology.roles.items() if role == STANDBY and name != target)
    return tuple(name for name in standbys if name == old or not reads_archive(results, name))
