# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A handshake with a server, to read back the certificate that it really shows.

Source: PostgreSQL manual, Message Flow (SSL Session Encryption).
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from .._errors import PgFleetError
from .certificate import parse
from .flaws import ACCEPTED, MISSING, NO_TLS, TLS_FAILED, UNREACHABLE, Verdict
from .peer import POSTGRESQL, Peer, Shown

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_MOST_BYTES = 8192


class _NoHandshake(Exception):
    def __init__(self, code: str, words: str) -> None:
        super().__init__(code, words)
        self.shown = Shown(code, words)


def look_at(peer: Peer) -> Shown:
    """As a client would that trusts only the authorities of the file, or, without one, anybody."""
    checking = bool(peer.ca_file)
    try:
        try:
            return _shake(peer, checking, ACCEPTED)
        except ssl.SSLCertVerificationError as error:
            # One that is not trusted is shown only to those who do not ask.
            return _shake(peer, False, Verdict(error.verify_code, error.verify_message))
    except _NoHandshake as error:
        return error.shown
    except ssl.SSLError as error:
        return Shown(TLS_FAILED, error.reason or str(error))
    except (OSError, ValueError) as error:
        return Shown(UNREACHABLE, str(getattr(error, "strerror", None) or error))


def _shake(peer: Peer, checking: bool, verdict: Verdict) -> Shown:
    context = _context(peer, checking)
    with _line(peer) as line, context.wrap_socket(line, server_hostname=peer.called) as session:
        der = session.getpeercert(binary_form=True)
        cipher = session.cipher()
        return Shown(
            version=session.version() or "",
            cipher=cipher[0] if cipher else "",
            leaf=parse(der) if der else None,
            checked=bool(peer.ca_file),
            verdict=verdict,
        )


def _context(peer: Peer, checking: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and name, as verify-full does
    try:
        if checking:
            context.load_verify_locations(peer.ca_file)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if peer.client_certificate:
            context.load_cert_chain(peer.client_certificate, peer.client_key or None, password=lambda: b"")
    except OSError as error:
        path = error.filename or (peer.ca_file if checking else peer.client_certificate)
        raise PgFleetError(
            f"'{path}' cannot be used: {error.strerror or error}.", "Correct the path.", MISSING
        ) from None
    return context


@contextmanager
def _line(peer: Peer) -> Iterator[socket.socket]:
    """A connection on which the server expects the handshake."""
    with socket.create_connection((peer.host, peer.port), peer.seconds) as line:
        if peer.protocol == POSTGRESQL:
            line.sendall(_SSL_REQUEST)
            _accept(line.recv(1), line)
        yield line


def _accept(reply: bytes, line: socket.socket) -> None:
    if reply == b"S":
        return
    if reply == b"N":
        raise _NoHandshake(NO_TLS, "The server does not offer TLS")
    if reply == b"E":
        words = [part.decode(errors="replace") for part in line.recv(_MOST_BYTES)[4:].split(b"\0")]
        said = next((part[1:] for part in words if part.startswith("M")), " ".join(words).strip())
        raise _NoHandshake(TLS_FAILED, said)
    raise _NoHandshake(
        UNREACHABLE if not reply else TLS_FAILED,
        "The server does not speak PostgreSQL's protocol" if reply else "It closed the connection",
    )
