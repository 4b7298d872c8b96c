# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Who leads and who follows, derived from what the servers say. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import PgFleetError

PRIMARY = "primary"
STANDBY = "standby"
ABSENT = "absent"
#: A stopped primary that another one has followed; until it is brought back it is no part of the cluster.
FORMER = "former"
#: The control file's word for a primary that was stopped in good order; a standby's word is another one.
CLEAN = "shut down"


class TopologyConflict(PgFleetError):
    """The servers contradict each other, or nobody leads; going on could lose data."""

    code = "topology_conflict"


@dataclass(frozen=True)
class Node:
    """What one node says it is; ``answered`` is False for a node that could not be asked."""

    name: str
    answered: bool = True
    role: str = ABSENT
    running: bool = False
    system_identifier: str | None = None
    timeline: int | None = None
    why: str = ""
    cluster_state: str | None = None

    @property
    def handed_over(self) -> bool:
        """A primary that a switchover has stopped and made a standby of its successor."""
        return self.role == STANDBY and not self.running and self.cluster_state == CLEAN

    @property
    def exists(self) -> bool:
        return self.role in (PRIMARY, STANDBY)

    @classmethod
    def from_status(cls, name: str, result: Mapping[str, Any] | None) -> Node:
        """From the result of replication_status; None for a node that was not asked."""
        if result is None:
            return cls(name, answered=False)
        status = result.get("status")
        if status is None:
            return cls(name)
        why = " ".join(reason["message"] for reason in result.get("reasons", []))
        return cls(
            name,
            role=status["role"],
            running=status["running"],
            system_identifier=status["system_identifier"],
            timeline=status["timeline"],
            why=why,
            cluster_state=status.get("cluster_state"),
        )

    def described(self) -> str:
        state = "running" if self.running else "stopped"
        return f"{self.name} ({self.role}, {state}, system {self.system_identifier}, timeline {self.timeline})"


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
    when going on could lose data: strangers, two primaries, no primary, or silence.
    """
    existing = refuse_conflicts(nodes)
    leader = find_leader(existing)
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
    """The nodes that have a server; raises for those that nobody understands and for strangers."""
    existing = [node for node in nodes if node.exists]
    _refuse_unknown(nodes)
    _refuse_strangers(existing)
    return existing


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
        f"A switchover was interrupted: {node.name} has been stopped in good order and nobody has been promoted.",
        "Run switchover.yml again with the node that is to lead (-e to=...), which finishes it;"
        f" -e to={node.name} takes it back. Nothing was changed.",
        "switchover_interrupted",
    )


def _refuse_unknown(nodes: Iterable[Node]) -> None:
    for node in nodes:
        if node.answered and not node.exists and node.role != ABSENT:
            raise TopologyConflict(
                f"Cannot tell what {node.name} is: {node.why}",
                "Mend that first; nothing was changed.",
                "role_unknown",
            )


def _refuse_strangers(existing: Sequence[Node]) -> None:
    if len({node.system_identifier for node in existing}) > 1:
        raise TopologyConflict(
            f"These nodes do not belong to one cluster: {_list(existing)}.",
            "A node with another system identifier holds somebody's data. Give it another data directory or take"
            " it out of the inventory; nothing was changed.",
            "wrong_system_identifier",
        )


def _two_primaries(primaries: Sequence[Node]) -> TopologyConflict:
    return TopologyConflict(
        f"{len(primaries)} nodes are primaries of one cluster: {_list(primaries)}.",
        "Decide which one keeps its data, usually the one on the highest timeline. Stop each other one; rejoin.yml"
        " (-e node=...) then lists what only it has and brings it back as a standby. Nothing was changed.",
        "two_primaries",
    )


def _first_primary(nodes: Sequence[Node], existing: Sequence[Node], first_primaries: Sequence[str]) -> str:
    silent = [node.name for node in nodes if not node.answered]
    if existing:
        raise TopologyConflict(
            f"No node is a primary: {_list(existing)}." + (f" No answer from: {', '.join(silent)}." if silent else ""),
            "Start the primary, or promote a standby with failover.yml; nothing was changed.",
            "no_primary",
        )
    if silent:
        raise TopologyConflict(
            f"No answer from {', '.join(silent)}, and no other node has a server.",
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
