# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read what a server shows and what its files are, and judge both."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .._errors import PgFleetError
from .._host.machine import owner_name, read_text
from .certificate import Certificate, leaf_of
from .flaws import ACCEPTED, INVALID, MISSING, NOT_ITS_KEY, Flaw, Verdict
from .handshake import look_at
from .judge import FileCheck, KeyFile, failing, file_flaws, shown_flaws
from .peer import Peer, Shown
from .rehearsal import key_fits, rehearse_all

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Question:
    """What is to be looked at, and what is expected."""

    peer: Peer | None
    files: Sequence[FileCheck]
    ca_file: str
    certificate_file: str
    min_version: str
    warn_days: float


@dataclass(frozen=True)
class Answer:
    """What was found."""

    shown: Shown | None
    leaves: tuple[Certificate | None, ...]
    flaws: tuple[Flaw, ...]


def find_out(question: Question, wait: float) -> Answer:
    """Until nothing is wrong, or the time is up: a reload takes a moment, and a server that starts takes more."""
    end = time.monotonic() + wait
    while True:
        answer = _look(question, datetime.now(timezone.utc))
        if not failing(answer.flaws) or time.monotonic() >= end:
            return answer
        time.sleep(_POLL_SECONDS)


def _look(question: Question, now: datetime) -> Answer:
    flaws: list[Flaw] = []
    shown = look_at(question.peer) if question.peer else None
    if question.peer and shown:
        expected = _expected(question.certificate_file, flaws)
        flaws += shown_flaws(question.peer, shown, now, question.warn_days, expected, question.min_version)
    leaves = tuple(_look_at_file(check, question, now, flaws) for check in question.files)
    return Answer(shown, leaves, tuple(flaws))


def _expected(path: str, flaws: list[Flaw]) -> Certificate | None:
    return _leaf(path, flaws) if path else None


def _leaf(path: str, flaws: list[Flaw]) -> Certificate | None:
    if not os.path.exists(path):
        flaws.append(Flaw(MISSING, f"There is no file '{path}'."))
        return None
    try:
        return leaf_of(read_text(path), f"'{path}'")
    except PgFleetError as error:
        flaws.append(Flaw(INVALID, error.message))
        return None


def _look_at_file(check: FileCheck, question: Question, now: datetime, flaws: list[Flaw]) -> Certificate | None:
    leaf, key = _leaf(check.certificate, flaws), _key(check.key, flaws)
    if leaf and key:
        flaws += file_flaws(check, leaf, key, _verdict(check, question.ca_file), now, question.warn_days)
    return leaf


def _verdict(check: FileCheck, ca_file: str) -> Verdict:
    if ca_file:
        return rehearse_all(check.certificate, check.key, read_text(ca_file), check.usages)
    return ACCEPTED if key_fits(check.certificate, check.key) else Verdict(NOT_ITS_KEY)


def _key(path: str, flaws: list[Flaw]) -> KeyFile | None:
    try:
        state = os.stat(path)
    except FileNotFoundError:
        flaws.append(Flaw(MISSING, f"There is no key '{path}'."))
        return None
    return KeyFile(path, owner_name(state.st_uid), state.st_uid == 0, stat.S_IMODE(state.st_mode))


def as_result(answer: Answer) -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    shown = answer.shown
    return {
        "server": _server(shown, now) if shown else None,
        "files": [leaf.as_result(now) if leaf else None for leaf in answer.leaves],
        "findings": [flaw.as_result() for flaw in answer.flaws],
    }


def _server(shown: Shown, now: datetime) -> dict[str, Any]:
    verified = shown.verdict.code == 0 if shown.checked and shown.leaf else None
    return {
        "tls": bool(shown.leaf),
        "version": shown.version or None,
        "cipher": shown.cipher or None,
        "verified": verified,
        "words": shown.words or shown.verdict.words or None,
        "certificate": shown.leaf.as_result(now) if shown.leaf else None,
    }
