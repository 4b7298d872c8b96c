# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read WAL, here from files and there by streaming, and compare it."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .._datadir.facts import DataDir
from .._datadir.process import run_guarded
from .._errors import ConnectFailed, PgFleetError, QueryFailed
from .._lsn import format_lsn, parse_lsn
from .._postgres.login import Login
from .._postgres.replication import replication_session
from .._postgres.source import Source
from .archive import ServerArchive
from .plan import (
    Checkpoint,
    Compared,
    Shared,
    end_of_wal,
    first_window,
    last_checkpoint,
    last_windows,
    needed_from_source,
    segment_name,
    shared_history,
    timeline_at,
)

with suppress(ImportError):  # require_psycopg2 says so in the module
    import psycopg2

_ANSWER_SECONDS = 15.0
#: A primary flushes what it has written without a commit every 15 s at the latest.
_FLUSH_SECONDS = 20.0
_POLL_SECONDS = 0.1
_GONE = "has already been removed"
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)\.(\d+)")
_BACKUP_START = re.compile(r"^START WAL LOCATION: ([0-9A-F]+/[0-9A-F]+)", re.MULTILINE)


class WalGone(PgFleetError):
    """WAL that was asked for is not there any more."""

    code = "wal_gone"


class LocalWal:
    """The WAL of a data directory."""

    def __init__(self, dest: DataDir, bin_dir: str) -> None:
        self.dest = dest
        self.folder = os.path.join(dest.path, "pg_wal")
        self.program = os.path.join(bin_dir, "pg_waldump")
        self.segment = dest.wal_segment_bytes
        self.timelines = [*(timeline for timeline, _end in dest.history or ()), dest.timeline or 0]

    def end(self, start: int) -> int | None:
        """Up to where there is good WAL of the directory's own timeline; None where not one record comes."""
        limit = self._limit(start)
        return None if limit == start else end_of_wal(self._dump_to(limit, start, "--quiet"), start, limit)

    def dump_from(self, start: int, *more: str) -> str:
        """What pg_waldump says of all records of the directory's own timeline from ``start`` on."""
        return self._dump_to(self._limit(start), start, *more)

    def _dump_to(self, limit: int, start: int, *more: str) -> str:
        """Without a limit pg_waldump would wait for the next segment."""
        return self.dump(self.dest.timeline or 0, start, limit, *more)

    def _limit(self, start: int) -> int:
        """The end of the last segment of those that follow on a position without a gap."""
        limit = start
        while self.has(self.dest.timeline or 0, limit):
            limit = (limit // self.segment + 1) * self.segment
        return limit

    def dump(self, timeline: int, start: int, end: int, *more: str) -> str:
        """What pg_waldump says of the records from ``start`` on; ``end`` 0 is that of the segment.

        The files are named, for it learns the size of segments from the first that it meets, which may be one without content.
        """
        where = [f"--path={self.folder}", f"--timeline={timeline}", f"--start={format_lsn(start)}"]
        names = list(dict.fromkeys(segment_name(timeline, at, self.segment) for at in (start, max(start, end - 1))))
        if not all(os.path.isfile(os.path.join(self.folder, name)) for name in names):
            names = []
        until = [f"--end={format_lsn(end)}"] if end else []
        return run_guarded([self.program, *where, *until, *more, *names])[1]

    def read(self, timeline: int, begin: int, end: int) -> bytes | None:
        """WAL of a timeline; None where it is not there. Its last segment may have gone on under the next number."""
        found = b""
        while begin < end:
            stop = min(end, (begin // self.segment + 1) * self.segment)
            path = self._file(timeline, begin)
            if path is None:
                return None
            with open(path, "rb") as file:
                file.seek(begin % self.segment)
                found += file.read(stop - begin)
            begin = stop
        return found

    def has(self, timeline: int, position: int) -> bool:
        return self._file(timeline, position) is not None

    def checkpoint_before(self, fork: int, shared: Shared) -> Checkpoint | None:
        """The last checkpoint before a fork. Segments are read from the fork backwards, until one has a checkpoint."""
        end = fork
        while end > 0:
            timeline = timeline_at(self.dest.history or (), shared.timeline, end - 1)
            begin = (end - 1) // self.segment * self.segment
            if not os.path.isfile(os.path.join(self.folder, segment_name(timeline, begin, self.segment))):
                return None
            found = last_checkpoint(self.dump(timeline, begin, end, "--rmgr=XLOG"), fork)
            if found:
                return found
            end = begin
        return None

    def program_version(self) -> tuple[int, int]:
        """Major and minor version of the programs."""
        said = run_guarded([self.program, "--version"])[1]
        found = _VERSION.search(said)
        return (int(found.group(1)), int(found.group(2))) if found else (0, 0)

    def overwritten_checkpoint(self) -> int | None:
        """Where the control file has a checkpoint and the WAL has another record; None where they agree, or it is gone.

        A server that begins to follow another history writes the WAL of that over its own, from a segment's start on. The control
        file of a copy, or of what pg_rewind left, may be newer than its WAL, which it has yet to receive.
        """
        if self.dest.backup_label:
            return None
        lsn = parse_lsn(self.dest.checkpoint_lsn or "0/0")
        timeline = timeline_at(self.dest.history or (), self.dest.timeline or 0, lsn)
        if not lsn or not self.has(timeline, lsn):
            return None
        found = last_checkpoint(self.dump(timeline, lsn, 0, "--limit=1"), lsn + 1)
        return None if found and format_lsn(found.redo) == self.dest.redo_lsn else lsn

    def first_of(self, shared: Shared, end: int) -> int:
        """The oldest position of a timeline from which on the directory has all of its WAL."""
        position = end
        while position > shared.begin and self.has(shared.timeline, position - 1):
            position = max(shared.begin, (position - 1) // self.segment * self.segment)
        return position

    def first_missing(self, start: int, end: int) -> int | None:
        """The first position between two that the directory does not have; None when it has all."""
        position = start
        while position < end:
            if not any(self.has(timeline, position) for timeline in self.timelines):
                return position
            position = (position // self.segment + 1) * self.segment
        return None

    def recovery_start(self) -> int | None:
        """Where the next start of the server begins to read."""
        with suppress(OSError), open(os.path.join(self.dest.path, "backup_label"), encoding="utf-8") as file:
            label = _BACKUP_START.search(file.read())
            return parse_lsn(label.group(1)) if label else None
        return parse_lsn(self.dest.redo_lsn) if self.dest.redo_lsn else None

    def _file(self, timeline: int, position: int) -> str | None:
        names = [segment_name(each, position, self.segment) for each in self.timelines if each >= timeline]
        names.insert(1, f"{names[0]}.partial" if names else "")
        paths = (os.path.join(self.folder, name) for name in names if name)
        return next((path for path in paths if os.path.isfile(path)), None)


class SourceWal:
    """The WAL of a server, asked for over replication connections."""

    def __init__(self, login: Login, source: Source) -> None:
        self.login = login
        self.source = source

    def position(self) -> int:
        """Up to where the server has written by now."""
        with replication_session(self.login) as server:
            return parse_lsn(server.row("IDENTIFY_SYSTEM")["xlogpos"])

    def read(self, timeline: int, begin: int, end: int) -> bytes:
        """WAL of a timeline, which must reach to ``end`` there; raises WalGone."""
        return b"".join(payload for _position, payload in self.stream(timeline, begin, end))

    def stream(self, timeline: int, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The same in pieces, as they come, each with its position."""
        with replication_session(self.login) as server:
            cursor = server.connection.cursor()
            position = begin
            try:
                cursor.start_replication_expert(f"START_REPLICATION PHYSICAL {format_lsn(begin)} TIMELINE {timeline}")
                for payload in self._payloads(server.connection, cursor):
                    yield position, payload[: end - position]
                    position += len(payload)
                    if position >= end:
                        return
            except psycopg2.Error as error:
                raise self._refused(" ".join(str(error).split()), begin) from error
        raise ConnectFailed(
            f"{self.source.address} sent no WAL after {format_lsn(position)} for {_ANSWER_SECONDS:.0f} s."
        )

    def has(self, timeline: int, position: int) -> bool:
        """Whether the server still has the WAL from a position on."""
        try:
            self.read(timeline, position, position + 1)
        except WalGone:
            return False
        return True

    def _payloads(self, connection: Any, cursor: Any) -> Iterator[bytes]:
        """What has come with the first answer is not seen by select(), so reading comes first."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            message = cursor.read_message()
            if message is not None:
                yield message.payload
                deadline = time.monotonic() + _ANSWER_SECONDS
            else:
                select.select([connection], [], [], 0.2)

    def _refused(self, words: str, begin: int) -> PgFleetError:
        if _GONE in words:
            return WalGone(f"{self.source.address} has no WAL from {format_lsn(begin)} on any more: {words}")
        return QueryFailed(f"{self.source.address} refused to send WAL from {format_lsn(begin)}: {words}")


class Comparison:
    """A directory and a server that may share a history."""

    def __init__(self, login: Login, dest: DataDir, source: Source, bin_dir: str) -> None:
        self.shared = shared_history(dest, source)
        self.dest, self.source = dest, source
        self.here, self.there = LocalWal(dest, bin_dir), SourceWal(login, source)
        self.end = 0
        self.wrote = False

    def compare(self) -> Compared:
        """Whether the histories are one as far as both go."""
        if self.shared is None:
            return Compared()
        self.end = self._end_here(self.shared)
        end = min(self.shared.end, self.end)
        position = self._settled_position()  # after the end was read here: a standby that runs goes on
        found = self._compare(self.shared, min(end, position))
        if found.differs_at is not None:
            return found
        if self.shared.timeline == self.source.timeline and self._is_past(position):
            return Compared(position)
        checkpoint = self.here.overwritten_checkpoint()
        return found if checkpoint is None else Compared(checkpoint, overwritten=True)

    def before_rewind(self, fork: int, archive: ServerArchive) -> Compared:
        """The same, and whether the WAL is there from which a rewound directory recovers: here, at the source, or in an archive."""
        found = self.compare()
        if found.differs_at is not None or found.gone or self.shared is None:
            return found
        checkpoint = self.here.checkpoint_before(fork, self.shared)
        if checkpoint is None:
            if archive.serves_rewind and archive.has(self.shared.timeline, fork - 1):
                return Compared()  # pg_rewind finds the checkpoint, or says that it does not
            return Compared(gone=f"'{self.dest.path}' has no WAL back to a checkpoint before {format_lsn(fork)}.")
        needed = needed_from_source(checkpoint, fork, self.here.segment, self.here.program_version())
        if needed is None or self.there.has(checkpoint.timeline, needed) or archive.has(checkpoint.timeline, needed):
            return Compared()
        where = f"the checkpoint at {format_lsn(checkpoint.lsn)}, where recovery would begin"
        return Compared(
            gone=f"{self.source.address} has no WAL from {format_lsn(checkpoint.redo)} on any more, of {where}."
        )

    def before_start(self) -> Compared:
        """The same, and whether the WAL is there that a stopped directory needs to follow."""
        found = self.compare()
        start = self.here.recovery_start()
        if found.differs_at is not None or self.shared is None or start is None:
            return replace(found, gone="")
        missing = self.here.first_missing(start, self.end)
        needed = (self.end if missing is None else missing) // self.here.segment * self.here.segment
        if self._served(needed):
            return Compared()
        what = "it follows from there" if missing is None else "neither has it, and its recovery begins before"
        return Compared(gone=f"{self.source.address} has no WAL from {format_lsn(needed)} on any more: {what}.")

    def _served(self, position: int) -> bool:
        """Whether the source sends what follows on a position."""
        if position >= self.there.position():
            return True
        return self.there.has(timeline_at(self.source.history, self.source.timeline, position), position)

    def _end_here(self, shared: Shared) -> int:
        """How far the directory has come on the shared timeline, as far as the control file and the WAL say.

        The control file of a copy says what is to be replayed, of which the copy itself may have less.
        """
        if shared.timeline != self.dest.timeline:
            return shared.end
        start = max(self.dest.position, shared.begin)
        if self.dest.backup_label:
            start = self.here.first_of(shared, start)
        end = self.here.end(start)
        self.wrote = end is not None
        return end or start

    def _settled_position(self) -> int:
        """Where the source is. A copy of its files may have WAL that the source itself has yet to flush."""
        position = self.there.position()
        if not self.dest.backup_label or not self.wrote:
            return position
        deadline = time.monotonic() + _FLUSH_SECONDS
        while self.end > position and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            position = self.there.position()
        return position

    def _is_past(self, position: int) -> bool:
        """Whether the directory has WAL that its source lacks.

        A standby lags behind others. What pg_rewind notes as the end of recovery may not be flushed on the source yet.
        """
        if self.source.standby:
            return False
        return (self.wrote and self.end > position) or (self.dest.position > position and not self.dest.backup_label)

    def _compare(self, shared: Shared, end: int) -> Compared:
        """The end decides where both have it, and the beginning where both have that."""
        same, gone, window = None, "", (end, end)
        for window in last_windows(shared, end, self.here.segment):
            same, words = self._same(*window)
            gone = gone or words
            if same is not None:
                break
        first = self._same(*first_window(shared, end))[0] if shared.begin < end else None
        if first is False:
            return Compared(shared.begin)
        if same is False:
            return Compared(self._find_difference(shared, window))
        return Compared(gone=gone if same is None else "")

    def _same(self, begin: int, end: int) -> tuple[bool | None, str]:
        """Whether the WAL is the same here and there; None, and a sentence, where one of both has it no more."""
        timeline = self.shared.timeline if self.shared else 0
        ours = self.here.read(timeline, begin, end)
        if ours is None:
            return None, f"'{self.dest.path}' has no WAL from {format_lsn(begin)} on any more."
        try:
            return ours == self.there.read(timeline, begin, end), ""
        except WalGone as error:
            return None, error.message

    def _find_difference(self, shared: Shared, window: tuple[int, int]) -> int:
        """Where the WAL begins to differ: in a window, or before it where both have older WAL."""
        for begin in dict.fromkeys((self.here.first_of(shared, window[1]), window[0])):
            with suppress(WalGone):
                for position, theirs in self.there.stream(shared.timeline, begin, window[1]):
                    ours = self.here.read(shared.timeline, position, position + len(theirs)) or b""
                    if ours != theirs:
                        return position + next((n for n, pair in enumerate(zip(ours, theirs)) if len(set(pair)) > 1), 0)
        return window[0]
