# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a server's TLS, and the files that it reads, are what they must be. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .certificate import Certificate
from .flaws import (
    EXPIRING,
    KEY_MODE,
    NOT_LOADED,
    TLS_OLD,
    Flaw,
    Verdict,
    chain_flaws,
    date_flaws,
    name_flaws,
    usage_flaws,
)
from .peer import Peer, Shown
from .wanted import SERVER

#: Reported, but no reason to stop.
WARNINGS = frozenset((EXPIRING,))
VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class KeyFile:
    """Whose a key is and who may read it."""

    path: str
    owner: str
    by_root: bool
    mode: int


@dataclass(frozen=True)
class FileCheck:
    """A certificate file that a server or client reads, and what it must be good for."""

    certificate: str
    key: str
    names: tuple[str, ...] = ()
    usages: tuple[str, ...] = (SERVER,)
    owner: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> FileCheck:
        names, usages = tuple(params["names"]), tuple(params["usages"])
        return cls(params["certificate"], params["key"], names, usages, params["owner"] or "")


def shown_flaws(
    peer: Peer, shown: Shown, now: datetime, warn_days: float, expected: Certificate | None, least: str
) -> Iterator[Flaw]:
    """What is wrong with what a server shows. ``expected`` is the certificate of the file that it was to load."""
    if shown.trouble or shown.leaf is None:
        yield Flaw(
            shown.trouble or "tls_failed", f"{peer.address} showed no certificate: {shown.words or 'there is none'}."
        )
        return
    what = f"The certificate of {peer.address}"
    yield from date_flaws(shown.leaf, what, now, warn_days)
    yield from name_flaws(shown.leaf, what, [peer.called], shown.verdict)
    yield from usage_flaws(shown.leaf, what, [SERVER])
    yield from chain_flaws(shown.leaf, what, shown.verdict)
    if expected and expected.fingerprint != shown.leaf.fingerprint:
        yield Flaw(
            NOT_LOADED,
            f"{peer.address} still shows the certificate {shown.leaf.serial}, while its file has {expected.serial}.",
        )
    if least and VERSIONS.index(least) > VERSIONS.index(shown.version):
        yield Flaw(TLS_OLD, f"{peer.address} agreed on {shown.version}, which is older than {least}.")


def file_flaws(
    check: FileCheck, leaf: Certificate, key: KeyFile, verdict: Verdict, now: datetime, warn_days: float
) -> Iterator[Flaw]:
    """What is wrong with files, whether a server has loaded them or not."""
    what = f"'{check.certificate}'"
    yield from date_flaws(leaf, what, now, warn_days)
    yield from name_flaws(leaf, what, check.names)
    yield from usage_flaws(leaf, what, check.usages)
    yield from chain_flaws(leaf, what, verdict)
    yield from key_flaws(key, check.owner)


def key_flaws(key: KeyFile, owner: str) -> Iterator[Flaw]:
    """What PostgreSQL and its clients accept; it starts with nothing else, and ignores it in a reload."""
    allowed = 0o640 if key.by_root else 0o600
    if key.mode & ~allowed & 0o777:
        yield Flaw(KEY_MODE, f"The key '{key.path}' has mode {key.mode:04o}.")
    if owner and not key.by_root and key.owner != owner:
        yield Flaw(KEY_MODE, f"The key '{key.path}' belongs to {key.owner}, not to {owner}.")


def failing(flaws: tuple[Flaw, ...]) -> tuple[Flaw, ...]:
    return tuple(flaw for flaw in flaws if flaw.code not in WARNINGS)
