# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Ask a server, over replication connections, what it is and whether it would let itself be cloned."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._errors import ConnectFailed, PgFleetError, QueryFailed
from .._lsn import parse_lsn
from .connection import Server, connect
from .controldata import History, parse_history
from .login import Login
from .source import Source

with suppress(ImportError):  # require_psycopg2 says so in the module
    import psycopg2
    from psycopg2 import sql

_GOODBYE_SECONDS = 3.0
#: How the server refuses to stream from a slot, and what pg_basebackup says when it does: words, code, remedy.
SLOT_REFUSALS = (
    (r'replication slot "[^"]*" does not exist', "slot_missing", "Create it first (pgfleet.cluster.replication_slot)."),
    (
        r'replication slot "[^"]*" is active for PID',
        "slot_active",
        "Stop the standby that uses it, or give another slot.",
    ),
    (
        r"cannot use a logical replication slot|with a logical replication slot",
        "slot_mismatch",
        "Give the name of a physical slot.",
    ),
    (
        r"can no longer|has been invalidated|already been removed|exceeded the maximum reserved size",
        "slot_lost",
        "Recreate the slot (pgfleet.cluster.replication_slot with on_lost: recreate), then run again.",
    ),
)


class SourceUnfit(PgFleetError):
    """The server is there, but a clone of it would not work."""

    code = "source_unfit"


@contextmanager
def replication_session(login: Login) -> Iterator[Server]:
    """A session that is gone from the server too when the block ends: its WAL sender and slot are free again."""
    with connect(login, replication=True) as server:
        line = os.dup(server.connection.fileno())
        try:
            yield server
        finally:
            server.connection.close()
            _await_goodbye(line)


def _await_goodbye(line: int) -> None:
    """libpq takes leave only of a session that does not stream; the others end when nothing more can come from here."""
    with socket.socket(fileno=line) as waiting, suppress(OSError):
        waiting.shutdown(socket.SHUT_WR)
        waiting.settimeout(_GOODBYE_SECONDS)
        while waiting.recv(65536):
            pass


def read_source(server: Server) -> Source:
    """What the server says about itself (manual: Streaming Replication Protocol)."""
    system = server.row("IDENTIFY_SYSTEM")
    return Source(
        address=server.address,
        version=server.version,
        system_identifier=str(system["systemid"]),
        timeline=int(system["timeline"]),
        position=parse_lsn(system["xlogpos"]),
        history=_read_history(server, int(system["timeline"])),
        standby=server.connection.get_parameter_status("in_hot_standby") == "on",
    )


def _read_history(server: Server, timeline: int) -> History:
    if timeline == 1:
        return ()
    content = server.row(f"TIMELINE_HISTORY {timeline}")["content"]
    return parse_history(content if isinstance(content, str) else bytes(content).decode(errors="replace"))


def check_slot(server: Server, slot: str) -> None:
    """Refuse a slot that is not there; servers before 15 cannot be asked without using it."""
    if server.major < 15:
        return
    statement = sql.SQL("READ_REPLICATION_SLOT {}").format(sql.Identifier(slot))
    try:
        found = server.row(statement)["slot_type"]
    except QueryFailed as error:
        raise slot_refused(slot, server.address, error.message) or error from error
    if found is None:
        words = f'replication slot "{slot}" does not exist'
        raise slot_refused(slot, server.address, words) or SourceUnfit(words)


def slot_refused(slot: str, address: str, words: str) -> SourceUnfit | None:
    """The error for a slot that cannot be streamed from; None when the words are about something else."""
    for pattern, code, remedy in SLOT_REFUSALS:
        if re.search(pattern, words):
            return SourceUnfit(f"Slot '{slot}' of {address} cannot be used: {words}", remedy, code, slot=slot)
    return None


def rehearse_streaming(login: Login, source: Source, slot: str, patience: float = 0) -> None:
    """Open the two connections that a clone with streamed WAL needs, and stream from the slot for a moment.

    ``patience``: seconds to wait for a WAL sender or a slot that an ended run has only just let go.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with replication_session(login):
                return _rehearse_second(login, source, slot)
        except PgFleetError as error:
            if error.code not in ("no_free_wal_sender", "slot_active") or time.monotonic() >= deadline:
                raise
        time.sleep(0.1)


def _rehearse_second(login: Login, source: Source, slot: str) -> None:
    try:
        with replication_session(login) as second:
            if slot:
                _start_streaming(second, source, slot)
    except ConnectFailed as error:
        if error.code != "no_free_wal_sender":
            raise
        raise ConnectFailed(
            f"A clone that streams WAL needs two free WAL senders, but {source.address} has only one left.",
            error.remedy,
            error.code,
            **error.facts,
        ) from error


def _start_streaming(server: Server, source: Source, slot: str) -> None:
    cursor = server.connection.cursor()
    statement = "START_REPLICATION SLOT {} PHYSICAL {}/{} TIMELINE {}"
    high, low = source.position >> 32, source.position & 0xFFFFFFFF
    name = sql.Identifier(slot).as_string(server.connection)
    try:
        cursor.start_replication_expert(statement.format(name, f"{high:X}", f"{low:X}", source.timeline))
    except psycopg2.Error as error:
        words = " ".join(str(error).split())
        raise slot_refused(slot, server.address, words) or SourceUnfit(
            f"{server} refused to stream from slot '{slot}': {words}", "The server's own words say why."
        ) from error
