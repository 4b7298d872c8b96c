"""Sets for tables."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.sets import FULL, BackupSet

SEGMENT = 16 << 20


def a_set(label: str, at: int, kind: str = FULL, **more: Any) -> BackupSet:
    """A set whose WAL is in segment ``at``, taken at ``at`` seconds."""
    facts: dict[str, Any] = {
        "label": label,
        "kind": kind,
        "started": float(at),
        "stopped": at + 0.5,
        "start_lsn": at * SEGMENT + 40,
        "stop_lsn": at * SEGMENT + 256,
        "timeline": 1,
        "system_identifier": "1",
        "server_version": "15",
        "database_bytes": 1,
        "repository_bytes": 1,
        **more,
    }
    return BackupSet(**facts)
