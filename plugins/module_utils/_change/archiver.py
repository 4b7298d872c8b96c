# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""See that a server's archiver comes to its end, before the server is told to come to its own.

A server that stops archives every finished WAL file first, the last one among them. A command that fails is tried three times;
one that hangs is waited for without any limit.
"""

from __future__ import annotations

import time
from typing import Any

from .._datadir.facts import find_server
from .._host.processes import children, words
from .._postgres.connection import Server
from .checks import ARCHIVE_REMEDY, OperationRefused

_POLL_SECONDS = 0.05
_STATE = """
SELECT (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS waiting,
       failed_count, archived_count
  FROM pg_stat_archiver
"""
_CONFIGURED = """
SELECT current_setting('archive_mode') <> 'off'
       AND EXISTS (SELECT FROM pg_settings
                    WHERE name IN ('archive_command', 'archive_library') AND setting NOT IN ('', '(disabled)')) AS configured
"""


def settle_archive(server: Server, data: str, patience: float) -> None:
    """Let everything be archived that there is; raises when that takes too long and the command does not fail either."""
    if not server.row(_CONFIGURED)["configured"]:
        return
    deadline = time.monotonic() + patience
    server.rows("SELECT pg_switch_wal()")
    before = found = server.row(_STATE)
    while found["waiting"] and found["failed_count"] == before["failed_count"]:
        if time.monotonic() >= deadline:
            raise _stuck(server.address, data, found, found["archived_count"] - before["archived_count"], patience)
        time.sleep(_POLL_SECONDS)
        found = server.row(_STATE)


def _stuck(address: str, data: str, found: dict[str, Any], archived: int, patience: float) -> OperationRefused:
    progress = f"{archived} were archived meanwhile" if archived else "none was archived meanwhile"
    remedy = (
        "Give the archiver more time (archive_wait), or make it faster. Nothing was changed."
        if archived
        else ARCHIVE_REMEDY
    )
    return OperationRefused(
        f"{found['waiting']} WAL files of {address} are yet to be archived after {patience:g} s, and {progress}{hanging_command(data)}."
        " The server would not stop before they are.",
        remedy,
        "archive_stuck",
    )


def hanging_command(data: str) -> str:
    """What the archiver of a data directory waits for, as the end of a sentence; empty when it waits for nothing."""
    server = find_server(data)
    for archiver in (pid for pid in children(server or 0) if "archiver" in _command(pid)):
        for pid in children(archiver):
            return f": archive_command waits for process {pid} ({_command(pid)[:200]})"
    return ""


def _command(pid: int) -> str:
    return " ".join(words(pid)).strip()
