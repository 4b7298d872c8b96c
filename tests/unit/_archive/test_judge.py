"""What is wrong with an archive, and what is to be filled up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.backfill import plan_backfill
from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.gaps import Gap, Lineage
from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.judge import Holding, judge
from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.names import WalFile
from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.values import (
    Archiving,
    ServerWal,
    hours_until_full,
    is_placeholder,
)

S = 16 << 20
FINE = Archiving("on", "cp %p /a/%f", last_archived_seconds=5.0)
SERVER = ServerWal("h:1", "42", 15, S, "/d", False, Lineage(1), 6 * S + 100, FINE)
ALL = frozenset(WalFile(1, number) for number in range(2, 6))
HELD = Holding("42", ALL)


def names(*numbers: int) -> list[str]:
    return [f"0000000100000000{number:08X}" for number in numbers]


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "well": ({}, {}, []),
    "off": ({"archiving": Archiving("off")}, {}, ["archive_off"]),
    "nowhere": ({"archiving": Archiving("on")}, {}, ["archive_nowhere"]),
    "pretends": ({"archiving": replace(FINE, command="/bin/true")}, {}, ["archive_placeholder"]),
    "no repository": ({}, {"owner": None}, ["repository_missing"]),
    "somebody else's": ({}, {"owner": "43"}, ["other_cluster"]),
    "a gap": ({}, {"files": ALL - {WalFile(1, 4)}}, ["archive_gap"]),
    "no gap, it waits": ({"archiving": replace(FINE, ready=names(4))}, {"files": ALL - {WalFile(1, 4)}}, []),
    "before the oldest backup nobody asks": ({}, {"files": ALL - {WalFile(1, 3)}, "since": 4 * S + 40}, []),
    "the backup's own": ({}, {"files": ALL - {WalFile(1, 2)}, "since": 2 * S + 40}, ["archive_gap"]),
    "fails": ({"archiving": replace(FINE, failing=True, last_failed="x", ready=names(5))}, {"files": ALL - {WalFile(1, 5)}}, ["archive_failing"]),
    "hangs": (
        {"archiving": replace(FINE, ready=names(5), oldest_ready_seconds=99.0, last_archived_seconds=120.0)}, {"files": ALL - {WalFile(1, 5)}},
        ["archive_stuck"],
    ),
    "stale": ({"position": 6 * S + 99999, "archiving": replace(FINE, last_archived_seconds=999.0)}, {}, ["archive_stale"]),
    "quiet": ({"archiving": replace(FINE, last_archived_seconds=999.0)}, {}, []),
    "a newer timeline": ({}, {"histories": {2: "1\t0/1000000\tx"}}, ["history_differs"]),
    "a history that is not there": (
        {"lineage": Lineage(2, ((1, 2 * S + 9),))}, {"files": frozenset(WalFile(2, number) for number in range(2, 6))}, ["archive_gap"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("server", "held", "codes"), CASES.values(), ids=CASES)
def test_findings(server: dict[str, Any], held: dict[str, Any], codes: list[str]) -> None:
    found = judge(replace(SERVER, **server), replace(HELD, **held), 300)
    assert [each.code for each in found.findings] == codes
    assert all(each.remedy for each in found.findings)


def test_everything_up_to_a_position() -> None:
    """The segment in which it lies is to come, and is no gap."""
    found = judge(SERVER, HELD, 300, SERVER.position)
    assert (found.gaps, found.waiting, found.end) == ((), (WalFile(1, 6),), 6)
    assert judge(SERVER, HELD, 300, 6 * S).waiting == ()
    assert (found.lost_bytes, found.lost_seconds) == (100, 0.0)


def test_an_empty_archive() -> None:
    found = judge(SERVER, replace(HELD, files=frozenset()), 300)
    assert found.gaps == (Gap(1, 5, 5),)


@pytest.mark.parametrize(
    "command",
    [
        "true",
        "/bin/true",
        "/usr/bin/true ",
        ":",
        "exit 0",
        "cp %p /a/%f || true",
        "cp %p /a; exit 0",
        "/bin/true # later",
    ],
)
def test_placeholder(command: str) -> None:
    assert is_placeholder(command)


@pytest.mark.parametrize(
    "command", ["", "false", "cp %p /a/%f", "exit 1", "trueish %p", "cp %p /mnt/true", "test -f /a/%f || cp %p /a/%f"]
)
def test_no_placeholder(command: str) -> None:
    assert not is_placeholder(command)


@pytest.mark.parametrize(
    ("free", "ready", "seconds", "hours"),
    [(7200, 10, 10.0, 2.0), (7200, 0, 10.0, None), (7200, 10, 1.0, None), (7200, 10, None, None)],
)
def test_hours(free: int, ready: int, seconds: float | None, hours: float | None) -> None:
    assert hours_until_full(free, ready, seconds) == hours


def test_backfill_takes_the_servers_own_past_and_nothing_else() -> None:
    """Timeline 1 was left inside of segment 4; the server writes segment 6 of timeline 2, and will archive segment 5 itself."""
    lineage = Lineage(2, ((1, 4 * S + 328),))
    ready = ["000000020000000000000005", "00000002.history"]
    server = replace(SERVER, lineage=lineage, archiving=replace(FINE, ready=ready))
    found = [
        "000000010000000000000002", "000000010000000000000003", "000000010000000000000004.partial", "000000010000000000000005",
        "000000020000000000000004", "000000020000000000000005", "000000020000000000000006", "000000020000000000000007",
        "00000002.history", "00000003.history", "archive_status",
    ]  # fmt: skip
    assert plan_backfill(found, server, [WalFile(1, 2)]) == ["000000010000000000000003", "000000020000000000000004"]
    done = replace(server, archiving=FINE)
    assert plan_backfill(["00000002.history", "000000020000000000000005"], done, []) == [
        "000000020000000000000005",
        "00000002.history",
    ]
