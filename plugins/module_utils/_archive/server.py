# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read from a server where its WAL is, and what its archiver does."""

from __future__ import annotations

from typing import Any

from .._host.machine import filesystem_of
from .._postgres.connection import Server
from .._postgres.controldata import parse_history
from .gaps import Lineage
from .values import Archiving, ServerWal, hours_until_full

_SYSTEM = """
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       (SELECT timeline_id FROM pg_control_checkpoint()) AS checkpoint_timeline,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS segment_bytes,
       current_setting('data_directory') AS data_directory, pg_is_in_recovery() AS standby
"""
_POSITION = "SELECT (pg_current_wal_lsn() - '0/0')::bigint AS position, left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline"
_REPLAYED = "SELECT (coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0')::bigint AS position"
#: A missing file is none: a primary that was never promoted has no history.
_HISTORY = "SELECT pg_read_file('pg_wal/' || %s || '.history', 0, 1000000, true) AS history"
_ARCHIVING = """
SELECT current_setting('archive_mode') AS mode, current_setting('archive_command') AS command,
       coalesce(current_setting('archive_library', true), '') AS library,
       (SELECT setting::int FROM pg_settings WHERE name = 'archive_timeout') AS timeout,
       archived_count, failed_count, last_archived_wal AS last_archived, last_failed_wal AS last_failed,
       extract(epoch FROM clock_timestamp() - last_archived_time)::float8 AS last_archived_seconds,
       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing
  FROM pg_stat_archiver
"""
_READY = """
SELECT coalesce(array_agg(left(name, -6) ORDER BY name), '{}') AS ready,
       extract(epoch FROM clock_timestamp() - min(modification))::float8 AS oldest_ready_seconds
  FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
"""
#: What the server shows for archive_command while archive_mode is off.
_DISABLED = "(disabled)"


def read_server(server: Server) -> ServerWal:
    """The position first, then the files that wait: one that is finished in between is not looked for yet."""
    system = server.row(_SYSTEM)
    timeline, position = _where(server, system)
    archiving, ready = server.row(_ARCHIVING), server.row(_READY)
    archiving["command"] = archiving["command"].replace(_DISABLED, "")
    return ServerWal(
        address=server.address,
        system_identifier=system["system_identifier"],
        version=server.major,
        segment_bytes=system["segment_bytes"],
        data_directory=system["data_directory"],
        standby=system["standby"],
        lineage=Lineage(timeline, parse_history(_history(server, timeline))),
        position=position,
        archiving=Archiving(**archiving, **ready),
    )


def _where(server: Server, system: dict[str, Any]) -> tuple[int, int]:
    if system["standby"]:
        return int(system["checkpoint_timeline"]), int(server.row(_REPLAYED)["position"])
    found = server.row(_POSITION)
    return int(found["timeline"], 16), int(found["position"])


def _history(server: Server, timeline: int) -> str:
    return "" if timeline == 1 else server.row(_HISTORY, [f"{timeline:08X}"])["history"] or ""


def switch_wal(server: Server) -> int:
    """End the present segment, so that it can be archived; returns up to where the WAL goes that must then be there."""
    return int(server.row("SELECT (pg_switch_wal() - '0/0')::bigint AS position")["position"])


def read_disk(path: str, wal: ServerWal) -> dict[str, Any]:
    """The file system of pg_wal, and when it is full."""
    found = filesystem_of(path)
    hours = hours_until_full(found["free_bytes"], wal.ready_bytes, wal.archiving.oldest_ready_seconds)
    return {**found, "hours_until_full": hours}
