# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A database session that never waits longer than it is told, whatever happens to the server or to the way there."""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence
from typing import Any

try:
    import psycopg2
    from psycopg2 import extensions
except ImportError:
    psycopg2 = None  # type: ignore[assignment]

#: The kernel gives up on a peer that does not even acknowledge packets (a machine that was switched off).
TCP_TIMEOUT_MS = 3000
WITHOUT_CODE = "unreachable"


class Failed(Exception):
    """A session that ended, or was never there; ``code`` is the SQLSTATE, or a word where there is none."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Session:
    """One connection, not in a transaction, opened within ``seconds``."""

    def __init__(self, target: Mapping[str, Any], seconds: float) -> None:
        try:
            self._connection: Any = psycopg2.connect(**target, tcp_user_timeout=TCP_TIMEOUT_MS, async_=True)
        except psycopg2.Error as error:
            raise _failed(error) from error
        try:
            self._wait(time.monotonic() + seconds)
        except Failed:
            self.close()
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the server that answered, out of those that were asked."""
        info = self._connection.info
        return str(info.host), int(info.port)

    @property
    def warned(self) -> bool:
        """Whether the server warned since the last question; a commit that no standby confirmed comes with a warning."""
        return any(notice.startswith("WARNING") for notice in self._connection.notices)

    def query(self, statement: str, arguments: Sequence[Any], seconds: float) -> list[tuple[Any, ...]]:
        """Rows of a statement; Failed when they are not there in time, and then the session is over."""
        self._connection.notices.clear()
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement, tuple(arguments) or None)
            self._wait(time.monotonic() + seconds)
            return list(cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            raise _failed(error) from error

    def close(self) -> None:
        self._connection.close()

    def _wait(self, deadline: float) -> None:
        try:
            while (state := self._connection.poll()) != extensions.POLL_OK:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failed("timeout", "no answer in time")
                socket = [self._connection.fileno()]
                wanted = (socket, []) if state == extensions.POLL_READ else ([], socket)
                select.select(*wanted, [], left)
        except psycopg2.Error as error:
            raise _failed(error) from error


def _failed(error: Exception) -> Failed:
    return Failed(getattr(error, "pgcode", None) or WITHOUT_CODE, " ".join(str(error).split()))
