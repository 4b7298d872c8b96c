# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which backups can be restored, and to which times. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from .._archive.gaps import Lineage, reach
from .._archive.names import WalFile
from .._lsn import format_lsn
from .sets import BackupSet, chain_of, iso


def on_lineage(sets: Sequence[BackupSet], lineage: Lineage) -> list[BackupSet]:
    """The sets that can be restored into a lineage: whole, with all they build on, and not of an abandoned timeline."""
    return [each for each in sets if _is_usable(sets, each) and lineage.at(each.stop_lsn - 1) == each.timeline]


def _is_usable(sets: Sequence[BackupSet], backup: BackupSet) -> bool:
    chain = chain_of(sets, backup.label)
    return bool(chain) and not any(each.broken for each in chain)


def since(sets: Sequence[BackupSet], lineage: Lineage) -> int | None:
    """The start of the oldest set: from there on the archive must have everything; None without one."""
    return min((each.start_lsn for each in on_lineage(sets, lineage)), default=None)


@dataclass(frozen=True)
class Window:
    """A range without a gap, which begins where its oldest set ends. ``end``: the position up to which there is WAL; ``open``: to now."""

    sets: tuple[BackupSet, ...]
    end: int
    open: bool

    def as_result(self) -> dict[str, Any]:
        oldest = self.sets[0]
        return {
            "earliest": iso(oldest.stopped),
            "earliest_lsn": format_lsn(oldest.stop_lsn),
            "latest_lsn": format_lsn(self.end),
            "open": self.open,
            "labels": [each.label for each in self.sets],
        }


def windows(
    sets: Sequence[BackupSet], lineage: Lineage, files: Collection[WalFile], segment_bytes: int, now: int | None = None
) -> tuple[Window, ...]:
    """The ranges to which there is a way, the oldest first. ``now``: the number of the segment that is not finished yet.

    A set whose own WAL is not whole leads nowhere.
    """
    found: list[Window] = []
    newest = max((file.number for file in files if file.kind == "segment"), default=-1) + 1 if now is None else now
    for each in sorted(on_lineage(sets, lineage), key=lambda each: each.stop_lsn):
        end = reach(files, lineage, each.start_lsn // segment_bytes, segment_bytes)
        if end * segment_bytes < each.stop_lsn:
            continue
        if found and found[-1].end == end * segment_bytes:
            found[-1] = Window((*found[-1].sets, each), found[-1].end, found[-1].open)
        else:
            found.append(Window((each,), end * segment_bytes, end >= newest))
    return tuple(found)


def is_restorable(backup: BackupSet, files: Collection[WalFile], lineage: Lineage, segment_bytes: int) -> bool:
    """Whether the archive has all WAL from the start of a set to its end."""
    return reach(files, lineage, backup.start_lsn // segment_bytes, segment_bytes) * segment_bytes >= backup.stop_lsn
