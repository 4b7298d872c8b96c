# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Virtual machines: what is wanted, what a hypervisor has, and the values that both share. No I/O."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field

from .._errors import InvalidInput
from .._machine import values as machine
from .._machine.values import LIVE, REBUILD, RESTART

UNIT_GB = 1024**3
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/pgfleet/cluster/machine")

# How a change reaches a machine that is there.
HOW = {
    "autostart": LIVE,
    "memory_mb": RESTART,
    "vcpus": RESTART,
    "disk_gb": RESTART,
    "hardware": RESTART,
    "image": REBUILD,
    "address": REBUILD,
    "access": REBUILD,
}


@dataclass(frozen=True)
class Shape:
    """All by which two machines of one name can differ.

    ``image`` and ``access`` (addresses beside its own, users and keys) are hashes of what they are made of, and
    ``hardware`` is the hash of the rest of the definition.
    """

    address: str
    memory_mb: int
    vcpus: int
    disk_gb: int
    image: str
    access: str
    hardware: str
    autostart: bool = False

    def changes_to(self, other: Shape) -> tuple[str, ...]:
        ours, theirs = asdict(self), asdict(other)
        return tuple(name for name in HOW if ours[name] != theirs[name])


def how_to_change(before: Shape, after: Shape) -> str | None:
    """The mildest of live, restart and rebuild that leads from one to the other; None where they are the same."""
    ways = {HOW[name] for name in before.changes_to(after)}
    if after.disk_gb < before.disk_gb:
        ways.add(REBUILD)
    return next((way for way in (REBUILD, RESTART, LIVE) if way in ways), None)


@dataclass(frozen=True)
class Machine(machine.Machine):
    shape: Shape

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("memory_mb", "vcpus", "disk_gb"):
            if getattr(self.shape, option) < 1:
                raise InvalidInput(f"{option} of machine '{self.name}' is less than 1.", "Give a whole number from 1.")

    @property
    def uuid(self) -> str:
        return str(uuid.uuid5(_NAMESPACE, self.name))


@dataclass(frozen=True)
class Domain:
    """A domain that the hypervisor has. ``shape`` is None for one that is not of this collection.

    One without its files is not ``complete``: it is being made, or was being recreated, when a run was killed.
    One that is ``fenced`` was powered off because another node took its place.
    """

    name: str
    uuid: str
    running: bool
    fleet: str = ""
    shape: Shape | None = None
    files: tuple[str, ...] = ()
    console: str = ""
    complete: bool = True
    fenced: bool = False

    @property
    def is_kept_off(self) -> bool:
        return self.fenced and not self.running

    @property
    def shown_state(self) -> str:
        """In a word; a machine that was fenced and runs was started by hand."""
        words = ("running" if self.running else "", "fenced" if self.fenced else "")
        return ", ".join(filter(None, words)) or "stopped"


@dataclass(frozen=True)
class Host:
    """What bounds machines: the network (``address`` is the hypervisor's own in it), room, files in the way."""

    network: str
    cidr: str
    address: str
    memory_free_mb: int
    disk_free_gb: int
    image_gb: float
    files: frozenset[str] = field(default_factory=frozenset)
