# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""System containers as machines: what is wanted, and what a host has. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .._vm.values import mac_of, refuse_bad_address, refuse_bad_name

# How a change reaches a machine that is there.
RESTART, REBUILD = "restart", "rebuild"
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
class Machine:
    """A machine as the user wants it."""

    name: str
    shape: Shape

    def __post_init__(self) -> None:
        refuse_bad_name(self.name)
        refuse_bad_address(self.name, self.shape.address)

    @property
    def mac(self) -> str:
        return mac_of(self.name)


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

    def is_ours(self, fleet: str) -> bool:
        return self.shape is not None and self.fleet == fleet

    @property
    def is_kept_off(self) -> bool:
        return self.fenced and self.state == STOPPED

    @property
    def shown_state(self) -> str:
        return "fenced" if self.is_kept_off else self.state


def result_of(shape: Shape | None, state: str) -> dict[str, Any]:
    """A machine in a diff."""
    return {"state": state, **(asdict(shape) if shape else {})}
