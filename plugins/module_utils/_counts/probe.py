# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A row written on the primary and looked for on standbys: how long it takes, and that a standby refuses a write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .._errors import PgFleetError, QueryFailed
from .._postgres.connection import Server

READ_ONLY_TRANSACTION = "25006"
POLL_SECONDS = 0.002


WRITE = """INSERT INTO pgfleet_probe.probe VALUES (%s)
    ON CONFLICT (token) DO UPDATE SET token = excluded.token"""


@dataclass(frozen=True)
class Probe:
    """The row, the standbys that must replay it, and for how many seconds that is waited for."""

    token: str
    standbys: tuple[str, ...]
    wait: float


@contextmanager
def only_tried(server: Server, check: bool) -> Iterator[None]:
    """In check mode the statements of the block meet every refusal that they would meet, and are rolled back."""
    if check:
        server.rows("BEGIN")
    yield
    if check:
        server.rows("ROLLBACK")


def write(server: Server, wanted: Probe, check: bool) -> dict[str, Any]:
    with only_tried(server, check):
        server.rows("CREATE SCHEMA IF NOT EXISTS pgfleet_probe")
        server.rows("CREATE TABLE IF NOT EXISTS pgfleet_probe.probe (token text PRIMARY KEY)")
        server.rows(WRITE, (wanted.token,))
    started = time.monotonic()
    lsn = server.row("SELECT pg_current_wal_flush_lsn()::text AS lsn")["lsn"]
    return {"changed": True, "lsn": lsn, "delays_ms": replay_delays(server, lsn, started, wanted)}


def replay_delays(server: Server, lsn: str, started: float, wanted: Probe) -> dict[str, float]:
    """Milliseconds after which each standby had replayed the position."""
    delays: dict[str, float] = {}
    missing = set(wanted.standbys)
    while missing:
        rows = server.rows("SELECT application_name FROM pg_stat_replication WHERE replay_lsn >= %s::pg_lsn", (lsn,))
        elapsed = time.monotonic() - started
        for name in sorted(missing & {row["application_name"] for row in rows}):
            delays[name] = round(elapsed * 1000, 1)
            missing.remove(name)
        if missing and elapsed > wanted.wait:
            raise PgFleetError(
                f"Standbys {', '.join(sorted(missing))} had not replayed {lsn} after {wanted.wait} s.",
                "See replication_status on the primary and on these standbys.",
                "not_replayed",
                delays_ms=delays,
            )
        time.sleep(POLL_SECONDS)
    return {name: delays[name] for name in wanted.standbys}


def read(server: Server, wanted: Probe, check: bool) -> dict[str, Any]:
    if not server.row("SELECT pg_is_in_recovery() AS standby")["standby"]:
        raise PgFleetError(f"{server} is not a standby.", "Read its status with replication_status.", "wrong_role")
    if check:
        return {"changed": False, "refused_with": READ_ONLY_TRANSACTION}
    wait_for_row(server, wanted)
    try:
        server.rows("INSERT INTO pgfleet_probe.probe VALUES ('refused')")
    except QueryFailed as error:
        if error.facts.get("sqlstate") == READ_ONLY_TRANSACTION:
            return {"changed": False, "refused_with": READ_ONLY_TRANSACTION}
        raise
    raise PgFleetError(
        f"{server} took a write, so it is not a standby.", "Read its status with replication_status.", "wrong_role"
    )


def wait_for_row(server: Server, wanted: Probe) -> None:
    deadline = time.monotonic() + wanted.wait
    while not has_row(server, wanted.token):
        if time.monotonic() > deadline:
            raise PgFleetError(
                f"The row '{wanted.token}' was not seen on {server} within {wanted.wait} s.",
                "See replication_status on this standby.",
                "not_replayed",
            )
        time.sleep(POLL_SECONDS)


def has_row(server: Server, token: str) -> bool:
    if server.row("SELECT to_regclass('pgfleet_probe.probe') IS NULL AS missing")["missing"]:
        return False
    return bool(server.rows("SELECT 1 FROM pgfleet_probe.probe WHERE token = %s", (token,)))


def remove(server: Server, _wanted: Probe, check: bool) -> dict[str, Any]:
    there = bool(server.rows("SELECT 1 FROM pg_namespace WHERE nspname = 'pgfleet_probe'"))
    if there:
        with only_tried(server, check):
            server.rows("DROP SCHEMA pgfleet_probe CASCADE")
    return {"changed": there}


def switch(server: Server, _wanted: Probe, check: bool) -> dict[str, Any]:
    """Begin a new WAL file, where something was written to this one, so that it is archived."""
    if not check:
        server.rows("SELECT pg_switch_wal()")
    return {"changed": False}


ACTIONS = {"write": write, "read": read, "remove": remove, "switch": switch}
