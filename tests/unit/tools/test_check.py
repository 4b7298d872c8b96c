"""When tools/check.py leaves out tests that take turns, and when it interrupts a command."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

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
