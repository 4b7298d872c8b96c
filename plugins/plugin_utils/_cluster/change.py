# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A change of the primary as a plan: who leads before and after, and the steps. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.checks import OperationRefused
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import ARCHIVE

from .topology import PRIMARY, STANDBY, Topology

#: What is left to do: everything; the promotion, as the old primary has been stopped for it; nothing that is risky.
WHOLE, PROMOTE, DONE = "whole", "promote", "done"
Results = Mapping[str, "Mapping[str, Any] | None"]


@dataclass(frozen=True)
class Change:
    """A change of the primary: who leads before and after, and what is to be done, in sentences.

    ``following`` are the running standbys that turn to the new primary, ``slots`` the nodes it keeps a slot for.
    """

    old: str
    target: str
    stage: str
    topology: Topology
    following: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    def as_result(self) -> dict[str, Any]:
        return {
            "old": self.old,
            "target": self.target,
            "stage": self.stage,
            "following": list(self.following),
            "slots": list(self.slots),
            "steps": list(self.steps),
            "topology": self.topology.as_result(),
        }


def status_of(results: Results, name: str) -> Mapping[str, Any]:
    """The status of a node; empty where it said nothing."""
    return (results.get(name) or {}).get("status") or {}


def reads_archive(results: Results, name: str) -> bool:
    """Whether the node, as a standby, is to get its WAL from the archive only: it has no slot, and nobody sees it stream."""
    return (results.get(name) or {}).get("upstream") == ARCHIVE


def turning_steps(results: Results, following: Sequence[str], target: str) -> list[str]:
    """What the other standbys do when ``target`` leads."""
    readers = [name for name in following if reads_archive(results, name)]
    turning = [name for name in following if name not in readers]
    return [
        *([f"Turn {', '.join(turning)} to {target} by a reload."] if turning else []),
        *([f"{', '.join(readers)} follows as the archive gets the WAL of {target}."] if readers else []),
    ]


def refuse_unknown(results: Results, name: str, purpose: str) -> None:
    if name not in results:
        found = f"There is no node '{name}'" if name else "No node was named"
        raise OperationRefused(
            f"{found}; there are {', '.join(results)}.",
            f"Name the node {purpose}. Nothing was changed.",
            "node_unknown",
        )


def turned(topology: Topology, target: str, old_role: str = STANDBY) -> Topology:
    """The topology once ``target`` leads and the old primary is stopped."""
    old = topology.primary
    return replace(
        topology,
        primary=target,
        roles={**topology.roles, old: old_role, target: PRIMARY},
        running=tuple(name for name in topology.running if name != old),
        interrupted=False,
    )
