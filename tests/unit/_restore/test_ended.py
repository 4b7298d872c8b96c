# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Why a recovery ended before its target, by the server's own words."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.ended import failure, shut_down_at_target

PREFIX = "2026-12-01 03:53:36.989 GMT [4706] "
NOT_REACHED = f"{PREFIX}FATAL:  recovery ended before configured recovery target was reached\n"
LOGS: dict[str, tuple[str, str, str]] = {
    "not reached": (NOT_REACHED, "", "target_not_reached"),
    "not reached, with a segment missing": (NOT_REACHED, "000000010000000000000008", "archive_gap"),
    "before the backup": (
        f"{PREFIX}FATAL:  requested recovery stop point is before consistent recovery point\n", "", "target_before_backup",
    ),
    "limits": (
        f"{PREFIX}FATAL:  recovery aborted because of insufficient parameter settings\n"
        f"{PREFIX}DETAIL:  max_connections = 100 is a lower setting than on the primary server, where its value was 120.\n",
        "", "origin_limits",
    ),
    "no such timeline": (f"{PREFIX}FATAL:  recovery target timeline 7 does not exist\n", "", "other_timeline"),
    "another reason": (f"{PREFIX}PANIC:  could not locate a valid checkpoint record\n", "", "recovery_failed"),
    "no word": ("", "", "recovery_failed"),
}  # fmt: skip


@pytest.mark.parametrize(("log", "doubt", "code"), LOGS.values(), ids=LOGS)
def test_failure(log: str, doubt: str, code: str) -> None:
    found = failure("/d", log, doubt)
    assert found.code == code
    assert doubt in found.remedy


def test_the_servers_own_words_are_told() -> None:
    said = str(failure("/d", LOGS["limits"][0]))
    assert "where its value was 120" in said


def test_a_shutdown_at_the_target_is_no_failure() -> None:
    assert shut_down_at_target(f"{PREFIX}LOG:  shutdown at recovery target\n")
    assert not shut_down_at_target(NOT_REACHED)
