"""What became of the settings of our file, and the server's reason in its log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.words import is_about_memory, reason_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._settings.state import (
    Line,
    judge,
    override_of,
    same_value,
)

OURS = "/etc/postgresql/15/main/conf.d/pgfleet.conf"
AUTO = "/var/lib/postgresql/15/main/postgresql.auto.conf"
LINE = Line(
    "max_slot_wal_keep_size", "1GB", OURS, 7, "1GB", OURS, 7, None, "1024", "MB", "configuration file", OURS, 7, False
)
BY_AUTO = {"last": "-1", "last_file": AUTO, "last_line": 3, "setting": "-1", "sourcefile": AUTO, "sourceline": 3}

STATES: dict[str, tuple[dict[str, Any], str]] = {
    "in force": ({}, ""),
    "overridden by ALTER SYSTEM": (BY_AUTO, "overridden"),
    "overridden, not yet reloaded": ({"last": "-1", "last_file": AUTO, "last_line": 3}, "overridden"),
    "given again with the same meaning": ({**BY_AUTO, "last": "1024MB", "setting": "1024"}, ""),
    "given again as a bare number": ({**BY_AUTO, "last": "1024", "setting": "1024"}, ""),
    "overridden on the command line": ({"source": "command line", "setting": "5", "sourcefile": None}, "overridden"),
    "the same on the command line": ({"source": "command line", "sourcefile": None}, ""),
    "waits for a restart": ({"pending": True, "setting": "5", "error": "setting could not be applied"}, "pending"),
    "refused": ({"error": "invalid value"}, "refused"),
    "not read": ({"setting": "5", "sourceline": 6}, "missing"),
    "read from another line, the value stays": ({"sourceline": 6}, ""),
    "default still": ({"setting": "-1", "source": "default", "sourcefile": None, "sourceline": None}, "missing"),
    "of no loaded library": ({"setting": None, "source": None, "sourcefile": None}, ""),
    "hidden behind the database's own": ({"setting": "5", "source": "database", "sourcefile": None}, ""),
}


@pytest.mark.parametrize(("change", "state"), STATES.values(), ids=STATES.keys())
def test_states(change: dict[str, Any], state: str) -> None:
    found = judge([replace(LINE, **change)])
    assert {name for name in ("pending", "overridden", "refused", "missing") if getattr(found, name)} == (
        {state} - {""}
    )


@pytest.mark.parametrize(
    ("change", "where", "remedy"),
    [
        (BY_AUTO, f"line 3 of {AUTO}", "ALTER SYSTEM RESET max_slot_wal_keep_size"),
        ({**BY_AUTO, "last_file": "/etc/x/z.conf"}, "line 3 of /etc/x/z.conf", "Take it out of /etc/x/z.conf"),
        ({"source": "command line", "setting": "5", "sourcefile": None}, "the server's command line", "pg_ctl.conf"),
    ],
)
def test_an_override_says_where_and_what_to_do(change: dict[str, Any], where: str, remedy: str) -> None:
    found = override_of(replace(LINE, **change))
    assert found and found.where == where and remedy in found.remedy


@pytest.mark.parametrize(
    ("one", "other", "unit", "same"),
    [
        ("1GB", "1024MB", "MB", True),
        ("1GB", "1024", "MB", True),
        ("16MB", "2048", "8kB", True),
        ("16MB", "2048*8kB", "8kB", True),
        ("1min", "60", "s", True),
        ("-1", "-1*MB", "MB", True),
        ("0x10", "16", None, True),
        ("0.50", "0.5", None, True),
        ("on", "TRUE", None, True),
        ("1", "on", None, True),
        ("a, b", "a,b", None, True),
        ("Replica", "replica", None, True),
        ("1GB", "2GB", "kB", False),
        ("a", "b", None, False),
        ("on", "off", None, False),
        ("1.2.3.4", "1.2.3.4", None, True),
        ("1 parsec", "1", None, False),
        ("", "", None, True),
    ],
)
def test_one_value(one: str, other: str, unit: str | None, same: bool) -> None:
    assert same_value(one, other, unit) is same


MEMORY = "could not map anonymous shared memory: Cannot allocate memory"
LOGS: dict[str, tuple[str, str]] = {
    "memory": (
        "2026-01-01 10:00:00.000 UTC [1] LOG:  received fast shutdown request\n"
        f"2026-01-01 10:00:01.000 UTC [2] FATAL:  {MEMORY}\n"
        "2026-01-01 10:00:01.000 UTC [2] HINT:  This error usually means …\n"
        "2026-01-01 10:00:01.000 UTC [2] LOG:  database system is shut down",
        MEMORY,
    ),
    "library": (
        'postmaster: FATAL:  could not access file "nope": No such file or directory',
        'could not access file "nope": No such file or directory',
    ),
    "unknown names": (
        'postmaster: LOG:  skipping missing configuration file "/x/postgresql.auto.conf"\n'
        'postmaster: LOG:  unrecognized configuration parameter "a" in file "/e/x.conf" line 1\n'
        'postmaster: LOG:  unrecognized configuration parameter "b" in file "/e/x.conf" line 2\n'
        'postmaster: FATAL:  configuration file "/e/postgresql.conf" contains errors',
        'unrecognized configuration parameter "a" in file "/e/x.conf" line 1; unrecognized configuration parameter "b" in file "/e/x.conf" line 2',
    ),
    "an address": (
        'LOG:  starting PostgreSQL 15\nLOG:  could not bind IPv4 address "203.0.113.9": Cannot assign requested address\n'
        'WARNING:  could not create listen socket for "203.0.113.9"\nFATAL:  could not create any TCP/IP sockets',
        'could not bind IPv4 address "203.0.113.9": Cannot assign requested address; could not create listen socket for "203.0.113.9"',
    ),
    "the server's own name": (
        "postgres: superuser_reserved_connections (3) must be less than max_connections (2)",
        "superuser_reserved_connections (3) must be less than max_connections (2)",
    ),
    "detail": (
        "FATAL:  multiple recovery targets specified\nDETAIL:  At most one.",
        "multiple recovery targets specified. At most one",
    ),
    "sessions meanwhile": (
        "[9] FATAL:  the database system is shutting down\n[2] FATAL:  terminating connection\n"
        "[3] FATAL:  recovery aborted because of insufficient parameter settings",
        "recovery aborted because of insufficient parameter settings",
    ),
    "another language": ("2026-01-01 [2] ВАЖНО:  нет памяти", "2026-01-01 [2] ВАЖНО:  нет памяти"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("log", "reason"), LOGS.values(), ids=LOGS.keys())
def test_the_servers_own_reason(log: str, reason: str) -> None:
    assert reason_of(log) == reason


def test_what_is_about_memory() -> None:
    assert is_about_memory(MEMORY)
    assert not is_about_memory("could not access file")
