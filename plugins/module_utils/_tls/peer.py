# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A server that is asked for its certificate, and what it showed. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from .certificate import Certificate
from .flaws import ACCEPTED, Verdict

POSTGRESQL, TLS = PROTOCOLS = ("postgresql", "tls")


@dataclass(frozen=True)
class Peer:
    """A server, the name that it must prove, and by whom."""

    host: str
    port: int
    name: str = ""
    protocol: str = POSTGRESQL
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    seconds: float = 5

    @property
    def called(self) -> str:
        return self.name or self.host

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Shown:
    """What came of it. ``trouble`` is the code of a handshake that showed no certificate; ``checked``: there was somebody to trust."""

    trouble: str = ""
    words: str = ""
    version: str = ""
    cipher: str = ""
    leaf: Certificate | None = None
    checked: bool = False
    verdict: Verdict = ACCEPTED
