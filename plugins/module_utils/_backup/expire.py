# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What goes when only the newest full backups are kept. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .._archive.names import HISTORY, WalFile
from .._errors import InvalidInput
from .sets import FULL, BackupSet


@dataclass(frozen=True)
class Expiry:
    """The sets that go, the newest first, so that none loses its parent before itself; and those that stay."""

    dropped: tuple[BackupSet, ...]
    kept: tuple[BackupSet, ...]


def plan_expiry(sets: Sequence[BackupSet], keep_full: int) -> Expiry:
    """Keep the newest full sets and whatever builds on them. A broken one does not count as kept."""
    if keep_full < 1:
        raise InvalidInput(f"keep_full is {keep_full}.", "Keep at least one full backup.")
    ordered = sorted(sets, key=lambda each: each.stopped)
    whole = [each for each in ordered if each.kind == FULL and not each.broken]
    if len(whole) <= keep_full:
        return Expiry((), tuple(ordered))
    first = whole[-keep_full]
    stay = {each.label for each in ordered if each.kind == FULL and each.stopped >= first.stopped}
    for each in ordered:
        if each.parent in stay:
            stay.add(each.label)
    kept = tuple(each for each in ordered if each.label in stay)
    return Expiry(tuple(reversed([each for each in ordered if each.label not in stay])), kept)


def wal_to_drop(files: Collection[WalFile], kept: Sequence[BackupSet], segment_bytes: int) -> list[WalFile]:
    """What no kept set needs: segments before the oldest start, and never a history.

    Only of timelines up to that of the oldest set: a newer one may have begun before it, and be what a restore has made.
    """
    if not kept:
        return []
    oldest = min(kept, key=lambda each: each.start_lsn)
    first = oldest.start_lsn // segment_bytes
    return sorted(
        file for file in files if file.kind != HISTORY and file.number < first and file.timeline <= oldest.timeline
    )
