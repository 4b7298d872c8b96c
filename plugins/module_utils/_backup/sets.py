# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Backup sets, whoever took them. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .._lsn import format_lsn

FULL, DIFFERENTIAL, INCREMENTAL = "full", "diff", "incr"


@dataclass(frozen=True)
class BackupSet:
    """One backup. Times are seconds since the epoch, positions are bytes of the WAL.

    ``parent``: the label of the set that an incremental one builds on. ``broken``: the tool found a damaged page.
    """

    label: str
    kind: str
    started: float
    stopped: float
    start_lsn: int
    stop_lsn: int
    timeline: int
    system_identifier: str
    server_version: str
    database_bytes: int
    repository_bytes: int
    parent: str = ""
    broken: bool = False

    def as_result(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "type": self.kind,
            "parent": self.parent or None,
            "started": iso(self.started),
            "stopped": iso(self.stopped),
            "start_lsn": format_lsn(self.start_lsn),
            "stop_lsn": format_lsn(self.stop_lsn),
            "timeline": self.timeline,
            "system_identifier": self.system_identifier,
            "server_version": self.server_version,
            "database_bytes": self.database_bytes,
            "repository_bytes": self.repository_bytes,
            "broken": self.broken,
        }


def chain_of(sets: Sequence[BackupSet], label: str) -> tuple[BackupSet, ...]:
    """A set with all that it builds on, the full one first; empty where one of them is not there."""
    known = {each.label: each for each in sets}
    chain: list[BackupSet] = []
    while label:
        found = known.get(label)
        if found is None or found in chain:
            return ()
        chain.insert(0, found)
        label = found.parent
    return tuple(chain)


def iso(seconds: float) -> str:
    """A time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")
