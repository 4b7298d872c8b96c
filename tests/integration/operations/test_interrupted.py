"""Playbooks that are killed while hosts are at one of their tasks, and run again: a fixed sample, or every task with make sweep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.operations.load import NODES, leader, leads, succeed, writing

EVERY_TASK = bool(os.environ.get("PGFLEET_SWEEP"))


def leftovers(fleet: Any) -> list[Path]:
    """What unfinished work would leave beside the data directories."""
    found = Path("/var/lib/postgresql").glob(f"*/{fleet.name}_*")
    return [path for path in found if not path.name.removeprefix(f"{fleet.name}_").isalnum()]


@pytest.mark.skipif(not EVERY_TASK, reason="make sweep; the sample is among the tests of site.yml")
def test_site_killed_at_every_task(empty_fleet: Any) -> None:
    for task in range(1, empty_fleet.tasks_of_first_run + 1):
        empty_fleet.destroy()
        killed = empty_fleet.kill_at(task)
        print(f"{task}: {killed}", flush=True)
        empty_fleet.site()
        assert empty_fleet.site().changed == 0, killed
        document = empty_fleet.status()
        assert document["problems"] == [], killed
        assert document["pagila"], killed
        assert leftovers(empty_fleet) == [], killed
    empty_fleet.destroy()


def next_leader(fleet: Any) -> str:
    """The node after the one that leads."""
    return NODES[(NODES.index(leader(fleet)) + 1) % len(NODES)]


@pytest.fixture(scope="module")
def tasks_of_a_switchover(fleet: Any) -> int:
    run = succeed(fleet, "switchover", to=next_leader(fleet))
    return int(run.output.count("\nTASK ["))


#: From the shutdown of the old primary to the end, and once while the slots are made.
SAMPLE = (0.5, 0.58, 0.64, 0.75, 0.9)


def kill_and_finish(fleet: Any, task: int) -> None:
    """Kill a switchover at a task, and let the next run finish it."""
    target = next_leader(fleet)
    before = leftovers(fleet)  # what tests of other files had set aside
    with writing(fleet) as ledger:
        killed = fleet.kill_at(task, playbook="playbooks/switchover.yml", to=target)
        print(f"{task}: {killed}", flush=True)
        run = fleet.play("playbooks/switchover.yml", to=target)
        assert run.returncode == 0, f"killed at {killed}: {run.output}"
        assert ledger.lost(target) == set(), killed
    leads(fleet, target)
    assert set(leftovers(fleet)) <= set(before), killed


@pytest.mark.skipif(not EVERY_TASK, reason="make sweep; a sample is next")
def test_a_switchover_killed_at_every_task(fleet: Any, tasks_of_a_switchover: int) -> None:
    for task in range(1, tasks_of_a_switchover + 1):
        kill_and_finish(fleet, task)


@pytest.mark.turns(len(SAMPLE))
@pytest.mark.parametrize("part", SAMPLE)
def test_a_switchover_killed_on_its_way_is_finished_by_the_next_run(
    fleet: Any, tasks_of_a_switchover: int, part: float
) -> None:
    kill_and_finish(fleet, round(tasks_of_a_switchover * part))


@pytest.mark.turns(2)
@pytest.mark.parametrize("part", SAMPLE[1:3])
def test_a_switchover_that_was_interrupted_can_be_taken_back(
    fleet: Any, tasks_of_a_switchover: int, part: float
) -> None:
    """Whatever the first run has come to, who does as the refusals say has the named node lead in the end."""
    succeed(fleet, "switchover", to="primary")
    with writing(fleet) as ledger:
        fleet.kill_at(round(tasks_of_a_switchover * part), playbook="playbooks/switchover.yml", to="node2")
        run = fleet.play("playbooks/switchover.yml", to="primary")
        for _again in range(3):  # the killed run's demotion may still hold its lock
            if run.returncode == 0:
                break
            said = " ".join(run.output.split())
            if "so it cannot take over. Start it (site.yml)" in said:
                fleet.site()  # the first run has promoted node2 and not yet started the old primary
            else:
                assert "Another run is at work" in said, run.output
            run = fleet.play("playbooks/switchover.yml", to="primary")
        assert run.returncode == 0, run.output
        assert ledger.lost("primary") == set()
    leads(fleet, "primary")
