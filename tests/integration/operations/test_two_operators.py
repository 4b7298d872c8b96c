"""Two operators at once: one of them changes the fleet, the other is told who does, and there is never a second primary."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import ROOT
from ansible_collections.pgfleet.cluster.tests.integration.operations.load import succeed

PAIRS: dict[str, tuple[tuple[str, dict[str, str]], tuple[str, dict[str, str]], float]] = {
    "two switchovers at the same moment": (
        ("playbooks/switchover.yml", {"to": "node1"}), ("playbooks/switchover.yml", {"to": "node2"}), 0,
    ),
    "two switchovers, one a little later": (
        ("playbooks/switchover.yml", {"to": "node3"}), ("playbooks/switchover.yml", {"to": "node2"}), 0.7,
    ),
    "a failover by force beside a switchover": (
        ("playbooks/switchover.yml", {"to": "node1"}), ("playbooks/failover.yml", {"force": "yes"}), 1.5,
    ),
    "a deployment beside a switchover": (
        ("playbooks/switchover.yml", {"to": "node1"}), ("site.yml", {}), 0,
    ),
}  # fmt: skip


def begin(fleet: Any, playbook: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        fleet.command(playbook, **variables), env=fleet.environment, cwd=ROOT,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.turns(2)
@pytest.mark.parametrize(("first", "second", "offset"), PAIRS.values(), ids=PAIRS.keys())
def test_one_changes_the_fleet_and_the_other_is_told(
    fleet: Any, first: tuple[str, dict[str, str]], second: tuple[str, dict[str, str]], offset: float
) -> None:
    succeed(fleet, "switchover", to="primary")
    runs = [begin(fleet, *first)]
    time.sleep(offset)
    runs.append(begin(fleet, *second))
    outputs = [run.communicate(timeout=300)[0] for run in runs]
    seen = fleet.status()["nodes"]  # a failover that came first has stopped the old primary
    leading = [node["name"] for node in seen if node["role"] == "primary" and node["state"] == "running"]
    assert len(leading) == 1, outputs
    refused = [" ".join(output.split()) for run, output in zip(runs, outputs) if run.returncode]
    assert len(refused) == 1, outputs
    assert "Another run is changing this fleet: " in refused[0]
    assert "started by" in refused[0]
    assert "Nothing was changed." in refused[0]


def notes(fleet: Any) -> list[Path]:
    """Who holds the fleet now, on all of its nodes."""
    return list(Path("/run/pgfleet").glob(f"{fleet.name}_*/*.json"))


def wait_until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_fleet_is_not_removed_while_another_run_changes_it(fleet: Any) -> None:
    succeed(fleet, "switchover", to="primary")
    wait_until(lambda: not notes(fleet))
    other = begin(fleet, "playbooks/switchover.yml", {"to": "node1"})
    wait_until(lambda: len(notes(fleet)) == len(fleet.ports))
    removal = fleet.play("playbooks/destroy.yml", confirm="yes")
    assert other.wait(timeout=300) == 0
    assert removal.returncode != 0
    told = " ".join(removal.output.split())
    assert "Another run is changing this fleet: switchover" in told
    assert "Nothing was changed." in told
    assert removal.changed == 0
    wait_until(lambda: not notes(fleet))
    assert [node["state"] for node in fleet.status()["nodes"] if node["name"] == "node1"] == ["running"]
