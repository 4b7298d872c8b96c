# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""System containers as machines: what is wanted, and what a host has. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .._machine import values as machine
from .._machine.values import REBUILD, RESTART

# How a change reaches a machine that is there.
HOW = {"bridge": RESTART, "tree": REBUILD, "address": REBUILD, "access": REBUILD}

RUNNING, FROZEN, STOPPED = "running", "frozen", "stopped"


@dataclass(frozen=True)
class Shape:
    """All by which two machines of one name can differ. ``access`` is a hash of who may log in, and of the network."""

    address: str
    tree: str
    access: str
    bridge: str

    def changes_to(self, other: Shape) -> tuple[str, ...]:
        ours, theirs = asdict(self), asdict(other)
        return tuple(name for name in HOW if ours[name] != theirs[name])


@dataclass(frozen=True)
class Machine(machine.Machine):
    shape: Shape


@dataclass(frozen=True)
class Found:
    """A machine that the host has. ``fleet`` is empty for a directory, or a container, that is not of this collection.

    One that is ``fenced`` was powered off because another node took its place.
    """

    name: str
    state: str
    fleet: str = ""
    shape: Shape | None = None
    fenced: bool = False

    @property
    def is_kept_off(self) -> bool:
        return self.fenced and self.state == STOPPED

    @property
    def shown_state(self) -> str:
        return "fenced" if self.is_kept_off else self.state
