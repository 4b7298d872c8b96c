# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which backup a recovery to a target begins with, and what is known beforehand to be in its way. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._backup.repository import Archived
from .._backup.sets import BackupSet, chain_of, iso
from .._errors import PgFleetError
from .._lsn import format_lsn
from .lineage import Lineage, find_lineage, known_timelines, lineage_of
from .target import IMMEDIATE, LATEST, LSN, Target

AUTO = "auto"
_LABELS = "backup_info lists the sets."


class RestoreRefused(PgFleetError):
    """What is wanted cannot be restored; nothing was made."""

    code = "restore_refused"


@dataclass(frozen=True)
class Found:
    """What a repository has. ``now``: seconds since the epoch."""

    sets: Sequence[BackupSet]
    archived: Archived
    segment_bytes: int
    now: float


@dataclass(frozen=True)
class Choice:
    """``chain`` ends with the chosen set. ``doubt``: the first missing segment after it, which may lie before or behind the target."""

    chain: tuple[BackupSet, ...]
    lineage: Lineage
    doubt: str = ""

    @property
    def backup(self) -> BackupSet:
        return self.chain[-1]


def choose(
    found: Found, target: Target, label: str = AUTO, timeline: int | None = None, whole_way: bool = False
) -> Choice:
    """The newest whole set of the history from which the target can be reached; raises for what can be known beforehand.

    ``whole_way``: a segment that is missing somewhere is refused also where nobody knows on which side of it the target lies.
    """
    if not found.sets:
        raise RestoreRefused("The repository has no backup of this cluster.", "Take one first.", "no_backup")
    lineage = find_lineage(timeline, found.archived, found.sets)
    _refuse_future(target, found.now)
    backup = _pick(found, lineage, target) if label == AUTO else _named(found, lineage, target, label)
    doubt = _check_wal(found, lineage, backup, target)
    if doubt and whole_way:
        raise _gap(doubt, f"Whether {target.sentence} lies before it or behind, nobody can say.")
    chain = whole_chain(backup, found.sets)
    return Choice(chain, lineage, doubt)


def whole_chain(backup: BackupSet, sets: Sequence[BackupSet]) -> tuple[BackupSet, ...]:
    """The sets that a set is made of, the full one first; empty when one is missing or broken."""
    chain = chain_of(sets, backup.label)
    return () if any(each.broken for each in chain) else chain


def _refuse_future(target: Target, now: float) -> None:
    if target.moment is not None and target.moment > now:
        raise RestoreRefused(
            f"{iso(target.moment)} is in the future: it is {iso(now)} here.",
            "Give a time that has been, or target_type: latest.",
            "target_not_reached",
        )


def _pick(found: Found, lineage: Lineage, target: Target) -> BackupSet:
    usable = [each for each in found.sets if lineage.has(each) and whole_chain(each, found.sets)]
    if not usable:
        raise RestoreRefused(
            f"None of the {len(found.sets)} sets of the repository is whole and of the history of timeline {lineage.timeline}.",
            f"Give another timeline, or take a backup. {_LABELS}",
            "no_backup",
        )
    before = [each for each in usable if _is_before(each, target)]
    if not before:
        raise _too_early(min(usable, key=lambda each: each.stop_lsn), target, "oldest usable")
    return max(before, key=lambda each: each.stop_lsn)


def _named(found: Found, lineage: Lineage, target: Target, label: str) -> BackupSet:
    backup = next((each for each in found.sets if each.label == label), None)
    if backup is None:
        known = ", ".join(each.label for each in found.sets)
        raise RestoreRefused(f"There is no set '{label}'; there are {known}.", _LABELS, "set_missing")
    if not lineage.has(backup):
        raise RestoreRefused(
            f"Set '{label}' was taken on timeline {backup.timeline} up to {format_lsn(backup.stop_lsn)}, which is not in the history of"
            f" timeline {lineage.timeline}.",
            "Give the timeline of the set, or another set.",
            "other_timeline",
        )
    if not whole_chain(backup, found.sets):
        raise RestoreRefused(
            f"Set '{label}' is not whole: it, or one that it builds on, is broken or gone.",
            f"Give another. {_LABELS}",
            "set_broken",
        )
    if not _is_before(backup, target):
        raise _too_early(backup, target, "wanted")
    return backup


def _is_before(backup: BackupSet, target: Target) -> bool:
    """Whether the set is consistent before the target. Of a name or a transaction nobody knows when it was."""
    if target.moment is not None:
        return backup.stopped < target.moment
    return target.lsn is None or backup.stop_lsn <= target.lsn


def _too_early(backup: BackupSet, target: Target, which: str) -> RestoreRefused:
    stopped = f"{iso(backup.stopped)} at {format_lsn(backup.stop_lsn)}"
    return RestoreRefused(
        f"{target.sentence[0].upper()}{target.sentence[1:]} is before the end of the {which} set '{backup.label}', {stopped}.",
        "Give a target behind it, or an older set.",
        "target_before_backup",
        oldest=backup.label,
    )


def _check_wal(found: Found, lineage: Lineage, backup: BackupSet, target: Target) -> str:
    """Raise where WAL is missing that the recovery needs for sure; the first missing segment of which that is not known."""
    files, size = found.archived.files, found.segment_bytes
    first, end = backup.start_lsn // size, max(backup.start_lsn, backup.stop_lsn - 1) // size
    if missing := lineage.first_missing(files, first, end, size):
        raise _gap(missing, f"Set '{backup.label}' needs it to become consistent.")
    if target.type == IMMEDIATE:
        return ""
    last = max(lineage.last(files, size) or end, end)
    if target.lsn is not None:
        _refuse_beyond(found, lineage, target.lsn, last)
        last = target.lsn // size
    missing = lineage.first_missing(files, end + 1, last, size) or ""
    if missing and target.type in (LATEST, LSN):
        raise _gap(missing, f"It lies between set '{backup.label}' and {target.sentence}.")
    return missing


def _refuse_beyond(found: Found, lineage: Lineage, lsn: int, last: int) -> None:
    size = found.segment_bytes
    if lsn // size <= last:
        return
    elsewhere = [
        other
        for other in sorted(known_timelines(found.archived, found.sets))
        if (found_last := lineage_of(other, found.archived.histories).last(found.archived.files, size)) is not None
        and lsn // size <= found_last
    ]
    end = format_lsn((last + 1) * size)
    if elsewhere:
        raise RestoreRefused(
            f"{format_lsn(lsn)} lies on timeline {elsewhere[-1]}, not on {lineage.timeline}, of which the archive ends at {end}.",
            f"Give timeline: {elsewhere[-1]} if that is the history you want.",
            "other_timeline",
        )
    raise RestoreRefused(
        f"{format_lsn(lsn)} lies beyond the archive of timeline {lineage.timeline}, which ends at {end}.",
        "Wait until its WAL is archived (pg_switch_wal() on the primary), or give an earlier target.",
        "target_not_reached",
    )


def _gap(missing: str, why: str) -> RestoreRefused:
    return RestoreRefused(
        f"The archive lacks {missing}. {why}",
        "Copy it from pg_wal of a server that still has it (wal_archive backfills), give a target_type lsn before it, or a newer set.",
        "archive_gap",
        missing=missing,
    )
