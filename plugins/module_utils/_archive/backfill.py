# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which files of pg_wal an archive lacks that nobody would archive any more. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .names import HISTORY, SEGMENT, WalFile, parse_wal_name
from .values import ServerWal


def plan_backfill(names: Iterable[str], server: ServerWal, files: Collection[WalFile]) -> list[str]:
    """Finished segments and histories of the server's own lineage, the oldest first.

    After a promotion the predecessor's last segments are here, and marked as archived, because it was not this server's task.
    What lies beyond a fork on an older timeline is never taken: the server has not lived through it. What waits is left to the archiver.
    """
    found = {name: file for name in names if (file := parse_wal_name(name, server.segment_bytes))}
    wanted = [name for name, file in found.items() if _is_wanted(file, server) and file not in files]
    return sorted(wanted, key=lambda name: (found[name].kind == HISTORY, found[name].number, found[name].timeline))


def _is_wanted(file: WalFile, server: ServerWal) -> bool:
    if file.timeline == server.lineage.timeline and file in server.pending:
        return False
    if file.kind == HISTORY:
        return file.timeline in server.lineage.timelines
    finished = file.number < server.position // server.segment_bytes
    return file.kind == SEGMENT and finished and file == server.lineage.file(file.number, server.segment_bytes)
