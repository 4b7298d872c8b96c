# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a server says of its WAL and of its archiver. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._lsn import format_lsn
from .gaps import Lineage
from .names import SEGMENT, WalFile, parse_wal_name

#: A file that waits no longer is just being archived.
_UNDER_WAY_SECONDS = 5.0
_TRUE = r"(?:(?:/usr)?/bin/)?true|:|exit(?:\s+0)?"
#: Commands that say 'archived' and keep nothing, and endings that turn every failure into a success.
_PLACEHOLDER = re.compile(rf"^\s*(?:{_TRUE})\s*;?\s*(?:#.*)?$|(?:\|\||;)\s*(?:{_TRUE})\s*;?\s*$")


def is_placeholder(command: str) -> bool:
    """Whether an archive_command succeeds without an archive."""
    return bool(_PLACEHOLDER.search(command))


@dataclass(frozen=True)
class Archiving:
    """Settings, pg_stat_archiver, and the names in archive_status that end in .ready, without that ending."""

    mode: str = "off"
    command: str = ""
    library: str = ""
    timeout: int = 0
    archived_count: int = 0
    failed_count: int = 0
    last_archived: str | None = None
    last_archived_seconds: float | None = None
    last_failed: str | None = None
    failing: bool = False
    ready: Sequence[str] = ()
    oldest_ready_seconds: float | None = None

    @property
    def by(self) -> str:
        """What archives: a library or a command; empty for nothing."""
        return self.library or self.command

    @property
    def failing_seconds(self) -> float | None:
        """How long nothing has been archived that should have been."""
        known = [each for each in (self.last_archived_seconds, self.oldest_ready_seconds) if each is not None]
        return min(known, default=None) if self.failing else None


@dataclass(frozen=True)
class ServerWal:
    """A primary: whose cluster it is, where it writes, and how it archives."""

    address: str
    system_identifier: str
    version: int
    segment_bytes: int
    data_directory: str
    standby: bool
    lineage: Lineage
    position: int
    archiving: Archiving = Archiving()

    @property
    def pending(self) -> frozenset[WalFile]:
        """What the server will yet archive by itself."""
        found = (parse_wal_name(name, self.segment_bytes) for name in self.archiving.ready)
        return frozenset(file for file in found if file)

    @property
    def ready_bytes(self) -> int:
        return self.segment_bytes * sum(file.kind == SEGMENT for file in self.pending)

    def as_result(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "system_identifier": self.system_identifier,
            "version": self.version,
            "timeline": self.lineage.timeline,
            "position": format_lsn(self.position),
        }

    def archiving_result(self) -> dict[str, Any]:
        found = self.archiving
        return {
            "mode": found.mode,
            "command": found.command or None,
            "library": found.library or None,
            "timeout": found.timeout,
            "last_archived": found.last_archived,
            "last_archived_seconds": _rounded(found.last_archived_seconds),
            "archived_count": found.archived_count,
            "failed_count": found.failed_count,
            "last_failed": found.last_failed,
            "failing": found.failing,
            "failing_seconds": _rounded(found.failing_seconds),
            "ready_files": len(found.ready),
            "ready_bytes": self.ready_bytes,
        }


def hours_until_full(free_bytes: int, ready_bytes: int, seconds: float | None) -> float | None:
    """At the rate at which WAL that could not be archived has piled up; None where none has."""
    if not ready_bytes or seconds is None or seconds < _UNDER_WAY_SECONDS:
        return None
    return round(free_bytes * seconds / ready_bytes / 3600, 2)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
