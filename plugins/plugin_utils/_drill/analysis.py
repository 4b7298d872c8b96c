# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a recording says: gaps, losses, recovery. No I/O.

- write gap: the longest time between two acknowledgements that follow each other, the usual interval included; when the
  last rows were never acknowledged, up to the end of the recording.
- read gap of a node: the longest interruption. One begins when a read is sent that fails, or takes longer than
  SLOW_SECONDS, and ends with the next answer. 0 when every read was answered in time.
- time to the first write: from the fault to the acknowledgement that ends the longest write gap after it. None when
  writes were not interrupted, that is for no longer than SLOW_SECONDS.
- time to full redundancy: from the fault until a primary has every other node streaming, and it stays so. 0 when
  it was so all the time, None when it is not so at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .recording import Event, Read, Recording, Write

SLOW_SECONDS = 0.25
FAULT = "fault"
PROMOTED = "promoted"
DEMOTED = "demoted"
REDUNDANT = "redundant"
WENT_ON, INTERRUPTED, STOPPED = "went on", "interrupted", "stopped"


@dataclass(frozen=True)
class Span:
    """A stretch of time; the empty one lies at 0."""

    start: float = 0.0
    end: float = 0.0

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Comparison:
    """The ledger against the rows that are there in the end.

    ``lost`` rows were acknowledged and are gone. Rows in doubt were sent and not acknowledged: the client cannot know,
    and either is right; ``in_doubt_present`` are those that are there. ``foreign`` were never sent.
    """

    acked: int
    lost: tuple[int, ...]
    in_doubt: tuple[int, ...]
    in_doubt_present: tuple[int, ...]
    foreign: tuple[int, ...]


def compare(writes: Iterable[Write], present: Collection[int]) -> Comparison:
    there = set(present)
    ledger = list(writes)
    acked = {write.number for write in ledger if write.acked is not None}
    doubtful = {write.number for write in ledger} - acked
    return Comparison(
        len(acked),
        tuple(sorted(acked - there)),
        tuple(sorted(doubtful)),
        tuple(sorted(doubtful & there)),
        tuple(sorted(there - acked - doubtful)),
    )


def write_gap(writes: Iterable[Write], ended: float, since: float = 0.0) -> Span:
    """The longest gap that ends after ``since``."""
    acks = sorted(write.acked for write in writes if write.acked is not None)
    gaps = [Span(*pair) for pair in zip(acks, [*acks[1:], max(ended, acks[-1])])] if acks else []
    return max((gap for gap in gaps if gap.end > since), key=lambda gap: gap.seconds, default=Span())


def read_gap(reads: Iterable[Read]) -> Span:
    return max(interruptions(reads), key=lambda gap: gap.seconds, default=Span())


def interruptions(reads: Iterable[Read]) -> Iterator[Span]:
    """The interruptions of one node's reads, in their order."""
    begun: float | None = None
    last = 0.0
    for read in reads:
        last = read.done
        slow = read.done - read.sent > SLOW_SECONDS
        if begun is None and (slow or not read.ok):
            begun = read.sent
        if begun is not None and read.ok:
            yield Span(begun, read.done)
            begun = None
    if begun is not None:
        yield Span(begun, last)


def first_write(recording: Recording, fault: float) -> float | None:
    """Seconds from the fault to the first write after the interruption."""
    gap = write_gap(recording.writes, recording.ended, fault)
    went_on = any(write.acked == gap.end for write in recording.writes)
    return gap.end - fault if went_on and gap.seconds > SLOW_SECONDS else None


def redundancy(reads: Iterable[Read], nodes: Collection[str], fault: float) -> float | None:
    """Seconds from the fault until every other node streams from a primary, for good."""
    broken = 0.0
    full: float | None = 0.0
    leader = ""
    for read in sorted(reads, key=lambda read: read.done):
        if read.role == "primary":
            leader = read.node
            whole = set(nodes) - {read.node} <= set(read.standbys)
        elif read.node == leader:
            whole = False  # it was the primary, and does not answer or is none any more
        else:
            continue
        if read.done < fault:
            continue
        if not whole:
            broken, full = read.done, None
        elif full is None:
            full = read.done
    if full is None:
        return None
    return full - fault if broken else 0.0


def observed(reads: Iterable[Read]) -> list[Event]:
    """Changes of roles, at the moment a reader first saw them."""
    roles: dict[str, str] = {}
    events = []
    for read in sorted(reads, key=lambda read: read.done):
        before = roles.get(read.node)
        if read.ok and before and before != read.role:
            kind, text = (PROMOTED, "is primary") if read.role == "primary" else (DEMOTED, "is standby")
            events.append(Event(read.done, kind, f"{read.node} {text}"))
        if read.ok:
            roles[read.node] = read.role
    return events


@dataclass(frozen=True)
class Verdict:
    """What a drill came to. Times are seconds."""

    write_gap: Span
    read_gaps: Mapping[str, Span]
    first_write: float | None
    redundancy: float | None
    fault: float
    rows: Comparison | None
    differing: Mapping[str, int] = field(default_factory=dict)

    @property
    def writes(self) -> str:
        if self.write_gap.seconds <= SLOW_SECONDS:
            return WENT_ON
        return STOPPED if self.first_write is None else INTERRUPTED

    def as_result(self) -> dict[str, Any]:
        return {
            "writes": self.writes,
            "write_gap_ms": milliseconds(self.write_gap.seconds),
            "read_gap_ms": {node: milliseconds(gap.seconds) for node, gap in self.read_gaps.items()},
            "to_first_write_ms": milliseconds(self.first_write),
            "to_redundancy_ms": milliseconds(self.redundancy),
            **_row_counts(self.rows),
            "rows_differing": dict(self.differing),
        }


def _row_counts(rows: Comparison | None) -> dict[str, Any]:
    """Null for what is not known, because the primary's rows could not be read."""
    if rows is None:
        return dict.fromkeys(("acked", "acked_lost", "lost_rows", "in_doubt", "in_doubt_present", "foreign"))
    return {
        "acked": rows.acked,
        "acked_lost": len(rows.lost),
        "lost_rows": list(rows.lost[:100]),
        "in_doubt": len(rows.in_doubt),
        "in_doubt_present": len(rows.in_doubt_present),
        "foreign": len(rows.foreign),
    }


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def judge(recording: Recording, tables: Mapping[str, Collection[int]], primary: str) -> Verdict:
    """The verdict; ``tables`` are the rows that each node has in the end."""
    faults = [event.at for event in recording.events if event.kind == FAULT]
    fault = min(faults, default=recording.started)
    reads = {node: [read for read in recording.reads if read.node == node] for node in recording.nodes}
    there = set(tables[primary]) if primary in tables else None
    return Verdict(
        write_gap(recording.writes, recording.ended, fault),
        {node: read_gap(of_node) for node, of_node in reads.items()},
        first_write(recording, fault),
        redundancy(recording.reads, recording.nodes, fault),
        fault,
        None if there is None else compare(recording.writes, there),
        {} if there is None else {node: len(there ^ set(rows)) for node, rows in tables.items() if there ^ set(rows)},
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value below or at which this share of the values lies; always one that was measured."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]
