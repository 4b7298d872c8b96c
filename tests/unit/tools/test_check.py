"""When tools/check.py leaves out tests that take turns, when it interrupts a command, and which step runs beside others."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools/check.py"
_spec = importlib.util.spec_from_file_location("pgfleet_check", TOOL)
assert _spec and _spec.loader
check = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = check
_spec.loader.exec_module(check)

USUAL = {
    "checks": check.Usual(100),
    "site": check.Usual(600, 200),
    "operations": check.Usual(1000, 300),
    "vms": check.Usual(900),
}


PLANNED = list(check.USUAL)


@pytest.fixture(autouse=True)
def _usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "USUAL", USUAL)


@pytest.mark.parametrize(
    ("step", "seconds", "left_out"),
    [
        pytest.param("site", None, "", id="nobody waits"),
        pytest.param("site", 100, "", id="in time"),
        pytest.param("site", 4800 - 600 - 1000 - 900 - 200, "", id="just in time"),
        pytest.param("site", 4800 - 600 - 1000 - 900 - 199, "they take 200 s, and 199 s are left", id="a second too late"),
        pytest.param("site", 4800, "and 0 s are left", id="far too late"),
        pytest.param("operations", 4800 - 1000 - 900 - 300, "", id="a later step has more time"),
        pytest.param("operations", 4800 - 1000 - 900, "and 0 s are left", id="a later step"),
        pytest.param("vms", 4800, "", id="without turns"),
        pytest.param("lint", 4800, "", id="short"),
    ],
)  # fmt: skip
def test_turns_are_left_out_when_time_is_short(step: str, seconds: float | None, left_out: str) -> None:
    said = check.why_turns_are_left_out(step, seconds)
    assert left_out in said
    assert bool(said) == bool(left_out)


@pytest.mark.parametrize(
    ("step", "seconds", "limit"),
    [
        pytest.param("site", None, check.LIMIT_SECONDS, id="nobody waits"),
        pytest.param("site", 0, check.LIMIT_SECONDS, id="time enough"),
        pytest.param("operations", 3000, 5100 - 3000 - 900, id="what comes after it has its time"),
        pytest.param("vms", 4000, 1100, id="the last one"),
        pytest.param("vms", 6000, 60, id="too late"),
    ],
)
def test_a_command_that_hangs_does_not_cost_the_others_their_time(step: str, seconds: float | None, limit: int) -> None:
    assert check.seconds_of_a_command(step, seconds) == limit


def test_the_long_run_runs_every_step_once_and_plans_them_in_its_order() -> None:
    everything = check.GROUPS["ci"]
    parts = {"site", "operations"}  # of the step playbooks
    assert sorted(everything) == sorted({*check.STEPS, *check.NAMED_STEPS} - parts)
    assert [step for step in everything if step in PLANNED] == PLANNED
    assert everything[-3:] == [check.BESIDE, *check.ON_BOTH_CORES]


# --- A step beside others ---------------------------------------------------------------------------------------------


Act = Callable[[Any], object]


def says(text: str, code: int = 0) -> Act:
    return lambda step: step.run(sys.executable, "-c", f"print({text!r}); raise SystemExit({code})")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Act]:
    made = {"first": says("1 of the first"), "second": says("2 of the second"), "last": says("3 of the last")}
    monkeypatch.setattr(check, "STEPS", made)
    monkeypatch.setattr(check, "BUILD", tmp_path)
    return made


def test_a_step_beside_others_is_shown_where_it_stands(
    steps: dict[str, Act], capsys: pytest.CaptureFixture[str]
) -> None:
    steps["beside"] = says("4 of the one beside", 3)
    done = check.run_steps(["first", "second", "beside", "last"], "beside")
    assert [step.name for step in done] == ["first", "second", "beside", "last"]
    assert [bool(step.failures) for step in done] == [False, False, True, False]
    assert done[2].counts["failed"] == 1
    said = [line[0] for line in capsys.readouterr().out.splitlines() if line[:1].isdigit()]
    assert said == ["1", "2", "4", "3"]


def test_it_runs_while_the_others_run(steps: dict[str, Act], tmp_path: Path) -> None:
    steps["beside"] = lambda _step: (tmp_path / "begun").touch()

    def waits_for_it(step: Any) -> None:
        end = time.monotonic() + 20
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < end
            time.sleep(0.01)

    steps["first"] = waits_for_it
    assert [step.failures for step in check.run_steps(["first", "beside"], "beside")] == [[], []]


def test_one_that_dies_has_failed(steps: dict[str, Act]) -> None:
    steps["beside"] = lambda _step: os.kill(os.getpid(), signal.SIGKILL)
    _first, beside = check.run_steps(["first", "beside"], "beside")
    assert beside.failures
    assert beside.counts["failed"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_it_and_what_it_has_started(
    number: signal.Signals, steps: dict[str, Act], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    program = f"import os, time; open({str(pid)!r} + '_', 'w').write(str(os.getpid())); os.rename({str(pid)!r} + '_', {str(pid)!r}); time.sleep(600)"
    steps["beside"] = lambda step: step.run(sys.executable, "-c", program)

    def interrupted(step: Any) -> None:
        while not pid.exists():
            time.sleep(0.01)
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        step.run("sleep", "600")

    steps["first"] = interrupted
    known = signal.signal(number, check.interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            check.run_steps(["first", "beside"], "beside")
    finally:
        signal.signal(number, known)
    assert not Path("/proc", pid.read_text()).exists()
