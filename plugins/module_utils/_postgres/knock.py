# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Ask a server for a session in its own protocol, without a login, to see whether anything answers and with which code.

The client library gives neither SQLSTATE nor anything else that does not depend on the server's language.
Source: PostgreSQL manual, Message Formats (StartupMessage, ErrorResponse).
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

_PROTOCOL = 196608
_MOST_BYTES = 8192


@dataclass(frozen=True)
class Knock:
    """``answered``: a server sent something; ``sqlstate`` when that was an error."""

    answered: bool
    sqlstate: str = ""
    words: str = ""


def knock(host: str, port: int, user: str, database: str, seconds: float) -> Knock:
    """Ask at a socket directory or an address."""
    body = struct.pack("!i", _PROTOCOL) + b"\0".join(
        word.encode() for word in ("user", user, "database", database, "", "")
    )
    try:
        with _open(host, port, seconds) as line:
            line.settimeout(seconds)
            line.sendall(struct.pack("!i", len(body) + 4) + body)
            return read_reply(line.recv(_MOST_BYTES))
    except (OSError, ValueError):
        return Knock(False)


def _open(host: str, port: int, seconds: float) -> socket.socket:
    if not os.path.isabs(host):
        return socket.create_connection((host, port), seconds)
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(seconds)
    try:
        line.connect(os.path.join(host, f".s.PGSQL.{port}"))
    except OSError:
        line.close()
        raise
    return line


def read_reply(reply: bytes) -> Knock:
    """The first message of a server: an error with its fields, or anything else that shows that one is there."""
    if not reply.startswith(b"E"):
        return Knock(bool(reply))
    parts = [part.decode(errors="replace") for part in reply[5:].split(b"\0") if part]
    fields = {part[0]: part[1:] for part in parts}
    return Knock(True, fields.get("C", ""), fields.get("M", ""))
