"""From the results of many drills to figures."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.bench import drills


def result(**different: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "write_gap_ms": 900.0,
        "read_gap_ms": {"a": 500.0, "b": 0.0},
        "bystanders": ["b"],
        "to_first_write_ms": 3000.0,
        "to_redundancy_ms": 4000.0,
        "acked": 100,
        "acked_lost": 0,
        "in_doubt": 1,
        "healthy": True,
        "events": [{"at_ms": 2100.0, "kind": "last_write"}, {"at_ms": 3000.0, "kind": "first_write"}],
        "steps": [
            {"name": "x.yml", "at_ms": 100.0, "ms": 3900.0, "tasks": [
                {"name": "plan", "ms": 1500.0}, {"name": "stop", "ms": 1000.0}, {"name": "promote", "ms": 1400.0},
            ]},
        ],
    }  # fmt: skip
    return {**usual, **different}


def test_figures_of_some_runs() -> None:
    found = drills.figures([result(), result(write_gap_ms=1100.0, in_doubt=0), result(write_gap_ms=1000.0)], 0)
    assert found["runs"] == 3
    assert found["unwell"] == 0
    assert found["write_gap_ms"] == {"median": 1000.0, "p95": 1100.0}
    assert found["read_gap_ms"] == {"median": 0.0, "p95": 0.0}
    assert (found["acked_lost"], found["in_doubt"]) == (0, 2)
    assert found["command_to_first_write_ms"]["median"] == 2900.0
    assert found["steps_ms"] == {"x.yml": {"median": 3900.0, "p95": 3900.0}}


def test_where_the_wait_goes() -> None:
    assert drills.gap_by_task([result()]) == {"x.yml: stop": 500.0, "x.yml: promote": 400.0}


def test_writes_that_went_on_leave_no_time_to_the_first_one() -> None:
    found = drills.figures([result(to_first_write_ms=None, events=[])], 0)
    assert found["to_first_write_ms"] == {"median": None, "p95": None}
    assert found["gap_goes_to_ms"] == {}


def test_a_loss_that_is_not_known_is_not_zero() -> None:
    assert drills.figures([result(), result(acked_lost=None)], 0)["acked_lost"] is None


def test_unwell_runs_are_counted() -> None:
    assert drills.figures([result(healthy=False)], 2)["unwell"] == 3


@pytest.mark.parametrize("reads", [{"a": 0.0, "b": 30.0}, {"b": 30.0}])
def test_the_read_gap_is_that_of_bystanders(reads: dict[str, float]) -> None:
    assert drills.bystanders_gap(result(read_gap_ms=reads)) == 30.0


def test_writes_that_went_on_before_the_command_did_not_wait_for_it() -> None:
    events = [{"at_ms": 40.0, "kind": "last_write"}, {"at_ms": 90.0, "kind": "first_write"}]
    found = drills.figures([result(events=events)], 0)
    assert found["command_to_first_write_ms"]["median"] is None
