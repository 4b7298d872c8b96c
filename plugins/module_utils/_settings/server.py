# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Ask a server which settings its files give it, which it works with, and have it read them again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._errors import PgFleetError
from .._postgres.connection import Server, connect
from .._postgres.login import Login
from .state import OUR_LINES, InForce, Line, judge

_RELOAD_SECONDS = 10.0
_POLL_SECONDS = 0.05

#: Settings that the next start would give another value: as they are in force, and who wants what.
WAITING = """
WITH last AS MATERIALIZED (
  SELECT DISTINCT ON (lower(name)) lower(name) AS name, setting, sourcefile, sourceline
    FROM pg_file_settings WHERE name IS NOT NULL ORDER BY lower(name), seqno DESC)
SELECT now.name, now.setting, now.boot_val, last.setting AS wanted, last.sourcefile AS file, last.sourceline AS line
  FROM pg_settings AS now LEFT JOIN last ON last.name = lower(now.name)
 WHERE now.pending_restart
 ORDER BY now.name
"""
CONTEXTS = """
SELECT lower(name) AS name, context, setting, unit, boot_val FROM pg_settings
"""
_LOADED = "SELECT extract(epoch FROM pg_conf_load_time())::float8 AS loaded"
_RELOAD = "SELECT pg_reload_conf() AS sent"
_UNREADABLE = """
SELECT sourcefile AS file, sourceline AS line, name, error FROM pg_file_settings
 WHERE error IS NOT NULL AND sourcefile IS NOT NULL AND (name IS NULL OR error <> 'setting could not be applied')
"""


def read_lines(server: Server) -> list[Line]:
    """The lines of our file; those whose names the server does not know in full are there, too."""
    return [Line(**row) for row in server.rows(OUR_LINES)]


def waiting_settings(login: Login) -> list[dict[str, Any]]:
    """What would change at the next start of a running server; nothing where nobody can be asked."""
    try:
        with connect(login) as server:
            server.rows(OUR_LINES)  # only then does this session know of pending restarts before a reload
            return [dict(row) for row in server.rows(WAITING)]
    except PgFleetError:
        return []


def contexts(login: Login) -> dict[str, dict[str, Any]]:
    """Of every setting when it may change, and how it is in force, by its name in lower case."""
    with connect(login) as server:
        return {row["name"]: dict(row) for row in server.rows(CONTEXTS)}


def reload_and_judge(login: Login) -> InForce:
    """Let the server read its files, and see in a new session what it made of them.

    Raises the server's own words when it refuses a file as a whole, or every new session.
    """
    with connect(login) as server:
        bad = server.rows(_UNREADABLE)
        if bad:
            raise PgFleetError("; ".join(_told(row) for row in bad))
        before = server.row(_LOADED)["loaded"]
        server.row(_RELOAD)
    deadline = time.monotonic() + _RELOAD_SECONDS
    while True:
        with connect(login) as server:
            loaded = server.row(_LOADED)["loaded"]
            found = judge(read_lines(server))
        if (loaded > before and not found.missing) or time.monotonic() > deadline:
            return found
        time.sleep(_POLL_SECONDS)


def judge_now(login: Login) -> InForce:
    with connect(login) as server:
        return judge(read_lines(server))


def _told(row: Mapping[str, Any]) -> str:
    name = f" ({row['name']})" if row["name"] else ""
    return f"{row['error']} in line {row['line']} of {row['file']}{name}"
