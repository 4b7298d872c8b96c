# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read row counts from a server, when asked once it has replayed far enough."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .._lsn import parse_lsn
from .._postgres.connection import Server, sql
from .plan import NotReplayed, Table, tables_to_count

_POLL_SECONDS = 0.1

_POSITION = """
SELECT pg_is_in_recovery() AS standby,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS lsn
"""
_DATABASE = """
SELECT max(shobj_description(oid, 'pg_database')) AS comment, count(*) = 1 AS exists
FROM pg_database WHERE datname = %s
"""
_RELATIONS = """
SELECT c.relname AS name, c.relispartition AS partition, n.nspname = 'public' AND c.relkind IN ('r', 'p') AS countable
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind NOT IN ('i', 'I')
"""


@dataclass(frozen=True)
class Position:
    """Where a server is in the WAL."""

    standby: bool
    lsn: str | None

    def reached(self, lsn: str) -> bool:
        """Whether what was written up to ``lsn`` can be read here; a primary has what it wrote."""
        return not self.standby or (self.lsn is not None and parse_lsn(self.lsn) >= parse_lsn(lsn))


@dataclass(frozen=True)
class Database:
    """A database as the server's catalogue shows it."""

    exists: bool
    comment: str | None


def read_position(server: Server) -> Position:
    return Position(**server.row(_POSITION))


def read_database(server: Server, name: str) -> Database:
    return Database(**server.row(_DATABASE, (name,)))


def wait_for_replay(server: Server, lsn: str | None, seconds: float) -> float:
    """Wait until a standby has replayed up to ``lsn``; the seconds it took."""
    started = time.monotonic()
    if lsn is None:
        return 0.0
    parse_lsn(lsn)
    while not (position := read_position(server)).reached(lsn):
        waited = time.monotonic() - started
        if waited >= seconds:
            raise NotReplayed(
                f"{server} has replayed up to {position.lsn}, not {lsn}, after {waited:.1f} s of waiting.",
                "See with replication_status why it lags, or give a longer wait.",
                lsn=position.lsn,
                replayed_lsn=lsn,
                waited_seconds=round(waited, 2),
            )
        time.sleep(_POLL_SECONDS)
    return round(time.monotonic() - started, 2)


def count_rows(server: Server, expected: dict[str, int]) -> tuple[dict[str, int], int]:
    """Rows of the tables of schema public, in one statement, and how many relations the database has at all."""
    relations = server.rows(_RELATIONS)
    present = [Table(row["name"], row["partition"]) for row in relations if row["countable"]]
    names = tables_to_count(present, expected)
    if not names:
        return {}, len(relations)
    counting = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} AS name, count(*) AS rows FROM {}").format(sql.Literal(name), sql.Identifier("public", name))
        for name in names
    )
    rows: list[dict[str, Any]] = server.rows(counting)
    found = {row["name"]: row["rows"] for row in rows}
    return {name: found[name] for name in names}, len(relations)
