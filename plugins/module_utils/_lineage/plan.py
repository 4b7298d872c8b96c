# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which WAL two histories share, and what of it tells whether they are one history. No I/O.

The number of a timeline is chosen by whoever is promoted: two servers promoted at one position both take the next
number. So equal numbers are a promise only, which the WAL itself has to keep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._datadir.facts import DataDir
from .._lsn import parse_lsn
from .._postgres.controldata import History
from .._postgres.source import Source

#: The end of a timeline that nobody has left.
FOREVER = 1 << 64
#: As much of the WAL as is compared at its end.
WINDOW = 256 * 1024
#: The first record of a timeline, which holds the moment of the promotion.
_FIRST_RECORD = 64
#: The header of a record. It holds the checksum of the whole, so a record that is equal so far is equal.
_RECORD_HEADER = 24
PAGE = 8192
_LAST_GOOD = re.compile(r"error in WAL record at ([0-9A-F]+/[0-9A-F]+)")
_NO_RECORD = re.compile(r"could not find a valid record after")
_CHECKPOINT = re.compile(
    r"lsn: ([0-9A-F]+/[0-9A-F]+),.*?desc: CHECKPOINT_(?:SHUTDOWN|ONLINE) redo ([0-9A-F]+/[0-9A-F]+); tli (\d+);"
)


@dataclass(frozen=True)
class Shared:
    """The last timeline that two histories have in common by its number and its beginning, and where they leave it."""

    timeline: int
    begin: int
    end: int


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint record, and where recovery from it begins."""

    lsn: int
    redo: int
    timeline: int


#: Minor versions from which on pg_rewind keeps the WAL here that it has read back to the checkpoint; later majors do.
_KEEPS_WAL = {14: 15, 15: 10, 16: 6, 17: 2}


@dataclass(frozen=True)
class Compared:
    """What the WAL itself says. ``differs_at``: the histories part here, whatever the numbers of their timelines say.

    ``overwritten``: the directory has followed the other history for a while, and its own WAL is not there to be read.
    ``gone`` is a sentence: WAL that is needed and that nobody has any more.
    """

    differs_at: int | None = None
    overwritten: bool = False
    gone: str = ""


def shared_history(dest: DataDir, source: Source) -> Shared | None:
    """What the two have in common (as pg_rewind finds it); None when they have no timeline in common."""
    ours = (*(dest.history or ()), (dest.timeline or 0, FOREVER))
    theirs = (*source.history, (source.timeline, FOREVER))
    if dest.history is None:  # the file is missing: what the source says of the timelines before must do
        ours = (*(entry for entry in source.history if entry[0] < (dest.timeline or 0)), ours[-1])
    shared, begin = None, 0
    for (timeline, end), (other, other_end) in zip(ours, theirs):
        if timeline != other:
            break
        shared = Shared(timeline, begin, min(end, other_end))
        begin = shared.end
        if end != other_end:
            break
    return shared


def last_windows(shared: Shared, end: int, segment: int) -> tuple[tuple[int, int], ...]:
    """The end of what is shared, and the shorter one that a server has which keeps no older WAL than this segment."""
    long = max(shared.begin, end - WINDOW), end
    short = max(long[0], (end - 1) // segment * segment), end
    return tuple(dict.fromkeys(each for each in (long, short) if each[0] < each[1]))


def first_window(shared: Shared, end: int) -> tuple[int, int]:
    """The first record of the shared timeline."""
    return shared.begin, min(shared.begin + _FIRST_RECORD, end)


def end_of_wal(said: str, start: int, limit: int) -> int | None:
    """Up to where WAL is good, from what C(pg_waldump --quiet --end=limit) says against the rest; None: not one record."""
    last_good = _LAST_GOOD.findall(said)
    if last_good:
        return max(start, parse_lsn(last_good[-1]) + _RECORD_HEADER)
    return None if _NO_RECORD.search(said) else limit


def last_checkpoint(said: str, fork: int) -> Checkpoint | None:
    """The last checkpoint before the fork, of those that C(pg_waldump --rmgr=XLOG) lists."""
    found = [
        Checkpoint(parse_lsn(lsn), parse_lsn(redo), int(timeline)) for lsn, redo, timeline in _CHECKPOINT.findall(said)
    ]
    return max((each for each in found if each.lsn < fork), key=lambda each: each.lsn, default=None)


def needed_from_source(checkpoint: Checkpoint, fork: int, segment: int, program: tuple[int, int]) -> int | None:
    """Where recovery after a rewind begins, if that WAL must come from the source; None if the directory keeps it."""
    major, minor = program
    keeps = minor >= _KEEPS_WAL.get(major, 0 if major > max(_KEEPS_WAL) else minor + 1)
    if checkpoint.redo // segment == fork // segment:
        return None  # a source that can be followed from the fork on has it
    return None if keeps and checkpoint.redo // segment == checkpoint.lsn // segment else checkpoint.redo


def segment_name(timeline: int, position: int, segment: int) -> str:
    """The file that holds a position, as PostgreSQL names it."""
    in_a_log = (1 << 32) // segment
    log, number = divmod(position // segment, in_a_log)
    return f"{timeline:08X}{log:08X}{number:08X}"


def timeline_at(history: History, newest: int, position: int) -> int:
    """The timeline that a position belongs to."""
    return next((timeline for timeline, end in history if position < end), newest)
