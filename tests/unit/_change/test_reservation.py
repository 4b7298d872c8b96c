"""Who may change a fleet now: notes of runs, and the runs themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.reservation import (
    Reservation,
    ReservationLost,
    note_path,
    refusal,
    release,
    require,
    reserve,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.keeper import keep, start_keeper
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.process import (
    ControlProcess,
    process_start,
    this_machine,
)

FIRST = Reservation("first", "switchover to node1", "alice", "control1", "m", 1, "5", 1_790_000_000.0)
SECOND = replace(FIRST, token="second", operation="failover", user="bob", began=FIRST.began + 1)


def aged(place: Path, token: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(note_path("main", token, str(place)), (then, then))


def test_one_at_a_time(tmp_path: Path) -> None:
    place = str(tmp_path)
    assert reserve("main", FIRST, (), True, place) == ((), True)
    assert not list(tmp_path.iterdir()), "check mode leaves nothing"
    assert reserve("main", FIRST, (), False, place) == ((), True)
    assert reserve("main", FIRST, (), False, place) == ((), False), "the same run again"
    for check in (True, False):
        holders, new = reserve("main", SECOND, (), check, place)
        assert ([each.token for each in holders], new) == (["first"], False)
    assert reserve("other", SECOND, (), False, place) == ((), True), "another node of the machine"
    assert release("main", "first", False, place)
    assert not release("main", "first", False, place)
    assert reserve("main", SECOND, (), False, place) == ((), True)


@pytest.mark.parametrize(
    ("age", "displaced", "held"),
    [(59, (), True), (61, (), False), (0, ("first",), False), (0, ("third",), True), (-3600, (), True)],
    ids=["within its lease", "after its lease", "its run is dead", "another run is dead", "the clock was put back"],
)
def test_a_note_counts_while_its_run_lives(tmp_path: Path, age: float, displaced: tuple[str, ...], held: bool) -> None:
    reserve("main", FIRST, (), False, str(tmp_path))
    aged(tmp_path, "first", age)
    assert bool(reserve("main", SECOND, displaced, True, str(tmp_path))[0]) is held
    holders, new = reserve("main", SECOND, displaced, False, str(tmp_path))
    assert (bool(holders), new) == (held, not held)
    assert Path(note_path("main", "first", str(tmp_path))).exists() is held


def test_an_unreadable_note_holds_the_node_for_its_lease(tmp_path: Path) -> None:
    reserve("main", FIRST, (), False, str(tmp_path))
    Path(note_path("main", "first", str(tmp_path))).write_text("{")
    assert [each.token for each in reserve("main", SECOND, (), False, str(tmp_path))[0]] == ["first"]
    aged(tmp_path, "first", 61)
    assert reserve("main", SECOND, (), False, str(tmp_path)) == ((), True)


def test_the_refusal_names_who_is_at_work() -> None:
    error = refusal((SECOND, FIRST), ["node1"])
    assert error.code == "change_in_progress"
    assert "switchover to node1, started by alice on control1 at 2026-09-21" in str(error)
    assert "Seen on node1" in str(error)
    assert "Nothing was changed" in str(error)


def test_who_has_lost_the_fleet_does_not_act(tmp_path: Path) -> None:
    reserve("main", FIRST, (), False, str(tmp_path))
    require(note_path("main", "first", str(tmp_path)))
    with pytest.raises(ReservationLost):
        require(note_path("main", "second", str(tmp_path)))


def test_a_process_is_known_by_its_start() -> None:
    own = ControlProcess(this_machine(), os.getpid(), process_start(os.getpid()))
    assert (own.alive, own.dead) == (True, False)
    assert replace(own, start="1").dead, "its number was given to another"
    assert not replace(own, start="1", machine="elsewhere").dead, "nobody knows"
    child = subprocess.Popen([sys.executable, "-c", ""])
    found = ControlProcess(this_machine(), child.pid, process_start(child.pid))
    deadline = time.monotonic() + 10
    while found.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found.dead, "also while nobody has asked how it ended"
    child.wait()


def test_a_keeper_works_until_its_process_ends(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"])
    process = ControlProcess(this_machine(), child.pid, process_start(child.pid))
    seen: list[str] = []

    def fail() -> None:
        seen.append("renewed")
        raise OSError

    keep(process, 0.1, fail, lambda: seen.append("ended"))
    assert seen[-1] == "ended"
    assert len(seen) >= 2, "one failure does not end it"
    child.wait()


def test_a_keeper_outlives_who_started_it(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.3)"])
    process = ControlProcess(this_machine(), child.pid, process_start(child.pid))
    start_keeper(process, 60, lambda: None, ended.touch)
    assert not ended.exists()
    child.wait()
    deadline = time.monotonic() + 10
    while not ended.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ended.exists()
