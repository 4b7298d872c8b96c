"""Why a server does not run, out of what lies around it."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._server.why_stopped import (
    Surroundings,
    causes,
    last_words,
    unit_state,
)

STARTED = [
    "2026-11-25 11:00:00.000 UTC [7] LOG:  starting PostgreSQL 15.18 (Debian 15.18-0+deb12u1)",
    "2026-11-25 11:00:00.100 UTC [7] LOG:  database system is ready to accept connections",
]
STOPPED = [
    "2026-11-25 11:05:00.000 UTC [7] LOG:  received fast shutdown request",
    "2026-11-25 11:05:00.001 UTC [9] postgres@shop FATAL:  terminating connection due to administrator command",
    "2026-11-25 11:05:00.100 UTC [7] LOG:  database system is shut down",
]
BAD_SETTING = [
    '2026-11-25 11:06:00.000 UTC [8] LOG:  invalid value for parameter "work_mem": "much"',
    '2026-11-25 11:06:00.000 UTC [8] FATAL:  configuration file "/etc/postgresql/15/main/postgresql.conf" contains errors',
]
NO_MEMORY = [
    "2026-11-25 11:06:00.000 UTC [8] FATAL:  could not map anonymous shared memory: Cannot allocate memory",
    "2026-11-25 11:06:00.000 UTC [8] HINT:  This error usually means that PostgreSQL's request exceeded available memory.",
    "2026-11-25 11:06:00.000 UTC [8] LOG:  database system is shut down",
]
FULL_DISK = [
    '2026-11-25 11:05:00.000 UTC [8] PANIC:  could not write to file "pg_wal/xlogtemp.8": No space left on device'
]
SESSIONS = [
    "2026-11-25 11:04:00.000 UTC [9] shop@shop FATAL:  sorry, too many clients already",
    '2026-11-25 11:04:00.000 UTC [9] FATAL:  password authentication failed for user "shop"',
    "2026-11-25 11:04:00.000 UTC [9] FATAL:  could not receive data from WAL stream: server closed the connection",
]

LOGS: dict[str, tuple[list[str], str]] = {
    "no log": ([], ""),
    "it was stopped": ([*STARTED, *STOPPED], "received fast shutdown request"),
    "a setting since": (
        [*STARTED, *STOPPED, *BAD_SETTING],
        'invalid value for parameter "work_mem": "much" configuration file',
    ),
    "a start that failed, with its hint": (
        [*STARTED, *STOPPED, *NO_MEMORY],
        "could not map anonymous shared memory: Cannot allocate memory This error",
    ),
    "it died": ([*STARTED, *FULL_DISK], "No space left on device"),
    "it started again, and was stopped, after a failure": (
        [*NO_MEMORY, *STARTED, *STOPPED],
        "received fast shutdown request",
    ),
    "sessions that were refused do not count": ([*STARTED, *SESSIONS], ""),
    "nor before a stop": ([*STARTED, *SESSIONS, *STOPPED], "received fast shutdown request"),
    "not a log of PostgreSQL": (["hello", "world"], ""),
}


@pytest.mark.parametrize(("lines", "words"), LOGS.values(), ids=LOGS.keys())
def test_last_words(lines: list[str], words: str) -> None:
    found = last_words(lines)
    assert words in found
    assert bool(found) == bool(words)


CAUSES: dict[str, tuple[Surroundings, list[str]]] = {
    "nothing to be seen": (Surroundings("shut down"), []),
    "a masked unit": (Surroundings("shut down", STOPPED, "postgresql@15-main", "masked"), ["unit_masked", "log"]),
    "a failed unit": (
        Surroundings("shut down", BAD_SETTING, "postgresql@15-main", "failed", "exit-code"),
        ["log", "unit_failed"],
    ),
    "a tablespace that is not there": (
        Surroundings("in production", NO_MEMORY, broken_links=("x -> /mnt/t",)),
        ["directory_missing", "log"],
    ),
    "a full disk": (Surroundings("in production", FULL_DISK, free_bytes=4096), ["disk_full", "log"]),
    "killed": (Surroundings("in production", STARTED, free_bytes=1 << 30), ["ended_without_shutdown"]),
    "a standby that was killed": (Surroundings("in archive recovery"), ["ended_without_shutdown"]),
}


@pytest.mark.parametrize(("around", "codes"), CAUSES.values(), ids=CAUSES.keys())
def test_causes(around: Surroundings, codes: list[str]) -> None:
    assert [each.code for each in causes(around)] == codes
    assert all(each.sentence.strip() for each in causes(around))


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        ({}, None),
        ({"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}, "active"),
        ({"LoadState": "masked", "ActiveState": "active", "UnitFileState": "masked"}, "masked"),
        ({"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "masked-runtime"}, "masked"),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, "not-found"),
        ({"LoadState": "loaded", "ActiveState": "failed"}, "failed"),
    ],
)
def test_unit_state(shown: dict[str, str], state: str | None) -> None:
    assert unit_state(shown) == state
