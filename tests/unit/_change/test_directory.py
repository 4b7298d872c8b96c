"""Promotion, demotion and rewind: what the facts of one server allow, in tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.demote import (
    Handing,
    Successor,
    is_following,
    plan_demote,
    plan_restore,
    refuse_promoted,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.handover import Handover, name_of, read_handover
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.promote import (
    Candidate,
    Conditions,
    is_ready,
    is_told,
    may_promote,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._clone.rewind_plan import (
    plan_rewind,
    read_diverged,
    read_note,
    reconsider,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._lineage.plan import Compared
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.source import Source


def outcome(plan: Callable[..., Any], *facts: Any) -> Any:
    """What a planner returns, or the code of its refusal."""
    try:
        return plan(*facts)
    except PgFleetError as error:
        return error.code


CLEAN = DataDir(
    "/d", exists=True, is_directory=True, pg_version=15, valid=True, system_identifier="700", timeline=1, history=(),
    cluster_state="shut down", checkpoint_lsn="0/3000028", checksums=True,
)  # fmt: skip
RUNNING = replace(CLEAN, cluster_state="in production", server_pid=7)
CRASHED = replace(CLEAN, cluster_state="in production")
HANDED_OVER = replace(CLEAN, standby_signal=True)
STANDBY = replace(CLEAN, standby_signal=True, cluster_state="shut down in recovery", min_recovery_lsn="0/3000028")
VACANT = DataDir("/d")

DEMOTIONS: dict[str, tuple[DataDir, Any, bool]] = {
    "a running primary": (RUNNING, "demoted", True),
    "a stopped primary": (CLEAN, "demoted", False),
    "done already": (HANDED_OVER, "kept", False),
    "a running standby": (replace(STANDBY, server_pid=7), "kept", False),
    "a crashed primary": (CRASHED, "primary_crashed", False),
    "nothing": (VACANT, "data_directory_missing", False),
    "strange files": (replace(CLEAN, valid=False, pg_version=None), "foreign_files", False),
}


@pytest.mark.parametrize(("data", "expected", "stop"), DEMOTIONS.values(), ids=DEMOTIONS.keys())
def test_demotion(data: DataDir, expected: str, stop: bool) -> None:
    plan = outcome(plan_demote, data)
    assert getattr(plan, "action", plan) == expected
    assert getattr(plan, "stop", False) == stop
    assert getattr(plan, "changed", False) == (expected == "demoted")


RESTORATIONS: dict[str, tuple[DataDir, str]] = {
    "handed over and not started since": (HANDED_OVER, "restored"),
    "a primary": (CLEAN, "kept"),
    "a running primary": (RUNNING, "kept"),
    "it has been a standby since": (STANDBY, "not_demoted"),
    "it runs as a standby": (replace(STANDBY, server_pid=7), "not_demoted"),
    "nothing": (VACANT, "data_directory_missing"),
}


@pytest.mark.parametrize(("data", "expected"), RESTORATIONS.values(), ids=RESTORATIONS.keys())
def test_restoration(data: DataDir, expected: str) -> None:
    plan = outcome(plan_restore, data)
    assert getattr(plan, "action", plan) == expected


CANDIDATE = Candidate("b:5432", True, "700", 1, replay="0/30000A0", receive="0/30000A0")

PROMOTIONS: dict[str, tuple[Candidate, Conditions, Any]] = {
    "without conditions": (CANDIDATE, Conditions(), True),
    "past the start of the record": (CANDIDATE, Conditions("0/3000028"), True),
    "exactly at its start": (CANDIDATE, Conditions("0/30000A0"), False),
    "before it": (CANDIDATE, Conditions("0/4000000"), False),
    "nothing replayed yet": (replace(CANDIDATE, replay=None), Conditions("0/3000028"), False),
    "the right identity": (CANDIDATE, Conditions(None, 1, "700"), True),
    "a stranger": (CANDIDATE, Conditions(None, None, "701"), "wrong_system_identifier"),
    "another timeline": (CANDIDATE, Conditions(None, 2), "wrong_timeline"),
    "paused before the record": (replace(CANDIDATE, paused=True), Conditions("0/4000000"), "replay_paused"),
    "paused after the record": (replace(CANDIDATE, paused=True), Conditions("0/3000028"), True),
}


@pytest.mark.parametrize(("found", "conditions", "expected"), PROMOTIONS.values(), ids=PROMOTIONS.keys())
def test_promotion(found: Candidate, conditions: Conditions, expected: Any) -> None:
    assert outcome(may_promote, found, conditions) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], Handover(False)),
        (["node1", "walreceiver"], Handover(False)),
        (["node1", "pgfleet handover"], Handover(True)),
        (["pgfleet handover", name_of("0/3000028")], Handover(True, "0/3000028")),
        ([name_of("0/3000028")], Handover(True, "0/3000028")),
        (["pgfleet handover nonsense"], Handover(False)),
    ],
)
def test_handover(names: list[str], expected: Handover) -> None:
    assert read_handover(names) == expected


#: The other one left timeline 1 at 0/3000100, after the shutdown checkpoint of CLEAN.
SILENT, ALIVE, TOLD = Handover(False), Handover(True), Handover(True, "0/3000028")
PRIMARY = replace(CANDIDATE, recovering=False)

# whether the old primary has told where its WAL ends: what it is, its session, whether that was seen, whether it is late
TOLD_CASES: dict[str, tuple[Candidate, Handover, bool, bool, Any]] = {
    "not there yet": (CANDIDATE, SILENT, False, False, False),
    "never came": (CANDIDATE, SILENT, False, True, "handover_ended"),
    "there, and late": (CANDIDATE, ALIVE, True, True, False),
    "ended without a word": (CANDIDATE, SILENT, True, False, "handover_ended"),
    "told": (CANDIDATE, TOLD, True, False, True),
    "promoted already": (PRIMARY, SILENT, False, True, True),
}


@pytest.mark.parametrize(("found", "handover", "begun", "late", "expected"), TOLD_CASES.values(), ids=TOLD_CASES.keys())
def test_the_word_of_the_old_primary(
    found: Candidate, handover: Handover, begun: bool, late: bool, expected: Any
) -> None:
    assert outcome(is_told, found, handover, begun, late) == expected


READY_CASES: dict[str, tuple[Candidate, Handover | None, Conditions, Any]] = {
    "nothing asked for": (CANDIDATE, None, Conditions(), True),
    "not replayed": (CANDIDATE, None, Conditions("0/30000A0"), False),
    "replayed, the session lives": (CANDIDATE, TOLD, Conditions("0/3000028"), True),
    "replayed, the session has ended": (CANDIDATE, SILENT, Conditions("0/3000028"), "handover_ended"),
    "a primary": (PRIMARY, SILENT, Conditions(), True),
}


@pytest.mark.parametrize(("found", "handover", "conditions", "expected"), READY_CASES.values(), ids=READY_CASES.keys())
def test_ready(found: Candidate, handover: Handover | None, conditions: Conditions, expected: Any) -> None:
    assert outcome(is_ready, found, handover, conditions) == expected


ONE, OTHER = Successor("b", 5432), Successor("c", 5432)
FOLLOWS = replace(STANDBY, server_pid=7)


@pytest.mark.parametrize(
    ("data", "handing", "expected"),
    [
        pytest.param(FOLLOWS, Handing(ONE, ONE), True, id="this one"),
        pytest.param(FOLLOWS, Handing(ONE, None), True, id="nobody is named"),
        pytest.param(FOLLOWS, Handing(ONE, OTHER), False, id="another one"),
        pytest.param(STANDBY, Handing(ONE, ONE), False, id="stopped"),
        pytest.param(RUNNING, Handing(ONE, ONE), False, id="a primary"),
    ],
)
def test_following(data: DataDir, handing: Handing, expected: bool) -> None:
    assert is_following(data, handing) is expected


@pytest.mark.parametrize(
    ("timeline", "expected"), [(None, None), (1, None), (2, "other_successor")], ids=["not there", "a standby", "leads"]
)
def test_an_earlier_successor_that_leads(timeline: int | None, expected: str | None) -> None:
    assert outcome(refuse_promoted, HANDED_OVER, OTHER, timeline) == expected


SOURCE = Source("b:5432", 150004, "700", timeline=2, position=0x5000000, history=((1, 0x3000100),))
LATER = replace(CLEAN, checkpoint_lsn="0/3000200")

REWINDS: dict[str, tuple[DataDir, Source, str | None, str, str, bool]] = {
    "stopped before the fork": (CLEAN, SOURCE, None, "followed", "not_needed", False),
    "stopped at the fork": (replace(CLEAN, checkpoint_lsn="0/3000100"), SOURCE, None, "rewound", "diverged", False),
    "stopped after the fork": (LATER, SOURCE, None, "rewound", "diverged", False),
    "crashed": (CRASHED, SOURCE, None, "rewound", "diverged", True),
    "crashed, without hints": (replace(CRASHED, checksums=False), SOURCE, None, "impossible", "no_hints", False),
    "hints instead of checksums": (
        replace(LATER, checksums=False, wal_log_hints=True), SOURCE, None, "rewound", "diverged", False,
    ),
    "handed over": (HANDED_OVER, SOURCE, None, "kept", "is_standby", False),
    "a standby": (STANDBY, SOURCE, None, "kept", "is_standby", False),
    "a standby past the fork": (replace(STANDBY, min_recovery_lsn="0/3000200"), SOURCE, None, "rewound", "diverged", False),
    "a crashed standby past the fork": (
        replace(STANDBY, min_recovery_lsn="0/3000200", cluster_state="in archive recovery"),
        SOURCE, None, "impossible", "standby_crashed", False,
    ),
    "a running standby": (replace(STANDBY, server_pid=7), SOURCE, None, "kept", "is_standby", False),
    "interrupted": (LATER, SOURCE, "rewinding", "impossible", "interrupted", False),
    "interrupted before its settings": (LATER, SOURCE, "ready", "rewound", "finish", False),
    "promoted on its own": (
        replace(LATER, timeline=3, history=((1, 0x3000080),)), SOURCE, None, "rewound", "diverged", False,
    ),
    "no timeline in common": (
        replace(LATER, timeline=5, history=((4, 0x3000080),)), SOURCE, None, "impossible", "no_common_timeline", False,
    ),
    "nothing": (VACANT, SOURCE, None, "impossible", "nothing_there", False),
    "an unfinished copy": (replace(CLEAN, unfinished=True), SOURCE, None, "impossible", "unfinished_copy", False),
}  # fmt: skip


@pytest.mark.parametrize(
    ("dest", "source", "noted", "action", "reason", "recover"), REWINDS.values(), ids=REWINDS.keys()
)
def test_rewind(dest: DataDir, source: Source, noted: str | None, action: str, reason: str, recover: bool) -> None:
    plan = plan_rewind(dest, source, noted)
    assert (plan.action, plan.reason, plan.recover) == (action, reason, recover)
    assert plan.changed == (action in ("followed", "rewound"))
    assert (plan.fork is not None) == (reason == "diverged")


@pytest.mark.parametrize(
    ("dest", "code"),
    [
        (RUNNING, "server_running"),
        (replace(STANDBY, min_recovery_lsn="0/3000200", server_pid=7), "server_running"),
        (replace(CLEAN, system_identifier="701"), "other_system"),
        (replace(CLEAN, pg_version=14), "other_system"),
    ],
    ids=["a running primary", "a running standby past the fork", "a stranger", "another version"],
)
def test_refused_rewind(dest: DataDir, code: str) -> None:
    with pytest.raises(PgFleetError) as caught:
        plan_rewind(dest, SOURCE, None)
    assert caught.value.code == code


BOTH = replace(SOURCE, timeline=1, history=(), position=0x4000000)

RECONSIDERED: dict[str, tuple[DataDir, Compared, str, str, int | None]] = {
    "the WAL is the same": (LATER, Compared(), "rewound", "diverged", 0x3000100),
    "it differs before the fork": (LATER, Compared(0x2000000), "impossible", "other_history", 0x2000000),
    "it was overwritten": (STANDBY, Compared(0x2000000, overwritten=True), "impossible", "other_history", 0x2000000),
    "it differs under a running standby": (
        replace(STANDBY, server_pid=7), Compared(0x2000000), "impossible", "other_history", 0x2000000,
    ),
    "it is gone": (LATER, Compared(gone="gone"), "impossible", "wal_gone", 0x3000100),
    "it is gone for a standby": (STANDBY, Compared(gone="gone"), "impossible", "wal_gone", None),
}  # fmt: skip


@pytest.mark.parametrize(("dest", "found", "action", "reason", "fork"), RECONSIDERED.values(), ids=RECONSIDERED.keys())
def test_what_the_wal_says_of_a_plan(
    dest: DataDir, found: Compared, action: str, reason: str, fork: int | None
) -> None:
    plan = reconsider(plan_rewind(dest, SOURCE, None), found, dest, SOURCE)
    assert (plan.action, plan.reason, plan.fork) == (action, reason, fork)


@pytest.mark.parametrize(
    ("dest", "source", "action", "reason"),
    [
        (CLEAN, BOTH, "followed", "not_needed"),
        (CRASHED, BOTH, "followed", "not_needed"),
        (STANDBY, BOTH, "kept", "is_standby"),
        (replace(STANDBY, min_recovery_lsn="0/5000000"), BOTH, "impossible", "other_history"),
        (replace(STANDBY, min_recovery_lsn="0/5000000"), replace(BOTH, standby=True), "kept", "is_standby"),
        (replace(STANDBY, min_recovery_lsn="0/5000000", backup_label=True), BOTH, "kept", "is_standby"),
    ],
    ids=["stopped", "crashed", "a standby", "past the source", "past another standby", "just rewound"],
)
def test_the_timeline_of_the_source(dest: DataDir, source: Source, action: str, reason: str) -> None:
    plan = plan_rewind(dest, source, None)
    assert (plan.action, plan.reason, plan.recover) == (action, reason, False)


WALDUMP = """\
rmgr: Transaction len (rec/tot):     46/    46, tx:        742, lsn: 0/03000148, prev 0/03000110, desc: COMMIT 2026-05-21 04:15:07.113245 UTC
rmgr: Transaction len (rec/tot):     34/    34, tx:        743, lsn: 0/03000198, prev 0/03000148, desc: ABORT 2026-05-21 04:15:07.500000 UTC
rmgr: Transaction len (rec/tot):     46/46, tx:        744, lsn: 0/03000210, prev 0/030001B0, desc: COMMIT 2026-05-21 04:15:08.220162 UTC; inval msgs: x
pg_waldump: error: error in WAL record at 0/3000210: invalid record length at 0/3000240: wanted 24, got 0
"""


def test_diverged_transactions() -> None:
    found = read_diverged("0/3000100", WALDUMP)
    assert (found.to_lsn, found.transactions) == ("0/3000210", 2)
    assert (found.first_commit, found.last_commit) == (
        "2026-05-21 04:15:07.113245 UTC",
        "2026-05-21 04:15:08.220162 UTC",
    )
    assert found.sentence.startswith("2 transactions after 0/3000100 are only here")


@pytest.mark.parametrize(
    ("fork", "transactions"), [("0/3000148", 2), ("0/3000160", 2), ("0/3000176", 1), ("0/3000240", 0)]
)
def test_transactions_before_the_fork_are_not_counted(fork: str, transactions: int) -> None:
    """pg_waldump begins a little before, for the fork may be in the middle of a record."""
    assert read_diverged(fork, WALDUMP).transactions == transactions


@pytest.mark.parametrize(
    ("said", "transactions", "words"),
    [
        ("pg_waldump: error: could not find a valid record after 0/3000100", 0, "It committed nothing"),
        ('pg_waldump: error: could not find file "000000010000000000000003"', None, "cannot be read"),
    ],
)
def test_nothing_diverged(said: str, transactions: int | None, words: str) -> None:
    found = read_diverged("0/3000100", said)
    assert found.transactions == transactions
    assert words in found.sentence


def test_a_note_about_a_directory_that_was_replaced_says_nothing() -> None:
    assert read_note({"phase": "rewinding", "inode": 5}, 5) == "rewinding"
    assert read_note({"phase": "rewinding", "inode": 5}, 6) is None
    assert read_note(None, 5) is None
