# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The order in which a directory is brought to a state, and what another run that was quicker changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.around import Finished
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.place import KEPT, Plan
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.swap import Busy, is_locked, lock
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.workflow import Look, Workflow

WORK, NONE, LATER = Plan("created", "missing", "."), Plan(KEPT, "is_cluster", "."), Plan("created", "empty", ".")


class Steps(Workflow[Look]):
    """Notes what is called; ``plans`` are those of one look after the other."""

    def __init__(self, dest: str, plans: list[Plan], check: bool = False, done: Finished | None = None) -> None:
        module: Any = SimpleNamespace(check_mode=check, params={})
        super().__init__(module)
        self.dest, self.plans, self.done = dest, plans, done
        self.called: list[str] = []

    def note(self, what: str) -> None:
        self.called.append(what + (" locked" if is_locked(self.dest) else ""))

    def look(self) -> Look:
        self.note("look")
        return Look(DataDir(self.dest), self.plans.pop(0))

    def rehearse(self, found: Look) -> Look:
        self.note("rehearse")
        return found

    def settle(self) -> Finished | None:
        self.note("settle")
        return self.done

    def make(self, found: Look) -> Look:
        self.note("make")
        return replace(found, plan=replace(found.plan, sentence="made"))


UNDER_LOCK = ["look", "settle locked", "look locked"]
CASES: dict[str, tuple[list[Plan], bool, Finished | None, list[str], str]] = {
    "nothing to do": ([NONE], False, None, ["look"], "is_cluster"),
    "nothing to do, in check mode": ([NONE], True, None, ["look"], "is_cluster"),
    "check mode changes nothing": ([WORK], True, None, ["look", "rehearse"], "missing"),
    "made": ([WORK, WORK], False, None, [*UNDER_LOCK, "make locked"], "missing"),
    "planned again under the lock": ([WORK, LATER], False, None, [*UNDER_LOCK, "make locked"], "empty"),
    "another run was quicker": ([WORK, NONE], False, None, UNDER_LOCK, "is_cluster"),
    "an earlier run is finished": ([WORK, NONE], False, Finished(False, None), UNDER_LOCK, "finish_swap"),
    "finished, and not what is wanted": (
        [WORK, LATER], False, Finished(False, None), [*UNDER_LOCK, "make locked"], "empty",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("plans", "check", "done", "called", "reason"), CASES.values(), ids=CASES)
def test_order(
    tmp_path: Path, plans: list[Plan], check: bool, done: Finished | None, called: list[str], reason: str
) -> None:
    steps = Steps(str(tmp_path / "data"), list(plans), check, done)
    found = steps.reach()
    assert (steps.called, found.plan.reason, steps.first.plan) == (called, reason, plans[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_a_directory_that_another_run_works_on(tmp_path: Path, check: bool) -> None:
    steps = Steps(str(tmp_path / "data"), [WORK, WORK], check)
    with lock(steps.dest), pytest.raises(Busy):
        steps.reach()
    assert not any(word.startswith(("make", "settle", "rehearse")) for word in steps.called)


@pytest.mark.parametrize(("replaces", "action"), [(False, "created"), (True, "replaced")])
def test_what_an_earlier_run_had_made_ready(tmp_path: Path, replaces: bool, action: str) -> None:
    found = Steps(str(tmp_path / "data"), [WORK, NONE], done=Finished(replaces, None)).reach()
    assert (found.plan.action, found.plan.changed) == (action, True)
