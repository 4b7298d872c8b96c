# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read the status of one node, with what is wrong and why, until it is as expected."""

from __future__ import annotations

import time
from typing import Any

from .._errors import ConnectFailed
from .._postgres.login import Login
from .._server.surroundings import free_bytes, show_unit
from .._server.why_stopped import unit_state
from .directory import OnMachine, read_unreachable, refusal_reason
from .expectations import Expectations, check
from .findings import findings
from .reasons import Reason, reason, unique
from .server import Watch
from .upstream import explain_silence
from .values import Status

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 1.0
#: What no waiting heals: a person must correct a file. The pause is for a reload that is under way.
LASTING = {"settings_error", "hba_error"}
LASTING_SECONDS = 5.0
#: Four WAL files: less than a promotion with its first checkpoint may take.
MIN_FREE_BYTES = 64 * 1024 * 1024
#: Reasons for which it is worth asking the upstream server.
SILENCE = {"no_wal_receiver", "receiver_stuck", "not_streaming", "lagging", "not_replayed"}


def look_until(
    login: Login, where: OnMachine, expect: Expectations | None = None, wait: float = 0, sizes: bool = False
) -> dict[str, Any]:
    """The result of replication_status; ``failed`` when the expectations are not met after ``wait`` seconds."""
    started = time.monotonic()
    with Watch(login) as watch:
        status, trouble, unmet = _observe_until(watch, where, expect, wait)
        waited = time.monotonic() - started
        found = findings(status) + _unit_trouble(status, where.unit) + _disk_trouble(status, watch.local)
        asked = found if expect is None else unmet
        why = _silence(watch, status) if any(each.code in SILENCE for each in asked) else ()
        size = watch.database_bytes() if sizes else None
    return {
        "changed": False,
        "failed": bool(expect and (trouble or unmet)),
        "status": {**status.as_result(), "database_bytes": size},
        "reasons": [each.as_result() for each in unique(trouble + asked + why)],
        "findings": [each.as_result() for each in unique(trouble + found + (() if status.archive_only else why))],
        "waited_seconds": round(waited, 3),
    }


def _observe_until(
    watch: Watch, where: OnMachine, expect: Expectations | None, wait: float
) -> tuple[Status, tuple[Reason, ...], tuple[Reason, ...]]:
    """Status, trouble and unmet expectations, as soon as there are none or when the time is up."""
    started = time.monotonic()
    deadline = started + wait
    pause = FIRST_PAUSE
    while True:
        status, trouble = _observe(watch, where, deadline - time.monotonic() if wait else 0)
        unmet = check(status, expect) if expect else ()
        left = deadline - time.monotonic()
        lasting = {each.code for each in trouble + unmet} <= LASTING and time.monotonic() - started > LASTING_SECONDS
        if expect is None or not (trouble or unmet) or left <= 0 or lasting:
            return status, trouble, unmet
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _observe(watch: Watch, where: OnMachine, patience: float) -> tuple[Status, tuple[Reason, ...]]:
    """The status now, and why there is no session, or none for others, when that is so."""
    try:
        status = watch.read(patience)
        return status, () if watch.refusal is None else (refusal_reason(watch.refusal),)
    except ConnectFailed as failure:
        return read_unreachable(watch.login, where, failure)


def _unit_trouble(status: Status, unit: str | None) -> tuple[Reason, ...]:
    """A server that runs and could not be started again: worth knowing before somebody stops it."""
    if not status.running or unit_state(show_unit(unit)) != "masked":
        return ()
    return (
        reason("unit_masked", f"{status.address} runs, but its unit {unit} is masked: once stopped, it stays stopped."),
    )


def _disk_trouble(status: Status, local: bool) -> tuple[Reason, ...]:
    """A server that will soon stop by itself."""
    data = status.data_directory
    free = free_bytes(data) if status.running and local and data else None
    if free is None or free >= MIN_FREE_BYTES:
        return ()
    return (reason("disk_nearly_full", f"{status.address} has {free // 1024} kB left on its disk.", free_bytes=free),)


def _silence(watch: Watch, status: Status) -> tuple[Reason, ...]:
    """Why a standby does not stream; asked from its own machine only, for elsewhere the answer may be another."""
    may_ask = status.known and watch.local and watch.conninfo is not None
    if not may_ask or not status.is_standby or status.receiving:
        return ()
    return explain_silence(status, watch.conninfo or {})
