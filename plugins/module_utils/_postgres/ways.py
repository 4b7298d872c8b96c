# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a node could follow others: log in at each of them for replication, as its server would."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from .._errors import PgFleetError
from .connection import connect
from .login import Login
from .passfile import check_passfile
from .replication import check_slot

_MOST_AT_ONCE = 16
_POLL_SECONDS = 0.2
#: Reasons that may pass, as sessions come and go.
_PASSING = ("no_free_wal_sender", "not_accepting_connections")


class WayClosed(PgFleetError):
    """A node could not follow another."""

    code = "way_closed"


@dataclass(frozen=True)
class Way:
    """A way to another node, and why it does not work; ``code`` is empty when it does."""

    name: str
    address: str
    seconds: float
    code: str = ""
    message: str = ""
    remedy: str = ""

    @property
    def works(self) -> bool:
        return not self.code

    def as_result(self) -> dict[str, Any]:
        return {**asdict(self), "works": self.works}


def try_ways(targets: Sequence[Mapping[str, Any]], login: Login) -> tuple[Way, ...]:
    """All ways, tried at the same time."""
    if not targets:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(targets), _MOST_AT_ONCE)) as pool:
        return tuple(pool.map(lambda each: _try(each, login), targets))


def _try(target: Mapping[str, Any], login: Login) -> Way:
    there = replace(login, host=target["address"], hostaddr=target["hostaddr"], port=target["port"])
    began = time.monotonic()
    while True:
        error = _refusal(there, target.get("slot"))
        waited = time.monotonic() - began
        if error is None or error.code not in _PASSING or waited >= login.connect_timeout:
            break
        time.sleep(_POLL_SECONDS)
    said = ("", "", "") if error is None else (error.code, error.message, error.remedy)
    return Way(target["name"], there.address, round(waited, 3), *said)


def _refusal(login: Login, slot: str | None) -> PgFleetError | None:
    try:
        if login.passfile:
            check_passfile(login.passfile)
        with connect(login, replication=True) as server:
            server.row("IDENTIFY_SYSTEM")
            if slot:
                check_slot(server, slot)
    except PgFleetError as error:
        return error
    return None


def closed(origin: str, ways: Iterable[Way]) -> WayClosed | None:
    """The error that names every way that does not work; None when all do."""
    failed = [way for way in ways if not way.works]
    if not failed:
        return None
    words = " ".join(f"{origin} could not follow {way.name}: {way.message}" for way in failed)
    remedies = " ".join(dict.fromkeys(way.remedy for way in failed if way.remedy))
    return WayClosed(words, f"{remedies} Nothing was changed.".strip(), ways=[way.as_result() for way in failed])
