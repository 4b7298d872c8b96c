# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which WAL a history needs, and what of it an archive lacks. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._lineage.plan import timeline_at
from .._postgres.controldata import History, parse_history
from .names import HISTORY, SEGMENT, WalFile, wal_name

DIFFERS, MISSING, FOREIGN = "differs", "missing", "foreign"


@dataclass(frozen=True)
class Lineage:
    """A server's timeline, and those before it with the positions at which they were left."""

    timeline: int
    history: History = ()

    def at(self, position: int) -> int:
        """The timeline on which a position lies."""
        return timeline_at(self.history, self.timeline, position)

    def file(self, number: int, segment_bytes: int) -> WalFile:
        """The file that has a segment as a whole: where a timeline ends inside of it, that of the next one."""
        return WalFile(self.at((number + 1) * segment_bytes - 1), number)

    @property
    def timelines(self) -> tuple[int, ...]:
        return (*(timeline for timeline, _end in self.history), self.timeline)

    def before(self, timeline: int) -> History:
        """What the history file of one of its timelines says."""
        return tuple((each, end) for each, end in self.history if each < timeline)


def lineage_of(files: Collection[WalFile], histories: Mapping[int, str]) -> Lineage | None:
    """That of the newest timeline in an archive; None for an empty one."""
    timelines = [file.timeline for file in files if file.kind in (SEGMENT, HISTORY)]
    if not timelines:
        return None
    newest = max(timelines)
    return Lineage(newest, parse_history(histories.get(newest, "")))


@dataclass(frozen=True)
class Gap:
    """Segments of a timeline that follow on each other and are not there."""

    timeline: int
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def as_result(self, segment_bytes: int) -> dict[str, Any]:
        return {
            "timeline": self.timeline,
            "first": wal_name(WalFile(self.timeline, self.first), segment_bytes),
            "last": wal_name(WalFile(self.timeline, self.last), segment_bytes),
            "count": self.count,
        }


def missing(
    files: Collection[WalFile], lineage: Lineage, first: int, end: int, segment_bytes: int
) -> tuple[WalFile, ...]:
    """The files that an archive lacks of the segments from ``first`` to the one before ``end``."""
    wanted = (lineage.file(number, segment_bytes) for number in range(first, end))
    return tuple(file for file in wanted if file not in files)


def runs(files: Iterable[WalFile]) -> tuple[Gap, ...]:
    """Files, in the order of their numbers, as gaps."""
    found: list[Gap] = []
    for file in files:
        last = found[-1] if found else None
        if last and (last.timeline, last.last + 1) == (file.timeline, file.number):
            found[-1] = Gap(last.timeline, last.first, file.number)
        else:
            found.append(Gap(file.timeline, file.number, file.number))
    return tuple(found)


def first_archived(files: Collection[WalFile], lineage: Lineage, segment_bytes: int) -> int | None:
    """The oldest segment of a lineage in an archive; None where there is none."""
    own = (file.number for file in files if file.kind == SEGMENT and file == lineage.file(file.number, segment_bytes))
    return min(own, default=None)


def reach(files: Collection[WalFile], lineage: Lineage, first: int, segment_bytes: int) -> int:
    """The number after the last segment up to which nothing is missing from ``first`` on."""
    number = first
    while lineage.file(number, segment_bytes) in files:
        number += 1
    return number


@dataclass(frozen=True)
class WrongHistory:
    """A history in an archive that is not as the server's. ``state``: ``differs``, ``missing``, or ``foreign`` for a newer timeline."""

    timeline: int
    state: str

    def as_result(self) -> dict[str, Any]:
        return {"timeline": self.timeline, "state": self.state}


def wrong_histories(
    histories: Mapping[int, str], lineage: Lineage, pending: Collection[WalFile]
) -> tuple[WrongHistory, ...]:
    """What recovery would follow, and the server has not lived through. Reasons and spaces in the text do not matter."""
    found = []
    for timeline in lineage.timelines:
        own = lineage.before(timeline)
        text = histories.get(timeline)
        if text is not None and parse_history(text) != own:
            found.append(WrongHistory(timeline, DIFFERS))
        elif text is None and own and WalFile(timeline, 0, HISTORY) not in pending:
            found.append(WrongHistory(timeline, MISSING))
    found += [WrongHistory(timeline, FOREIGN) for timeline in sorted(histories) if timeline > lineage.timeline]
    return tuple(found)


def spans(files: Collection[WalFile], segment_bytes: int) -> list[dict[str, Any]]:
    """First and last segment of each timeline in an archive."""
    segments = sorted(file for file in files if file.kind == SEGMENT)
    return [
        {
            "timeline": timeline,
            "first": wal_name(own[0], segment_bytes),
            "last": wal_name(own[-1], segment_bytes),
            "count": len(own),
        }
        for timeline in sorted({file.timeline for file in segments})
        for own in [[file for file in segments if file.timeline == timeline]]
    ]
