"""What a drill's recording says, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill import analysis
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.recording import (
    Event,
    Read,
    Recording,
    Write,
    fold_writes,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.report import About, result_of

NODES = ("a", "b", "c")


def writes(*acks: float | None) -> list[Write]:
    return [Write(number, 0.0 if ack is None else ack - 0.01, ack) for number, ack in enumerate(acks, 1)]


def reads(node: str, *outcomes: tuple[float, float, str]) -> list[Read]:
    """``outcomes``: sent, done, and 'p', 's' or the error."""
    roles = {"p": "primary", "s": "standby"}
    return [
        Read(node, sent, done, "" if word in roles else word, roles.get(word, ""), 0, tuple(set(NODES) - {node}))
        for sent, done, word in outcomes
    ]


def read(node: str, at: float, role: str, standbys: str = "") -> Read:
    return Read(node, at - 0.01, at, "" if role else "57P01", role, 0, tuple(standbys))


# --- Rows -------------------------------------------------------------------------------------------------------------

COMPARISONS: dict[str, tuple[list[Write], set[int], dict[str, Any]]] = {
    "all there": (writes(1, 2), {1, 2}, {"acked": 2}),
    "nothing written": ([], set(), {"acked": 0}),
    "an acknowledged row is gone": (writes(1, 2, 3), {1, 3}, {"acked": 3, "lost": (2,)}),
    "everything is gone": (writes(1, 2), set(), {"acked": 2, "lost": (1, 2)}),
    "in doubt and there": (writes(1, None), {1, 2}, {"acked": 1, "in_doubt": (2,), "in_doubt_present": (2,)}),
    "in doubt and not there": (writes(1, None), {1}, {"acked": 1, "in_doubt": (2,)}),
    "a row that nobody sent": (writes(1), {1, 7}, {"acked": 1, "foreign": (7,)}),
}


@pytest.mark.parametrize(("ledger", "present", "expected"), COMPARISONS.values(), ids=COMPARISONS.keys())
def test_compare(ledger: list[Write], present: set[int], expected: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {"lost": (), "in_doubt": (), "in_doubt_present": (), "foreign": ()}
    assert analysis.compare(ledger, present) == analysis.Comparison(**{**nothing, **expected})


LINES: dict[str, tuple[list[dict[str, Any]], list[Write]]] = {
    "acknowledged": ([{"number": 1, "sent": 1.0, "node": "a"}, {"number": 1, "acked": 1.5}], [Write(1, 1.0, 1.5, "a")]),
    "refused": (
        [{"number": 1, "sent": 1.0}, {"number": 1, "error": "57P01"}],
        [Write(1, 1.0, None, "", "57P01")],
    ),
    "killed before the answer": ([{"number": 1, "sent": 1.0}], [Write(1, 1.0)]),
    "in any order": (
        [{"number": 2, "sent": 2.0}, {"number": 1, "sent": 1.0}, {"number": 2, "acked": 2.5}],
        [Write(1, 1.0), Write(2, 2.0, 2.5)],
    ),
    "without its sending": ([{"number": 1, "acked": 1.5}], []),
}


@pytest.mark.parametrize(("lines", "expected"), LINES.values(), ids=LINES.keys())
def test_a_ledger_folds_to_one_write_for_each_number(lines: list[dict[str, Any]], expected: list[Write]) -> None:
    assert list(fold_writes(lines)) == expected


# --- Gaps -------------------------------------------------------------------------------------------------------------

WRITE_GAPS: dict[str, tuple[list[Write], float, float, tuple[float, float]]] = {
    "steady": (writes(1, 2, 3), 3, 0, (1, 2)),
    "one gap": (writes(1, 2, 5, 6), 6, 0, (2, 5)),
    "rows in doubt do not end a gap": (writes(1, None, None, 4), 4, 0, (1, 4)),
    "never again": (writes(1, 2), 9, 0, (2, 9)),
    "gaps before the fault do not count": (writes(1, 5, 6, 8), 8, 5.5, (6, 8)),
    "a gap around the fault counts": (writes(1, 5, 6), 6, 4, (1, 5)),
    "no write": ([], 9, 0, (0, 0)),
}


@pytest.mark.parametrize(("ledger", "ended", "since", "span"), WRITE_GAPS.values(), ids=WRITE_GAPS.keys())
def test_write_gap(ledger: list[Write], ended: float, since: float, span: tuple[float, float]) -> None:
    assert analysis.write_gap(ledger, ended, since) == analysis.Span(*span)


READ_GAPS: dict[str, tuple[list[tuple[float, float, str]], tuple[float, float]]] = {
    "none": ([(1, 1.1, "s"), (2, 2.1, "s")], (0, 0)),
    "pauses between reads are none": ([(1, 1.1, "s"), (9, 9.1, "s")], (0, 0)),
    "one failed": ([(1, 1.1, "s"), (2, 2.1, "57P01"), (3, 3.1, "s")], (2, 3.1)),
    "from the first of several": ([(1, 1.1, "57P01"), (2, 2.1, "timeout"), (3, 3.1, "s")], (1, 3.1)),
    "a slow one": ([(1, 1.1, "s"), (2, 3, "s"), (3, 3.1, "s")], (2, 3)),
    "the longest": ([(1, 1.1, "x"), (2, 2.1, "s"), (3, 3.1, "x"), (6, 6.1, "p"), (7, 7.1, "p")], (3, 6.1)),
    "to the end": ([(1, 1.1, "s"), (2, 2.1, "x"), (3, 4, "x")], (2, 4)),
    "nothing read": ([], (0, 0)),
}


@pytest.mark.parametrize(("outcomes", "span"), READ_GAPS.values(), ids=READ_GAPS.keys())
def test_read_gap(outcomes: list[tuple[float, float, str]], span: tuple[float, float]) -> None:
    assert analysis.read_gap(reads("a", *outcomes)) == analysis.Span(*span)


FIRST_WRITES: dict[str, tuple[list[Write], float, float | None]] = {
    "after the interruption": (writes(1.0, 1.1, 4.0, 4.1), 4.2, 2.95),
    "not interrupted": (writes(1.0, 1.1, 1.2, 1.3), 1.4, None),
    "never again": (writes(1.0, 1.1, None), 4.0, None),
}


@pytest.mark.parametrize(("ledger", "ended", "expected"), FIRST_WRITES.values(), ids=FIRST_WRITES.keys())
def test_first_write_after_a_fault_at_second_1_05(ledger: list[Write], ended: float, expected: float | None) -> None:
    last = reads("a", (ended - 0.1, ended, "s"))
    found = analysis.first_write(Recording(tuple(ledger), tuple(last)), 1.05)
    assert found == (pytest.approx(expected) if expected else None)


# --- Redundancy and roles ---------------------------------------------------------------------------------------------

FULL = read("a", 1, "primary", "bc")
REDUNDANCY: dict[str, tuple[list[Read], float | None]] = {
    "never broken": ([FULL, read("a", 3, "primary", "bc")], 0),
    "a standby is away": ([FULL, read("a", 3, "primary", "b"), read("a", 4, "primary", "bc")], 2),
    "twice away counts to the last": (
        [FULL, *(read("a", at, "primary", who) for at, who in ((3, "b"), (4, "bc"), (5, "c"), (6, "bc"), (7, "bc")))],
        4,
    ),
    "the primary does not answer": ([FULL, read("a", 3, ""), read("a", 5, "primary", "bc")], 3),
    "another one leads": ([FULL, read("a", 3, ""), read("b", 4, "primary", "c"), read("b", 5, "primary", "ac")], 3),
    "a standby that does not answer is no matter": ([FULL, read("b", 3, ""), read("a", 4, "primary", "bc")], 0),
    "never again": ([FULL, read("a", 3, "primary", "b")], None),
    "the primary is gone": ([FULL, read("a", 3, ""), read("b", 4, "standby")], None),
    "two lead": ([FULL, read("c", 3, "primary"), read("a", 4, "primary", "b"), read("a", 6, "primary", "bc")], 4),
    "the old primary's failures no longer matter": (
        [FULL, read("a", 3, ""), read("b", 4, "primary", "ac"), read("a", 5, "")],
        2,
    ),
}


@pytest.mark.parametrize(("seen", "expected"), REDUNDANCY.values(), ids=REDUNDANCY.keys())
def test_redundancy_after_a_fault_at_second_2(seen: list[Read], expected: float | None) -> None:
    assert analysis.redundancy(seen, NODES, 2.0) == expected


def test_changes_of_role_are_seen_through_failures() -> None:
    seen = [
        read("a", 1, "primary"),
        read("b", 1, "standby"),
        read("a", 2, ""),
        read("b", 3, "primary"),
        read("a", 4, "standby"),
    ]
    assert analysis.observed(seen) == [Event(3, "promoted", "b is primary"), Event(4, "demoted", "a is standby")]


# --- The verdict ------------------------------------------------------------------------------------------------------


def recording() -> Recording:
    return Recording(
        tuple(writes(1.0, 1.1, None, 4.0, 4.1)),
        (*reads("a", (1, 1.1, "p"), (2, 2.1, "57P01"), (3.5, 3.6, "p")), *reads("b", (1, 1.1, "s"), (4, 4.1, "s"))),
        (Event(1.05, "fault", "a is killed"), Event(2.5, "repair", "a is started")),
        nodes=("a", "b"),
    )


def test_judge() -> None:
    verdict = analysis.judge(recording(), {"a": [1, 2, 4, 5], "b": [1, 2, 4]}, "a").as_result()
    assert verdict["writes"] == "interrupted"
    assert verdict["write_gap_ms"] == 2900
    assert verdict["read_gap_ms"] == {"a": 1600, "b": 0}
    assert verdict["to_first_write_ms"] == 2950
    assert (verdict["acked"], verdict["acked_lost"], verdict["in_doubt"]) == (4, 0, 1)
    assert verdict["rows_differing"] == {"b": 1}


def test_of_a_primary_that_cannot_be_read_nothing_is_known() -> None:
    verdict = analysis.judge(recording(), {"b": [1, 2, 4, 5]}, "a").as_result()
    assert verdict["acked_lost"] is None
    assert verdict["in_doubt"] is None


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5], 0.95, 5),
        (list(range(1, 21)), 0.95, 19),
        (list(range(1, 101)), 0.95, 95),
        ([3, 1, 2], 0.5, 2),
        ([1, 9], 1, 9),
    ],
)
def test_percentile_is_a_measured_value(values: list[float], share: float, expected: float) -> None:
    assert analysis.percentile(values, share) == expected


@pytest.mark.parametrize(("may_lose", "healthy"), [(False, False), (True, True)])
def test_a_lost_row_is_a_problem_unless_the_drill_may_lose_some(may_lose: bool, healthy: bool) -> None:
    rows = analysis.compare(writes(1.0, 2.0), {1})
    verdict = analysis.Verdict(analysis.Span(), {}, None, 0.0, 0.0, rows)
    about = About("failover", "", "", "", may_lose=may_lose)
    result = result_of(Recording(), verdict, about, (), 100)
    assert (result["acked_lost"], result["healthy"]) == (1, healthy)


@pytest.mark.parametrize(("undisturbed", "healthy"), [(False, True), (True, False)])
def test_a_failed_write_is_a_problem_where_nobody_should_notice_anything(undisturbed: bool, healthy: bool) -> None:
    rows = analysis.Comparison(1, (), (2,), (), ())
    verdict = analysis.Verdict(analysis.Span(), {}, None, 0.0, 0.0, rows)
    about = About("certificate_rotation", "", "", "", undisturbed=undisturbed)
    result = result_of(Recording(), verdict, about, (), 100)
    assert (result["in_doubt"], result["healthy"]) == (1, healthy)
