# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What pg_controldata prints and what timeline history files say, as values. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._lsn import parse_lsn

#: Timelines that came before one, oldest first, each with the position at which it was left.
History = tuple[tuple[int, int], ...]

#: The state of a primary that was shut down cleanly; a standby's is another one.
CLEAN = "shut down"
#: The usual size of a WAL segment.
SEGMENT_BYTES = 16 * 1024 * 1024
_HISTORY_LINE = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)")


@dataclass(frozen=True)
class ControlData:
    """The facts of a control file that decisions are made of."""

    system_identifier: str
    cluster_state: str
    checkpoint_lsn: str
    checkpoint_timeline: int
    min_recovery_lsn: str | None
    min_recovery_timeline: int
    checksums: bool
    wal_log_hints: bool = False
    redo_lsn: str | None = None
    wal_segment_bytes: int = SEGMENT_BYTES

    @property
    def timeline(self) -> int:
        """The newest timeline the directory has been on: a standby may have replayed past its latest checkpoint."""
        return max(self.checkpoint_timeline, self.min_recovery_timeline)


def parse_controldata(text: str) -> ControlData | None:
    """The control file as ``LC_ALL=C pg_controldata`` prints it; None when it warns, or when a line is missing."""
    if "WARNING" in text:
        return None
    pairs = (line.partition(":") for line in text.splitlines())
    fields = {name.strip(): value.strip() for name, colon, value in pairs if colon}
    try:
        min_recovery = fields["Minimum recovery ending location"]
        return ControlData(
            system_identifier=fields["Database system identifier"],
            cluster_state=fields["Database cluster state"],
            checkpoint_lsn=fields["Latest checkpoint location"],
            checkpoint_timeline=int(fields["Latest checkpoint's TimeLineID"]),
            min_recovery_lsn=None if min_recovery == "0/0" else min_recovery,
            min_recovery_timeline=int(fields["Min recovery ending loc's timeline"]),
            checksums=fields["Data page checksum version"] != "0",
            wal_log_hints=fields.get("wal_log_hints setting") == "on",
            redo_lsn=fields.get("Latest checkpoint's REDO location"),
            wal_segment_bytes=int(fields.get("Bytes per WAL segment", SEGMENT_BYTES)),
        )
    except (KeyError, ValueError):
        return None


def parse_history(text: str) -> History:
    """The lines of a timeline history file, ``1<TAB>0/3000148<TAB>reason``; comments and blank lines are skipped."""
    found = (_HISTORY_LINE.match(line) for line in text.splitlines())
    return tuple((int(line.group(1)), parse_lsn(line.group(2))) for line in found if line)
