# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A handshake in memory: OpenSSL itself says whether a certificate, its key and the authorities fit, as a client or server would see it."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from .flaws import ACCEPTED, NOT_ITS_KEY, REFUSED, Verdict
from .wanted import CLIENT

_ROUNDS = 8


def key_fits(certificate: str, key: str) -> bool:
    """Whether a key file belongs to a certificate file. One with a passphrase fits nothing: no server could load it."""
    try:
        _loaded(ssl.PROTOCOL_TLS_SERVER, certificate, key)
    except (OSError, ValueError):  # SSLError is an OSError
        return False
    return True


def rehearse(certificate: str, key: str, trusted: str, usage: str) -> Verdict:
    """Let one who trusts only these authorities (PEM) check a certificate file that is used as server or client."""
    if not key_fits(certificate, key):
        return Verdict(NOT_ITS_KEY)
    server, client = (_loaded(end, certificate, key) for end in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    judge = server if usage == CLIENT else client
    judge.verify_mode = ssl.CERT_REQUIRED
    try:
        if trusted:
            judge.load_verify_locations(cadata=trusted)
        _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        return Verdict(error.verify_code, error.verify_message)
    except ssl.SSLError as error:
        return Verdict(REFUSED, error.reason or str(error))
    return ACCEPTED


def rehearse_all(certificate: str, key: str, trusted: str, usages: Iterable[str]) -> Verdict:
    """The verdict on the first usage that is not accepted."""
    verdicts = [rehearse(certificate, key, trusted, usage) for usage in usages]
    return next((verdict for verdict in verdicts if verdict.code), ACCEPTED)


def rehearse_text(certificate: str, key: str, trusted: str, usages: Iterable[str]) -> Verdict:
    """The same with texts, which OpenSSL takes from files only."""
    with _files(certificate, key) as (certificate_file, key_file):
        return rehearse_all(certificate_file, key_file, trusted, usages)


def _loaded(protocol: int, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(certificate, key, password=lambda: b"")
    return context


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for _round in range(_ROUNDS):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()


@contextmanager
def _files(*texts: str) -> Iterator[list[str]]:
    """Files that nobody else can read, as long as they are needed."""
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        paths = [os.path.join(folder, str(number)) for number in range(len(texts))]
        for path, content in zip(paths, texts):
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
                file.write(content)
        yield paths
