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
        )

    def described(self) -> str:
        state = "running" if self.running else "stopped"
        return f"{self.name} ({self.role}, {state}, system {self.system_identifier}, timeline {self.timeline})"


@dataclass(frozen=True)
class Topology:
    """The live primary, and for every node its role and whether its server exists and runs."""

    primary: str
    roles: dict[str, str]
    existing: tuple[str, ...]
    running: tuple[str, ...]
    system_identifier: str | None

    def as_result(self) -> dict[str, Any]:
        return {
            "primary": self.primary,
            "primary_running": self.primary in self.running,
            "roles": self.roles,
            "standbys": [name for name, role in self.roles.items() if role == STANDBY],
            "existing": list(self.existing),
            "running": list(self.running),
            "system_identifier": self.system_identifier,
        }


def derive_topology(nodes: Sequence[Node], first_primaries: Sequence[str]) -> Topology:
    """The live topology; the inventory's ``first_primaries`` count only while no node has a server yet.

    Raises TopologyConflict when going on could lose data: strangers, two primaries, no primary, or silence.
    """
    existing = [node for node in nodes if node.exists]
    _refuse_unknown(nodes)
    _refuse_strangers(existing)
    primaries = [node for node in existing if node.role == PRIMARY]
    _refuse_two_primaries(primaries)
    primary = primaries[0].name if primaries else _first_primary(nodes, existing, first_primaries)
    return Topology(
        primary,
        {node.name: PRIMARY if node.name == primary else STANDBY for node in nodes},
        tuple(node.name for node in existing),
        tuple(node.name for node in existing if node.running),
        existing[0].system_identifier if existing else None,
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


def _refuse_two_primaries(primaries: Sequence[Node]) -> None:
    if len(primaries) > 1:
        raise TopologyConflict(
            f"{len(primaries)} nodes are primaries of one cluster: {_list(primaries)}.",
            "Decide which one keeps its data, usually the one on the highest timeline. Stop each other one and move"
            " its data directory aside; the next run clones it anew. Nothing was changed.",
            "two_primaries",
        )


def _first_primary(nodes: Sequence[Node], existing: Sequence[Node], first_primaries: Sequence[str]) -> str:
    silent = [node.name for node in nodes if not node.answered]
    if existing:
        raise TopologyConflict(
            f"No node is a primary: {_list(existing)}." + (f" No answer from: {', '.join(silent)}." if silent else ""),
            "Bring the primary back, or promote a standby; nothing was changed.",
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
