# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Timelines of an archive: which comes of which, and which WAL a recovery along one of them reads. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._archive.names import HISTORY, WalFile, wal_name
from .._backup.repository import Archived
from .._backup.sets import BackupSet
from .._errors import PgFleetError
from .._lsn import format_lsn
from .._postgres.controldata import parse_history

#: The end of a timeline that nobody has left.
FOREVER = 1 << 64


class LineageRefused(PgFleetError):
    """The archive does not have the wanted history."""

    code = "other_timeline"


@dataclass(frozen=True)
class Span:
    """A part of a history: the positions that belong to a timeline. ``end`` is where the next one left it."""

    timeline: int
    begin: int
    end: int = FOREVER


@dataclass(frozen=True)
class Lineage:
    """A timeline with those that it comes of, the oldest first."""

    spans: tuple[Span, ...]

    @property
    def timeline(self) -> int:
        return self.spans[-1].timeline

    def span_of(self, timeline: int) -> Span | None:
        return next((span for span in self.spans if span.timeline == timeline), None)

    def timeline_at(self, position: int) -> int:
        return next((span.timeline for span in self.spans if position < span.end), self.timeline)

    def has(self, backup: BackupSet) -> bool:
        """Whether a set was taken on this history, all of it."""
        span = self.span_of(backup.timeline)
        return span is not None and span.begin <= backup.start_lsn and backup.stop_lsn <= span.end

    def holds(self, files: frozenset[WalFile], number: int, segment_bytes: int) -> bool:
        """Whether a recovery finds a segment: where a timeline begins within it, that one has it too (manual: Timelines)."""
        begin, end = number * segment_bytes, (number + 1) * segment_bytes
        return any(
            WalFile(span.timeline, number) in files
            for span in self.spans
            if span.begin < end and (begin < span.end or span.end == FOREVER)
        )

    def last(self, files: frozenset[WalFile], segment_bytes: int) -> int | None:
        """The number of the last segment that the archive has of this history."""
        numbers = {file.number for file in files if self.span_of(file.timeline) and file.kind == "segment"}
        return max((each for each in numbers if self.holds(files, each, segment_bytes)), default=None)

    def first_missing(self, files: frozenset[WalFile], first: int, last: int, segment_bytes: int) -> str | None:
        """The name of the first segment of these that the archive lacks."""
        for number in range(first, last + 1):
            if not self.holds(files, number, segment_bytes):
                return wal_name(WalFile(self.timeline_at(number * segment_bytes), number), segment_bytes)
        return None


def lineage_of(timeline: int, histories: Mapping[int, str]) -> Lineage:
    spans, begin = [], 0
    for before, left in parse_history(histories.get(timeline, "")):
        spans.append(Span(before, begin, left))
        begin = left
    return Lineage((*spans, Span(timeline, begin)))


def known_timelines(archived: Archived, sets: Sequence[BackupSet]) -> set[int]:
    return {*archived.histories, *(file.timeline for file in archived.files), *(each.timeline for each in sets)}


def find_lineage(wanted: int | None, archived: Archived, sets: Sequence[BackupSet]) -> Lineage:
    """That of the named timeline, or the only one that there is; PostgreSQL's own choice would be the highest number."""
    known = known_timelines(archived, sets)
    chosen = _only_head(archived, known) if wanted is None else wanted
    if chosen not in known:
        raise LineageRefused(
            f"The archive has nothing of timeline {chosen}; it has {_listed(known)}.",
            "Give the timeline of the server that is in production (replication_status says it).",
            "timeline_missing",
            timelines=sorted(known),
        )
    if chosen > 1 and chosen not in archived.histories:
        name = wal_name(WalFile(chosen, 0, HISTORY), 1 << 24)
        raise LineageRefused(
            f"The archive lacks {name}, so nobody knows what timeline {chosen} comes of.",
            "Copy that file from pg_wal of a server of this timeline into the archive (wal_archive backfills).",
            "archive_gap",
            missing=name,
        )
    return lineage_of(chosen, archived.histories)


def _only_head(archived: Archived, known: set[int]) -> int:
    ancestors = {span.timeline for each in known for span in lineage_of(each, archived.histories).spans[:-1]}
    heads = sorted(known - ancestors)
    if len(heads) == 1:
        return heads[0]
    if not heads:
        raise LineageRefused("The repository has neither a backup nor WAL.", "Take a backup first.", "no_backup")
    raise LineageRefused(
        f"The archive has more than one history: {_listed(heads)} come of none of the others."
        f"{''.join(f' {_described(lineage_of(each, archived.histories))}' for each in heads)}",
        "Give timeline: that of the server that is in production (replication_status says it).",
        "timeline_ambiguous",
        timelines=heads,
    )


def _listed(timelines: Sequence[int] | set[int]) -> str:
    names = [str(each) for each in sorted(timelines)]
    return f"timelines {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"timeline {''.join(names)}"


def _described(lineage: Lineage) -> str:
    if len(lineage.spans) == 1:
        return f"Timeline {lineage.timeline} is the first of its history."
    before = lineage.spans[-2]
    return f"Timeline {lineage.timeline} left {before.timeline} at {format_lsn(before.end)}."
