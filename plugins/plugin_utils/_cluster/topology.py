# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Who leads and who follows, derived from what the servers say. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.answer import (
    ACCEPTS,
    FROZEN,
    HBA,
    PASSING,
    REFUSED,
    SAID,
    STOPPED,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.controldata import CLEAN
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import STREAMING

PRIMARY = "primary"
STANDBY = "standby"
ABSENT = "absent"
#: A stopped primary that another one has followed; until it is brought back it is no part of the cluster.
FORMER = "former"


class TopologyConflict(PgFleetError):
    """The servers contradict each other, or nobody leads; going on could lose data."""

    code = "topology_conflict"


@dataclass(frozen=True)
class Node:
    """What one node says it is; ``answered`` is False for a node that could not be asked, ``asked`` for one that the run leaves out.

    ``answer``: what its server answered to a login (_answer.py), ``refusal`` why that failed, with the remedy.
    ``known``: what it says comes from the server, over a session for WAL senders where it is full, and not only from files.
    """

    name: str
    answered: bool = True
    asked: bool = True
    role: str = ABSENT
    running: bool = False
    system_identifier: str | None = None
    timeline: int | None = None
    why: str = ""
    cluster_state: str | None = None
    answer: str = ""
    server_words: str = ""
    refusal: str = ""
    known: bool = False
    follows: str = ""
    followers: tuple[str, ...] = ()

    @property
    def accepts(self) -> bool:
        """An ordinary session can be opened: whatever needs statements can be done there."""
        return self.answer == ACCEPTS

    @property
    def frozen(self) -> bool:
        """Its process is there and says nothing; the only one that runs and may be treated as dead, once it is fenced."""
        return self.running and self.answer == FROZEN

    @property
    def alive(self) -> bool:
        """Its server runs and answers, be it with a refusal: a primary that is alive takes writes, or will soon."""
        return self.running and not self.frozen

    @property
    def refuses(self) -> bool:
        """It is alive and accepts no session now."""
        return self.alive and not self.accepts

    @property
    def passing(self) -> bool:
        """It starts up or shuts down: waiting helps."""
        return self.answer in PASSING

    @property
    def handed_over(self) -> bool:
        """A primary that a switchover has stopped and made a standby of its successor."""
        return self.role == STANDBY and not self.running and self.cluster_state == CLEAN

    @property
    def exists(self) -> bool:
        return self.role in (PRIMARY, STANDBY)

    @classmethod
    def from_status(cls, name: str, result: Mapping[str, Any] | None) -> Node:
        """From the result of replication_status; None for a node that gave no answer, ``not_asked`` for one left out."""
        if result is None:
            return cls(name, answered=False)
        if result.get("not_asked"):
            return cls(name, answered=False, asked=False)
        status = result.get("status")
        if status is None:
            return cls(name)
        reasons = result.get("reasons", [])
        why = " ".join(reason["message"] for reason in reasons)
        answer = status.get("answer") or _answer_without_word(status)
        return cls(
            name,
            role=status["role"],
            running=status["running"],
            system_identifier=status["system_identifier"],
            timeline=status["timeline"],
            why=why,
            cluster_state=status.get("cluster_state"),
            answer=answer,
            server_words=status.get("server_words") or "",
            known=bool(status.get("known", answer == ACCEPTS)),
            follows=_sender(status.get("wal_receiver") or {}),
            followers=tuple(each["name"] for each in status.get("standbys") or ()),
            refusal=""
            if answer == ACCEPTS
            else " ".join(f"{each['message']} {each['remedy']}" for each in reasons[:1]),
        )

    def described(self) -> str:
        state = "running" if self.running else "stopped"
        return f"{self.name} ({self.role}, {state}, system {self.system_identifier}, timeline {self.timeline})"


def _sender(receiver: Mapping[str, Any]) -> str:
    """The server that a standby receives WAL from, which is thus alive."""
    return f"{receiver.get('sender_host')}:{receiver.get('sender_port')}" if receiver.get("status") == STREAMING else ""


def refuse_unknown_primary(nodes: Sequence[Node]) -> None:
    """Raise where no node leads, but a standby receives WAL from a server that is none of them: nobody may be started or promoted.

    A node that cannot be asked may be that server; a frozen one still holds the connections of its standbys.
    """
    known = {name for node in nodes for name in node.followers}
    found = [node for node in nodes if node.role == STANDBY and node.follows and node.name not in known]
    hidden = any(not node.answered or (node.running and not (node.known or node.accepts)) for node in nodes)
    if found and not hidden and not any(node.role == PRIMARY and node.running for node in nodes):
        raise TopologyConflict(
            f"{found[0].name} streams from {found[0].follows}, a server that runs and is no node of this inventory.",
            "Put the primary back into the inventory. Do not promote a standby: there would be two primaries. (One that has just lost"
            " its machine is seen as streaming for a minute.) Nothing was changed.",
            "primary_not_in_inventory",
        )


def _answer_without_word(status: Mapping[str, Any]) -> str:
    if status.get("reachable"):
        return ACCEPTS
    return REFUSED if status["running"] else STOPPED


@dataclass(frozen=True)
class Topology:
    """The live primary, and for every node its role and whether its server exists and runs.

    ``interrupted``: the primary has been stopped by a switchover that did not come to its end.
    """

    primary: str
    roles: dict[str, str]
    existing: tuple[str, ...]
    running: tuple[str, ...]
    system_identifier: str | None
    interrupted: bool = False

    def as_result(self) -> dict[str, Any]:
        return {
            "primary": self.primary,
            "primary_running": self.primary in self.running,
            "roles": self.roles,
            "standbys": [name for name, role in self.roles.items() if role == STANDBY],
            "former": [name for name, role in self.roles.items() if role == FORMER],
            "existing": list(self.existing),
            "running": list(self.running),
            "system_identifier": self.system_identifier,
        }


def derive_topology(nodes: Sequence[Node], first_primaries: Sequence[str], interrupted: bool = False) -> Topology:
    """The live topology; the inventory's ``first_primaries`` count only while no node has a server yet.

    ``interrupted`` accepts a cluster whose primary was stopped by an unfinished switchover. Raises TopologyConflict
    when going on could lose data: foreign data, two primaries, no primary, or silence.
    """
    existing = refuse_conflicts(nodes)
    leader = find_leader(existing)
    refuse_not_asked(nodes)
    refuse_unknown_primary(nodes)
    handed_over = None if leader else _find_handed_over(existing)
    if handed_over and not interrupted:
        raise _interrupted(handed_over)
    found = leader or handed_over
    primary = found.name if found else _first_primary(nodes, existing, first_primaries)
    return Topology(
        primary,
        {node.name: _role(node, primary) for node in nodes},
        tuple(node.name for node in existing),
        tuple(node.name for node in existing if node.running),
        existing[0].system_identifier if existing else None,
        handed_over is not None,
    )


def refuse_conflicts(nodes: Sequence[Node]) -> list[Node]:
    """The nodes that have a server; raises for those that nobody understands and for foreign data."""
    existing = [node for node in nodes if node.exists]
    _refuse_unknown(nodes)
    _refuse_foreign(existing)
    return existing


def refuse_not_asked(nodes: Iterable[Node]) -> None:
    """What the run leaves out may be anything, a primary too: that is no reason to start or promote somebody."""
    left_out = [node.name for node in nodes if not node.asked]
    if left_out:
        raise TopologyConflict(
            f"{', '.join(left_out)} {'was' if len(left_out) == 1 else 'were'} not asked, because this run is limited"
            " to other hosts (--limit).",
            "Run it again for the whole fleet, without --limit; nothing was changed.",
            "not_asked",
            nodes=left_out,
        )


def refuse_refusals(nodes: Iterable[Node]) -> None:
    """For work that needs a session with every server that runs; raises for the first that accepts none.

    One that only its pg_hba.conf keeps closed passes: writing that file is part of the work.
    """
    for node in nodes:
        if node.running and not node.accepts and node.answer != HBA:
            raise session_refused(node)


def refuse_unasked_primary(nodes: Iterable[Node], primary: str) -> None:
    """For work that must know what the primary sees: one that runs and cannot be asked is no primary without standbys."""
    for node in nodes:
        if node.name == primary and node.running and not node.known:
            raise session_refused(node)


def session_refused(node: Node) -> TopologyConflict:
    """A server that runs, but with which nothing can be done now."""
    return TopologyConflict(
        f"{node.name} runs, but its server accepts no session ({SAID.get(node.answer, node.answer)}): {node.refusal or node.why}",
        "Nothing was changed.",
        "session_refused",
        node=node.name,
        answer=node.answer,
        server_words=node.server_words,
    )


def find_leader(existing: Iterable[Node]) -> Node | None:
    """The one primary, or the stopped one on the newest timeline; None when no node is a primary.

    Stopped primaries on older timelines have been followed by it. Anything else that claims to lead is a conflict.
    """
    primaries = [node for node in existing if node.role == PRIMARY]
    if not primaries:
        return None
    leader = max(primaries, key=lambda node: (node.running, node.timeline or 0))
    rivals = [node for node in primaries if node is not leader]
    if any(node.running or (node.timeline or 0) >= (leader.timeline or 0) for node in rivals):
        raise _two_primaries(primaries)
    return leader


def _find_handed_over(existing: Iterable[Node]) -> Node | None:
    handed = sorted((node for node in existing if node.handed_over), key=lambda node: node.timeline or 0)
    return handed[-1] if handed else None


def _role(node: Node, primary: str) -> str:
    if node.name == primary:
        return PRIMARY
    return FORMER if node.role == PRIMARY else STANDBY


def _interrupted(node: Node) -> TopologyConflict:
    return TopologyConflict(
        f"A switchover was interrupted: {node.name} has been shut down cleanly and nobody has been promoted.",
        "Run switchover.yml again with the node that is to lead (-e to=...), which finishes it;"
        f" -e to={node.name} takes it back. Nothing was changed.",
        "switchover_interrupted",
    )


def _refuse_unknown(nodes: Iterable[Node]) -> None:
    for node in nodes:
        if node.answered and not node.exists and node.role != ABSENT:
            raise TopologyConflict(
                f"Cannot tell what {node.name} is: {node.why}",
                "Fix that first; nothing was changed.",
                "role_unknown",
            )


def _refuse_foreign(existing: Sequence[Node]) -> None:
    if len({node.system_identifier for node in existing}) > 1:
        raise TopologyConflict(
            f"These nodes do not belong to one cluster: {_list(existing)}.",
            "A node with another system identifier holds somebody's data. Give it another data directory or take"
            " it out of the inventory; nothing was changed.",
            "wrong_system_identifier",
        )


def _two_primaries(primaries: Sequence[Node]) -> TopologyConflict:
    """The number of a timeline is advice only where it tells the primaries apart."""
    timelines = [node.timeline or 0 for node in primaries]
    hint = "usually the one on the highest timeline"
    if timelines.count(max(timelines)) > 1:
        hint = "for which equal timelines say nothing: each has rows that the other lacks"
    return TopologyConflict(
        f"{len(primaries)} nodes are primaries of one cluster: {_list(primaries)}.",
        f"Decide which one keeps its data, {hint}. Stop each other one; rejoin.yml"
        " (-e node=...) then lists what only it has and brings it back as a standby. Nothing was changed.",
        "two_primaries",
    )


def _first_primary(nodes: Sequence[Node], existing: Sequence[Node], first_primaries: Sequence[str]) -> str:
    unreachable = [node.name for node in nodes if not node.answered]
    if existing:
        raise TopologyConflict(
            f"No node is a primary: {_list(existing)}."
            + (f" No answer from: {', '.join(unreachable)}." if unreachable else ""),
            "Start the primary, or promote a standby with failover.yml; nothing was changed.",
            "no_primary",
        )
    if unreachable:
        raise TopologyConflict(
            f"No answer from {', '.join(unreachable)}, and no other node has a server.",
            "Make every node reachable for the first deployment; nothing was changed.",
            "no_answer",
        )
    if len(first_primaries) != 1:
        raise TopologyConflict(
            f"The inventory's group pg_primary has {len(first_primaries)} hosts.",
            "Put exactly one host into it for the first deployment.",
            "first_primary_unclear",
        )
    return first_primaries[0]


def _list(nodes: Iterable[Node]) -> str:
    return ", ".join(node.described() for node in nodes)
