# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Find out why a standby does not stream: ask its upstream server what the standby itself would ask.

Runs on the standby's machine, as its owner, with the standby's own primary_conninfo. It never starts to stream over
the standby's slot: the one request that names the slot asks for a position that no server has.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._lsn import parse_lsn
from .._postgres.connection import explain_refusal
from .reasons import Reason, reason
from .values import Status, Upstream

with contextlib.suppress(ImportError):
    import psycopg2
    import psycopg2.extensions
    import psycopg2.extras

_NOWHERE = "FFFFFFFF/FFFFFF00"
_READ_REPLICATION_SLOT = 150000
_ANSWER_SECONDS = 2.0
#: Words of a refused START_REPLICATION and what they mean.
_SAYINGS = (
    ("has already been removed", "wal_removed"),
    ("can no longer access replication slot", "wal_removed"),
    ("can no longer get changes from replication slot", "wal_removed"),
    ("cannot read from", "wal_removed"),
    ("is not in this server's history", "timeline_diverged"),
    ("is ahead of the WAL flush position", "ahead_of_upstream"),
    ("is active for PID", "slot_in_use"),
    ("does not exist", "replication_slot_missing"),
    ("logical replication slot", "replication_slot_missing"),
)


def explain_silence(status: Status, conninfo: Mapping[str, str], timeout: int = 3) -> tuple[Reason, ...]:
    """Why a running standby has no WAL receiver that streams, in its upstream's own words where there are any."""
    upstream = status.upstream
    if upstream is None:
        return (reason("no_upstream", f"{status.address} has no primary_conninfo and follows nobody."),)
    target: dict[str, Any] = {**conninfo, "application_name": "pgfleet", "connect_timeout": timeout}
    for question in (_ask, _ask_for_wal):  # one that has begun to stream takes no more commands
        try:
            connection = psycopg2.connect(connection_factory=psycopg2.extras.PhysicalReplicationConnection, **target)
        except psycopg2.Error as error:
            return (_login_refused(status, upstream, _words(error)),)
        try:
            found = tuple(question(connection, status, upstream))
        except psycopg2.Error as error:
            return (_broken_off(error, status, upstream),)
        finally:
            connection.close()
        if found:
            return found
    return ()


def _broken_off(error: Exception, status: Status, upstream: Upstream) -> Reason:
    """The server's refusal; or that the connection ended, of which only the client library speaks."""
    if _by_server(error):
        return _said(_words(error), status, upstream)
    return reason(
        "upstream_unreachable",
        f"The connection to {_at(upstream)}, which {status.address} follows, ended while it was asked.",
        "Try again; when it lasts, read the log of that server.",
    )


def _by_server(error: Any) -> bool:
    """The client library's own words have no SQLSTATE."""
    return bool(error.pgcode)


def _login_refused(status: Status, upstream: Upstream, words: str) -> Reason:
    cause, remedy = explain_refusal(words)
    code = "upstream_unreachable" if cause == "unreachable" else "replication_login_refused"
    verb = "cannot be reached" if cause == "unreachable" else f"refused the replication login of '{upstream.user}'"
    return reason(
        code,
        f"{_at(upstream)}, which {status.address} follows, {verb}: {words}",
        remedy if code == "replication_login_refused" else "",
        cause=cause,
        server_words=words,
    )


def _ask(connection: Any, status: Status, upstream: Upstream) -> Iterator[Reason]:
    """Identity first, then the slot: each makes sense only when the one before is right."""
    system, timeline, _end = _identify(connection)
    if system != status.system_identifier:
        yield reason(
            "wrong_system_identifier",
            f"{_at(upstream)} has system identifier {system}, but {status.address}, which follows it,"
            f" has {status.system_identifier}.",
            found=system,
            expected=status.system_identifier,
        )
        return
    if upstream.slot:
        words = _slot_words(connection, upstream.slot, timeline)
        if words:
            yield _said(words, status, upstream)


def _ask_for_wal(connection: Any, status: Status, upstream: Upstream) -> Iterator[Reason]:
    words = _wal_words(connection, status, _identify(connection)[2])
    if words:
        yield _said(words, status, upstream)


def _identify(connection: Any) -> tuple[str, int, str]:
    """System identifier, timeline and end of WAL of the server."""
    cursor = connection.cursor()
    cursor.execute("IDENTIFY_SYSTEM")
    system, timeline, end = cursor.fetchone()[:3]
    return system, timeline, end


def _slot_words(connection: Any, slot: str, timeline: int) -> str | None:
    """The refusal that the standby gets for its slot; None when it is free and well."""
    cursor = connection.cursor()
    if connection.server_version >= _READ_REPLICATION_SLOT:
        cursor.execute(f"READ_REPLICATION_SLOT {psycopg2.extensions.quote_ident(slot, cursor)}")
        if cursor.fetchone()[0] is None:
            return f'replication slot "{slot}" does not exist'
    named = psycopg2.extensions.quote_ident(slot, cursor)
    words = _refusal(connection, f"START_REPLICATION SLOT {named} PHYSICAL {_NOWHERE} TIMELINE {timeline}")
    return None if words is None or "is ahead of the WAL flush position" in words else words


def _wal_words(connection: Any, status: Status, end: str) -> str | None:
    """The refusal for the position that the standby needs next, asked for without its slot."""
    replayed = status.lsn.replay
    if not replayed:
        return None
    patience = _ANSWER_SECONDS if parse_lsn(end) > parse_lsn(replayed) else 0
    return _refusal(connection, f"START_REPLICATION PHYSICAL {replayed} TIMELINE {status.timeline}", patience)


def _refusal(connection: Any, command: str, patience: float = 0) -> str | None:
    """What the server says against a START_REPLICATION; None when WAL comes, or nothing for a while.

    A missing segment is noticed only after streaming has begun. What has come with the first answer is no longer seen
    by select(), so reading comes first.
    """
    cursor = connection.cursor()
    deadline = time.monotonic() + patience
    try:
        cursor.start_replication_expert(command)
        while cursor.read_message() is None and time.monotonic() < deadline:
            select.select([connection], [], [], max(0, deadline - time.monotonic()))
    except psycopg2.Error as error:
        if not _by_server(error):
            raise
        return _words(error)
    return None


def _said(words: str, status: Status, upstream: Upstream) -> Reason:
    code = next((code for saying, code in _SAYINGS if saying in words), "replication_login_refused")
    if code == "wal_removed" and status.restores:
        return reason(
            "catching_up_from_archive",
            f"{_at(upstream)} no longer has the WAL that {status.address} needs next ({words}); it reads the archive instead, and has"
            f" replayed up to {status.lsn.replay}.",
            server_words=words,
            slot=upstream.slot,
        )
    return reason(
        code,
        f"{_at(upstream)} does not serve {status.address}: {words}",
        server_words=words,
        slot=upstream.slot,
    )


def _at(upstream: Upstream) -> str:
    return f"{upstream.host}:{upstream.port}"


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
