# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether the archiver of a server hangs. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Seconds without any success after which an archiver that has work counts as stuck.
ARCHIVE_PATIENCE = 60.0


def archive_trouble(name: str, archiver: Mapping[str, Any]) -> str:
    """That an archiver hangs, as a sentence; empty when it does not."""
    waiting, oldest = archiver.get("waiting") or 0, archiver.get("oldest_waiting_seconds") or 0.0
    success = archiver.get("last_archived_seconds")
    idle = oldest if success is None else min(oldest, success)
    if not waiting or archiver.get("failing") or idle < ARCHIVE_PATIENCE:
        return ""
    return (
        f"The archiver of {name} hangs: {waiting} WAL files wait, the oldest for {oldest:.0f} s, and none was archived"
        f" for {idle:.0f} s."
    )
