# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether an archive has what a server has written, and will have. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import PgFleetError
from .._lsn import format_lsn
from .._status.archiver import archive_trouble
from .._status.reasons import REMEDIES as STATUS_REMEDIES
from .._status.reasons import Reason
from .gaps import DIFFERS, FOREIGN, Gap, WrongHistory, first_archived, missing, reach, runs, wrong_histories
from .names import WalFile, wal_name
from .values import ServerWal, is_placeholder

OFF, PLACEHOLDER, STALE = "archive_off", "archive_placeholder", "archive_stale"
GAP, HISTORY_DIFFERS, OTHER_CLUSTER = "archive_gap", "history_differs", "other_cluster"
FAILING, STUCK, NOWHERE = "archive_failing", "archive_stuck", "archive_nowhere"
REPOSITORY_MISSING = "repository_missing"
REMEDIES = {
    OFF: "Set archive_mode to on, which needs a restart.",
    PLACEHOLDER: "Let it archive, or turn archive_mode off: WAL that it has 'archived' is lost, and the server believes otherwise."
    " Then take a full backup.",
    STALE: "See its log, and how fast the archive takes WAL.",
    GAP: "Where a server still has it in pg_wal, backfill: true archives it. Otherwise take a full backup: a restore ends before the gap.",
    HISTORY_DIFFERS: "Find the node that archived it and stop its archiving. Then put the right file there, and take a full backup.",
    OTHER_CLUSTER: "Give this cluster a repository or stanza of its own.",
    REPOSITORY_MISSING: "Make it (state: initialized), or mount what holds it.",
    **{code: STATUS_REMEDIES[code] for code in (FAILING, STUCK, NOWHERE)},
}
#: What no waiting heals.
LASTING = frozenset((OFF, PLACEHOLDER, NOWHERE, GAP, HISTORY_DIFFERS, OTHER_CLUSTER, REPOSITORY_MISSING))
#: An idle server writes this much after a segment's end, and nothing that anybody would miss.
_QUIET_BYTES = 8192


class ArchiveUnfit(PgFleetError):
    """The archive is not what it must be; the code is that of the first finding."""

    code = GAP


@dataclass(frozen=True)
class Holding:
    """What a repository has. ``since``: the start of the oldest backup of the server's history that is kept."""

    owner: str | None = None
    files: Collection[WalFile] = frozenset()
    histories: Mapping[int, str] = field(default_factory=dict)
    since: int | None = None


@dataclass(frozen=True)
class Verdict:
    """``gaps`` are what nobody will archive any more; ``waiting`` is what the server has yet to archive. ``end``: the WAL that is there."""

    gaps: tuple[Gap, ...]
    waiting: tuple[WalFile, ...]
    histories: tuple[WrongHistory, ...]
    first: int
    end: int
    lost_bytes: int
    lost_seconds: float | None
    findings: tuple[Reason, ...]


def judge(server: ServerWal, held: Holding, stale_after: float, until: int | None = None) -> Verdict:
    """``until``: the position up to which everything must be there; without, whatever the server has finished."""
    size = server.segment_bytes
    last = server.position // size if until is None else -(-until // size)
    first = _first(server, held, last)
    lacking = missing(held.files, server.lineage, first, last, size)
    current = server.position // size  # what is not finished is nobody's gap
    gaps = runs(file for file in lacking if file not in server.pending and file.number < current)
    waiting = tuple(file for file in lacking if file in server.pending or file.number >= current)
    end = reach(held.files, server.lineage, first, size)
    lost = max(0, server.position - end * size)
    quiet = lost < _QUIET_BYTES
    seconds = 0.0 if quiet else server.archiving.last_archived_seconds
    histories = wrong_histories(held.histories, server.lineage, server.pending)
    base = Verdict(gaps, waiting, histories, first, end, lost, seconds, ())
    return Verdict(**{**vars(base), "findings": tuple(_findings(server, held, base, stale_after))})


def _first(server: ServerWal, held: Holding, last: int) -> int:
    if held.since is not None:
        return held.since // server.segment_bytes
    found = first_archived(held.files, server.lineage, server.segment_bytes)
    return max(0, last - 1) if found is None else found


def _findings(server: ServerWal, held: Holding, found: Verdict, stale_after: float) -> Iterator[Reason]:
    yield from _settings(server)
    if held.owner is None:
        yield _reason(REPOSITORY_MISSING, f"There is no repository for {server.address}, or it was never made.")
        return
    if held.owner != server.system_identifier:
        what = f"{server.address} has the system identifier {server.system_identifier}, and the repository is that of {held.owner}."
        yield _reason(OTHER_CLUSTER, what, owner=held.owner)
        return
    yield from _histories(server, found)
    if found.gaps:
        yield _gap(server, found)
    yield from _archiver(server, found, stale_after)


def _settings(server: ServerWal) -> Iterator[Reason]:
    archiving = server.archiving
    if archiving.mode == "off":
        yield _reason(OFF, f"{server.address} does not archive: archive_mode is off.")
    elif not archiving.by:
        what = (
            f"{server.address} has archive_mode on and nothing that archives: it keeps all WAL until the disk is full."
        )
        yield _reason(NOWHERE, what)
    elif not archiving.library and is_placeholder(archiving.command):
        what = f"{server.address} only pretends to archive: archive_command is '{archiving.command}'."
        yield _reason(PLACEHOLDER, what, command=archiving.command)


def _histories(server: ServerWal, found: Verdict) -> Iterator[Reason]:
    for each in found.histories:
        name = f"{each.timeline:08X}.history"
        if each.state == DIFFERS:
            what = f"The archive's {name} is another one than that of {server.address}: two nodes have begun timeline {each.timeline}."
        elif each.state == FOREIGN:
            what = f"The archive has {name}, and {server.address} is on timeline {server.lineage.timeline}: another node was promoted."
        else:
            yield _reason(
                GAP,
                f"The archive lacks {name}, without which nothing follows timeline {each.timeline}.",
                timeline=each.timeline,
            )
            continue
        yield _reason(HISTORY_DIFFERS, what, timeline=each.timeline)


def _gap(server: ServerWal, found: Verdict) -> Reason:
    first = found.gaps[0].as_result(server.segment_bytes)
    count = sum(each.count for each in found.gaps)
    through = f" to {first['last']}" if found.gaps[0].count > 1 else ""
    more = f" ({count} segments in {len(found.gaps)} gaps)" if len(found.gaps) > 1 else ""
    what = f"The archive lacks {first['first']}{through}{more}, and {server.address} does not hold it for archiving any more."
    return _reason(GAP, what, count=count)


def _archiver(server: ServerWal, found: Verdict, stale_after: float) -> Iterator[Reason]:
    archiving = server.archiving
    if archiving.mode == "off":
        return
    if archiving.failing:
        words = f"{server.address} cannot archive {archiving.last_failed}: {archiving.failed_count} failures"
        since = archiving.failing_seconds
        yield _reason(FAILING, f"{words}{'' if since is None else f', for {since:.0f} s'}.", wal=archiving.last_failed)
        return
    counts = {
        "waiting": len(archiving.ready),
        "oldest_waiting_seconds": archiving.oldest_ready_seconds,
        "last_archived_seconds": archiving.last_archived_seconds,
    }
    if hangs := archive_trouble(server.address, counts):
        yield _reason(STUCK, hangs, waiting=len(archiving.ready))
    elif found.lost_seconds and found.lost_seconds > stale_after:
        what = f"{server.address} has archived nothing for {found.lost_seconds:.0f} s and has {found.lost_bytes} bytes of WAL that are not archived."
        yield _reason(STALE, what)


def not_in_time(server: ServerWal, found: Verdict, until: int, wait: float) -> Reason:
    """For WAL that has not come."""
    first = wal_name(found.waiting[0], server.segment_bytes)
    what = f"After {wait:g} s the archive has not yet everything up to {format_lsn(until)}: {len(found.waiting)} segments of {server.address} are to come,"
    return _reason(STALE, f"{what} the first is {first}.", waiting=len(found.waiting))


def _reason(code: str, message: str, **facts: Any) -> Reason:
    return Reason(code, message, REMEDIES[code], facts)


def failure(reasons: Collection[Reason], /, **result: Any) -> ArchiveUnfit:
    """The error with the first code, and all sentences."""
    first = next(iter(reasons))
    return ArchiveUnfit(" ".join(each.message for each in reasons), first.remedy, first.code, **result)
