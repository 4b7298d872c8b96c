# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What backups there are, to which times they lead, and what is wrong with them. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .._archive.gaps import Lineage
from .._archive.names import WalFile
from .._status.reasons import Reason
from .sets import FULL, BackupSet
from .window import Window, on_lineage, windows

NO_BACKUP, TOO_OLD, GAP, BROKEN = "no_backup", "backup_too_old", "archive_gap", "backup_broken"
REMEDIES = {
    NO_BACKUP: "Take one (backup).",
    TOO_OLD: "Take one (backup), and see why the schedule did not.",
    GAP: "Take a full backup: a restore to a time behind the gap needs one that is younger. wal_archive names what is missing.",
    BROKEN: "Take a full backup, and check the server: pages were damaged when this one was taken.",
}


@dataclass(frozen=True)
class Report:
    """``sets`` are all of them; windows and ages are of those that a retention leaves."""

    owner: str | None
    sets: Sequence[BackupSet]
    windows: Sequence[Window]
    ages: dict[str, float | None]
    findings: tuple[Reason, ...]

    def as_result(self) -> dict[str, Any]:
        open_windows = [each for each in self.windows if each.open]
        return {
            "owner": self.owner,
            "sets": [each.as_result() for each in self.sets],
            "windows": [each.as_result() for each in self.windows],
            "window": open_windows[-1].as_result() if open_windows else None,
            "last": self.ages,
            "repository_bytes": sum(each.repository_bytes for each in self.sets),
            "findings": [each.as_result() for each in self.findings],
        }


@dataclass(frozen=True)
class Inventory:
    """What a repository has, and the lineage for which it is asked. ``kept``: the sets that a retention leaves."""

    owner: str | None
    sets: Sequence[BackupSet]
    kept: Sequence[BackupSet]
    files: Collection[WalFile]
    lineage: Lineage
    segment_bytes: int


def report(found: Inventory, now: float, max_age: float | None) -> Report:
    """The ages are seconds since the end of the newest set that can be restored, of any kind and of the kind full."""
    ranges = windows(found.kept, found.lineage, found.files, found.segment_bytes)
    usable = sorted((each for window in ranges for each in window.sets), key=lambda each: each.stopped)
    ages = {"any": _age(usable, now), "full": _age([each for each in usable if each.kind == FULL], now)}
    return Report(found.owner, found.sets, ranges, ages, tuple(_findings(found, ranges, ages["any"], max_age)))


def _age(sets: Sequence[BackupSet], now: float) -> float | None:
    return round(now - sets[-1].stopped, 1) if sets else None


def _findings(found: Inventory, ranges: Sequence[Window], age: float | None, max_age: float | None) -> Iterator[Reason]:
    if age is None:
        yield _reason(NO_BACKUP, "There is no backup that can be restored.")
    elif max_age is not None and age > max_age:
        yield _reason(
            TOO_OLD, f"The newest backup that can be restored is {age:.0f} s old, and {max_age:.0f} s are allowed."
        )
    reached = {each.label for window in ranges for each in window.sets}
    for each in on_lineage(found.kept, found.lineage):
        if each.label not in reached:
            yield _reason(
                GAP,
                f"The archive lacks WAL of the backup '{each.label}' itself: it cannot be restored.",
                label=each.label,
            )
    for window in ranges:
        if not window.open:
            what = f"From '{window.sets[-1].label}' a restore ends at {window.as_result()['latest_lsn']}: the archive has a gap there."
            yield _reason(GAP, what, label=window.sets[-1].label)
    for each in found.kept:
        if each.broken:
            yield _reason(BROKEN, f"The backup '{each.label}' has damaged pages in it.", label=each.label)


def _reason(code: str, message: str, **facts: Any) -> Reason:
    return Reason(code, message, REMEDIES[code], facts)
