# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which standby takes over from a primary that is gone, what may be lost, and what must be fenced first. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.checks import (
    OperationRefused,
    duration,
    logical_steps,
    unfit,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._lsn import format_lsn, parse_lsn
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.answer import SAID
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import ARCHIVE, STREAMING

from .change import DONE, WHOLE, Change, Results, reads_archive, turning_steps
from .topology import (
    FORMER,
    PRIMARY,
    STANDBY,
    Node,
    Topology,
    find_leader,
    refuse_conflicts,
    refuse_not_asked,
    refuse_unknown_primary,
)

#: Why a primary need not be feared: it is stopped here and now, it was given as fenced, or there is none.
STOP, STOPPED, GIVEN, NONE = "stop", "stopped", "given", "none"


@dataclass(frozen=True)
class Candidate:
    """A standby that could lead. ``lsn``: the end of all WAL that it has, some of which a delayed one has yet to replay.

    ``archive_only``: it may find more in the archive.
    """

    name: str
    timeline: int
    lsn: int
    delay_ms: int = 0
    archive_only: bool = False

    @property
    def progress(self) -> tuple[int, int]:
        """The newest timeline counts before the position."""
        return self.timeline, self.lsn


@dataclass(frozen=True)
class Failover:
    """The change of the primary, how the old one is kept from taking writes, and what each candidate has.

    ``unreachable`` are the nodes that gave no answer: each may be a primary, and is to be fenced first.
    """

    change: Change
    fence: str
    candidates: tuple[Candidate, ...]
    lost: str
    unreachable: tuple[str, ...] = ()

    def as_result(self) -> dict[str, Any]:
        best = self.candidates[0] if self.candidates else None
        return {
            **self.change.as_result(),
            "fence": self.fence,
            "lost": self.lost,
            "no_answer": list(self.unreachable),
            "candidates": [
                {
                    "name": each.name,
                    "timeline": each.timeline,
                    "lsn": format_lsn(each.lsn),
                    "behind_bytes": max(0, best.lsn - each.lsn) if best else 0,
                }
                for each in self.candidates
            ],
        }


def plan_failover(results: Results, fenced: bool, force: bool, synchronous: bool = False) -> Failover:
    """Who leads from now on; raises OperationRefused or TopologyConflict.

    ``fenced``: somebody vouches that nodes which give no answer take no writes. ``force``: a primary that is well is
    stopped, too, and a stopped standby that has more WAL is passed over. ``synchronous``: every commit waits for a standby.
    """
    nodes = [Node.from_status(name, result) for name, result in results.items()]
    existing = refuse_conflicts(nodes)
    leader = find_leader(existing)
    refuse_not_asked(nodes)
    unreachable = [node.name for node in nodes if not node.answered]
    done = _finished(results, nodes, leader, fenced)
    if done:
        _refuse_second(results, done.change, force)
        return done
    _refuse_healthy(leader, force)
    refuse_unknown_primary(nodes)
    fence = _fence(leader, unreachable, fenced)
    candidates = rank(results, existing)
    if not candidates:
        raise OperationRefused(
            "No standby runs that could lead.",
            "Start one (site.yml starts all that can be started). Nothing was changed.",
            "no_candidate",
        )
    stopped = _stopped_standbys(results, existing, candidates)
    _refuse_behind(candidates[0], stopped, existing, force)
    old = _old_name(leader, nodes, unreachable)
    lost = what_is_lost(results, old, candidates, [*unreachable, *(each.name for each in stopped)], synchronous)
    target = candidates[0].name
    said = [
        lost,
        *_delay_steps(candidates[0]),
        *(f"{target}: {found['message']} {found['remedy']}" for found in unfit(results[target])),
        *logical_steps(old, _status(results, old), target, _status(results, target)),
    ]
    return Failover(
        _change(results, nodes, existing, old, candidates, fence, said), fence, candidates, lost, tuple(unreachable)
    )


def _finished(results: Results, nodes: Sequence[Node], leader: Node | None, fenced: bool) -> Failover | None:
    """An earlier run has promoted somebody: a primary leads, and the one before is a stopped or a fenced one."""
    formers = [node for node in nodes if node is not leader and _is_former(node, fenced)]
    if leader is None or not formers or not _has_session(_status(results, leader.name)):
        return None
    topology = _topology(nodes, [node for node in nodes if node.exists], leader.name)
    names = _standbys(topology)
    slots = tuple(name for name in names if not reads_archive(results, name))
    steps = (f"{leader.name} is the primary; make sure that every standby follows it.",)
    change = Change(formers[0].name, leader.name, DONE, topology, names, (*slots, formers[0].name), steps)
    return Failover(change, NONE, (), "Nothing more than what an earlier run said.")


def _refuse_second(results: Results, done: Change, force: bool) -> None:
    """Force asks for another primary; that is refused, and not taken for the end of an earlier run, when that run is over."""
    following = {each["name"] for each in _status(results, done.target)["standbys"] if each["state"] == STREAMING}
    if force and {name for name in done.following if not reads_archive(results, name)} <= following:
        raise OperationRefused(
            f"{done.target} leads since an earlier failover, and {done.old} is a former primary.",
            f"Bring that back first: rejoin.yml -e node={done.old}. Or stop the server of {done.target} yourself, then"
            " run again. Nothing was changed.",
            "former_not_rejoined",
        )


def _stopped_standbys(
    results: Results, existing: Iterable[Node], candidates: Iterable[Candidate]
) -> tuple[Candidate, ...]:
    """Standbys that cannot be asked, as far as is known of them; what a switchover has stopped is the old primary."""
    asked = {each.name for each in candidates}
    return _ranked(
        results,
        (node for node in existing if node.role == STANDBY and node.name not in asked and not node.handed_over),
    )


def _refuse_behind(best: Candidate, stopped: Sequence[Candidate], existing: Iterable[Node], force: bool) -> None:
    """A standby that does not run, but has more WAL than the best of those that do, is worth a look first."""
    if stopped and not force and stopped[0].progress > best.progress:
        ahead = stopped[0]
        state = next((SAID.get(node.answer, node.answer) for node in existing if node.name == ahead.name), "")
        raise OperationRefused(
            f"{ahead.name} has WAL up to {format_lsn(ahead.lsn)} but cannot be asked ({state}); {best.name}, the best of the others,"
            f" only up to {format_lsn(best.lsn)}.",
            f"Start the server of {ahead.name}, or fix what keeps it from accepting connections, and run again; -e force=yes promotes"
            f" {best.name} all the same. Nothing was changed.",
            "standby_ahead",
        )


def _is_former(node: Node, fenced: bool) -> bool:
    return node.role == PRIMARY or (fenced and not node.answered)


def _refuse_healthy(leader: Node | None, force: bool) -> None:
    if leader and leader.refuses and not force:
        advice = "Wait, and run again" if leader.passing else "Remove what keeps it from accepting connections"
        raise OperationRefused(
            f"{leader.name} is a primary and alive: {leader.refusal or leader.why}",
            f"{advice}; a failover would lose what no standby has. If it must go all the same, -e force=yes stops it."
            " Nothing was changed.",
            "primary_alive",
            answer=leader.answer,
            server_words=leader.server_words,
        )
    if leader and leader.alive and not force:
        raise OperationRefused(
            f"{leader.name} is a primary and takes writes.",
            "switchover.yml changes the primary without any loss. If this one must go although it answers, -e force=yes"
            " stops it. Nothing was changed.",
            "primary_alive",
        )


def _fence(leader: Node | None, unreachable: Sequence[str], fenced: bool) -> str:
    """How the old primary is kept from taking writes. Any node that gives no answer may be a primary."""
    if unreachable and not fenced:
        raise OperationRefused(
            f"No answer from {', '.join(unreachable)}: it may still take writes, and two primaries would diverge.",
            "Power it off or cut it from the network, make sure that it stays so, then run again with -e fenced=yes."
            " Nothing was changed.",
            "not_fenced",
            nodes=list(unreachable),
        )
    if leader is None:
        return GIVEN if unreachable else NONE
    return STOP if leader.running else STOPPED


def rank(results: Results, existing: Iterable[Node]) -> tuple[Candidate, ...]:
    """The standbys that could lead, the one with the most WAL first."""
    return _ranked(
        results,
        (node for node in existing if node.role == STANDBY and _has_session(_status(results, node.name))),
    )


def _ranked(results: Results, nodes: Iterable[Node]) -> tuple[Candidate, ...]:
    """With equal WAL, one that replays without a delay comes first, then one that streams."""
    said = [(node, _status(results, node.name)) for node in nodes]
    found = [
        Candidate(
            node.name,
            node.timeline or 0,
            _end(status["lsn"]),
            status.get("apply_delay_ms") or 0,
            status.get("wal_source") == ARCHIVE,
        )
        for node, status in said
    ]
    return tuple(sorted(found, key=lambda each: (each.progress, -each.delay_ms, not each.archive_only), reverse=True))


def _end(lsn: Mapping[str, Any]) -> int:
    return max((parse_lsn(lsn[name]) for name in ("receive", "replay") if lsn.get(name)), default=0)


def what_is_lost(
    results: Results, old: str, candidates: Sequence[Candidate], unasked: Sequence[str], synchronous: bool
) -> str:
    """What is known, and what cannot be known, about writes that the new primary lacks. ``unasked`` may have more WAL."""
    best, writer = candidates[0], old or "the primary"
    known = [_status(results, old).get("lsn", {}).get(name) for name in ("flush", "replay")]
    known += [((_status(results, each.name)).get("wal_receiver") or {}).get("latest_end_lsn") for each in candidates]
    missing = max((parse_lsn(lsn) for lsn in known if lsn), default=0) - best.lsn
    words = f"{best.name} has all WAL up to {format_lsn(best.lsn)}"
    if missing > 0:
        return f"{words}; {missing} bytes more are known to have been written by {writer}, and are lost."
    if synchronous and not unasked:
        return f"{words}; commits waited for a standby, so none that was acknowledged is lost."
    if synchronous:
        return f"{words}; what {writer} acknowledged after that, because {' or '.join(unasked)} had it, is lost."
    return f"{words}; whatever {writer} acknowledged after that and had not sent yet is lost."


def _old_name(leader: Node | None, nodes: Sequence[Node], unreachable: Sequence[str]) -> str:
    """The stopped primary, else the unreachable node, else the one that an interrupted switchover has stopped."""
    handed = [node.name for node in nodes if node.handed_over]
    names = [leader.name] if leader else [*unreachable, *handed]
    return names[0] if names else ""


def _change(
    results: Results,
    nodes: Sequence[Node],
    existing: Sequence[Node],
    old: str,
    candidates: Sequence[Candidate],
    fence: str,
    said: Sequence[str],
) -> Change:
    target = candidates[0].name
    topology = _topology(nodes, existing, target)
    following = tuple(name for name in _standbys(topology) if name in {each.name for each in candidates})
    standbys = [name for name in _standbys(topology) if not reads_archive(results, name)]
    slots = tuple(dict.fromkeys(name for name in (*standbys, old) if name and name != target))
    steps = [
        *[f"{each.name} has WAL up to {format_lsn(each.lsn)}, {candidates[0].lsn - each.lsn} bytes behind." for each in candidates],
        *said,
        *_fencing_steps(old, fence),
        f"Create on {target} a slot for each of {', '.join(slots)}." if slots else f"{target} has nobody to follow it.",
        f"Promote {target}.",
        *turning_steps(results, following, target),
    ]  # fmt: skip
    return Change(old, target, WHOLE, topology, following, slots, tuple(steps))


def _delay_steps(best: Candidate) -> list[str]:
    """The promotion does not keep to the delay: it replays all that was received."""
    if not best.delay_ms:
        return []
    return [
        f"{best.name} replays with a delay of {duration(best.delay_ms)}, but has the most WAL: its promotion replays that at"
        " once, which may take a while, and what the delay was to protect from is in it."
    ]


def _fencing_steps(old: str, fence: str) -> list[str]:
    return {
        STOP: [f"Stop the server of {old}, by force if need be, and keep it from being started."],
        STOPPED: [f"Keep the stopped server of {old} from being started."],
        GIVEN: [f"{old} gives no answer; it was said to be fenced, or the tasks for that do it first."],
        NONE: [],
    }[fence]


def _topology(nodes: Sequence[Node], existing: Sequence[Node], target: str) -> Topology:
    """The cluster that ``target`` leads; the old primary is a former one until it is brought back."""
    return Topology(
        target,
        {node.name: _role(node, target) for node in nodes},
        tuple(node.name for node in existing),
        tuple(node.name for node in existing if node.running and (node.role != PRIMARY or node.name == target)),
        existing[0].system_identifier if existing else None,
    )


def _role(node: Node, target: str) -> str:
    if node.name == target:
        return PRIMARY
    return FORMER if node.role == PRIMARY or not node.answered else STANDBY


def _standbys(topology: Topology) -> tuple[str, ...]:
    return tuple(name for name, role in topology.roles.items() if role == STANDBY)


def _has_session(status: Mapping[str, Any]) -> bool:
    """Also over a session for WAL senders, as when readers have taken every other one: a promotion works there, too."""
    return bool(status.get("reachable") or status.get("known"))


def _status(results: Results, name: str) -> Mapping[str, Any]:
    return (results.get(name) or {}).get("status") or {}
