# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read and change the replication slots of a server."""

from __future__ import annotations

import time

from .._errors import QueryFailed, SlotConflict
from .._postgres.connection import Server, connect
from .._postgres.login import Login
from .plan import LOGICAL, ServerLimits, Slot, SlotPlan, WantedSlot

#: Columns of pg_replication_slots and the major version that brought them.
_NEWER_COLUMNS = {
    "two_phase": 14,
    "failover": 17,
    "synced": 17,
    "invalidation_reason": 17,
    "inactive_since": 17,
}
_OBJECT_IN_USE = "55006"
_POLL_SECONDS = 0.1


def _column(server: Server, name: str, cast: str = "") -> str:
    return f"{name}{cast} AS {name}" if server.major >= _NEWER_COLUMNS[name] else f"NULL AS {name}"


def read_slots(server: Server) -> tuple[Slot, ...]:
    """All slots, ordered by name (manual: pg_replication_slots)."""
    newer = ", ".join(_column(server, name, "::text" if name == "inactive_since" else "") for name in _NEWER_COLUMNS)
    rows = server.rows(
        "SELECT slot_name AS name, slot_type, plugin, database, temporary, active, active_pid,"
        " restart_lsn::text, confirmed_flush_lsn::text, wal_status, safe_wal_size,"
        " pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()"
        " ELSE pg_current_wal_lsn() END, restart_lsn)::bigint AS retained_bytes,"
        f" {newer} FROM pg_replication_slots ORDER BY slot_name"
    )
    return tuple(Slot(**row) for row in rows)


def read_limits(server: Server) -> ServerLimits:
    """What bounds the slots of this server."""
    row = server.row(
        "SELECT current_setting('max_replication_slots')::int AS max_replication_slots,"
        " current_setting('wal_level') AS wal_level,"
        " (SELECT array_agg(datname::text) FROM pg_database WHERE datallowconn) AS databases"
    )
    return ServerLimits(**{**row, "databases": tuple(row["databases"])})


def require_features(server: Server, wanted: tuple[WantedSlot, ...]) -> None:
    """Refuse what this server's version does not have."""
    if any(want.two_phase for want in wanted):
        server.require("A slot with two_phase", 14)
    if any(want.failover for want in wanted):
        server.require("A slot with failover", 17)


def apply_slots(server: Server, plan: SlotPlan, login: Login, on_active: str, timeout: float) -> None:
    """Do the steps of the plan; waits and terminates as ``on_active`` says."""
    for step in plan.steps:
        if step.slot and not _drop(server, step.slot, on_active, timeout):
            continue
        if step.wanted:
            _create(server, step.wanted, login)


def _create(server: Server, want: WantedSlot, login: Login) -> None:
    if want.slot_type != LOGICAL:
        server.rows("SELECT pg_create_physical_replication_slot(%s, %s)", (want.name, want.reserve_wal))
        return
    named = "temporary => false, twophase => %s" + (", failover => %s" if want.failover else "")
    args = [want.name, want.plugin, want.two_phase] + ([True] if want.failover else [])
    with connect(login, database=want.database) as there:
        there.rows(f"SELECT pg_create_logical_replication_slot(%s, %s, {named})", args)


def _drop(server: Server, slot: Slot, on_active: str, timeout: float) -> bool:
    """Drop a slot; one that is in use is waited for or freed until the time is up.

    A terminated standby comes back within seconds, so terminating and dropping are tried together. False for a lost slot that is lost no
    more: before PostgreSQL 18, its standby uses it again as soon as it has read from an archive what was missing.
    """
    name = slot.name
    deadline = time.monotonic() + timeout
    while True:
        if on_active == "terminate":
            server.rows(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                " WHERE slot_name = %s AND active_pid IS NOT NULL",
                (name,),
            )
        if slot.lost and not _is_lost(server, name):
            return False
        try:
            server.rows(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (name,)
            )
            return True
        except QueryFailed as error:
            if error.facts.get("sqlstate") != _OBJECT_IN_USE:
                raise
            if on_active == "fail" or time.monotonic() >= deadline:
                raise _still_active(server, name, on_active, timeout) from error
        time.sleep(_POLL_SECONDS)


def _is_lost(server: Server, name: str) -> bool:
    return any(slot.lost for slot in read_slots(server) if slot.name == name)


def _still_active(server: Server, name: str, on_active: str, timeout: float) -> SlotConflict:
    row = server.row("SELECT max(active_pid) AS pid FROM pg_replication_slots WHERE slot_name = %s", (name,))
    waited = "" if on_active == "fail" else f" after {timeout} s of trying (on_active: {on_active})"
    return SlotConflict(
        f"Slot '{name}' on {server} is still active{waited}, used by process {row['pid']}.",
        "Stop its consumer, or give a longer timeout or on_active: terminate.",
        "slot_active",
        slot=name,
    )
