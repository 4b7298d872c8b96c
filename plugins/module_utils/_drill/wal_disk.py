# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which steps lead to a small disk for a server's WAL and back, from wherever an earlier run was interrupted. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import PgFleetError

SMALL, ROOMY, NORMAL = "small", "roomy", "normal"


class NotPossible(PgFleetError):
    """The disk of this server's WAL cannot be changed."""

    code = "not_possible"


@dataclass(frozen=True)
class WalDisk:
    """What is there: ``aside`` the WAL as it was before, ``incoming`` a copy of the small disk; ``empty``: no WAL in place."""

    running: bool = False
    link: bool = False
    mounted: bool = False
    aside: bool = False
    incoming: bool = False
    empty: bool = False

    @property
    def state(self) -> str:
        return SMALL if self.mounted else NORMAL


def plan_disk(found: WalDisk, wanted: str) -> list[str]:
    """Names of the steps, in their order. Only ``enlarge`` may be done to a server that runs."""
    if found.link:
        raise NotPossible(
            "The WAL has a disk of its own already (pg_wal is a link).", "Use another node for this drill."
        )
    if wanted == ROOMY:
        return ["enlarge"] if found.mounted else []
    steps = _to_small(found) if wanted == SMALL else _to_normal(found)
    if steps and found.running:
        raise NotPossible("The server runs, and its WAL cannot move meanwhile.", "Stop it first.")
    return steps


def _to_small(found: WalDisk) -> list[str]:
    if found.mounted:
        return []
    return [*_to_normal(found), "set_aside", "mount", "fill"]


def _to_normal(found: WalDisk) -> list[str]:
    """Unmounting comes after the copy, so without a mount an ``incoming`` is whole; without it what was aside counts."""
    if found.mounted:
        return ["copy_back", "unmount", "take_copy", "forget"]
    if found.incoming:
        return ["take_copy", "forget"]
    if found.aside:
        return ["put_back"] if found.empty else ["forget"]
    return []
