# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Names of the files of a WAL archive (manual: Write Ahead Log, WAL Internals; Continuous Archiving). No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

SEGMENT, PARTIAL, HISTORY, BACKUP = "segment", "partial", "history", "backup"
_NAME = re.compile(r"([0-9A-F]{8})(?:([0-9A-F]{8})([0-9A-F]{8}))?(\.partial|\.history|\.[0-9A-F]{8}\.backup)?")
_KINDS = {"": SEGMENT, ".partial": PARTIAL, ".history": HISTORY}
_A_LOG = 1 << 32


@dataclass(frozen=True, order=True)
class WalFile:
    """``number``: the segment's, counted from the beginning of the WAL; 0 for the history of a timeline."""

    timeline: int
    number: int
    kind: str = SEGMENT


def parse_wal_name(name: str, segment_bytes: int) -> WalFile | None:
    """What a file of pg_wal or of an archive is by its name; None for one that is neither."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    timeline, log, segment, suffix = found.groups(default="")
    kind = _KINDS.get(suffix, BACKUP)
    if (kind == HISTORY) == bool(log):
        return None
    number = int(log or "0", 16) * (_A_LOG // segment_bytes) + int(segment or "0", 16)
    return WalFile(int(timeline, 16), number, kind)


def wal_name(file: WalFile, segment_bytes: int) -> str:
    """The name of a segment, a partial segment or a history."""
    if file.kind == HISTORY:
        return f"{file.timeline:08X}.history"
    log, segment = divmod(file.number, _A_LOG // segment_bytes)
    return f"{file.timeline:08X}{log:08X}{segment:08X}{'.partial' if file.kind == PARTIAL else ''}"
