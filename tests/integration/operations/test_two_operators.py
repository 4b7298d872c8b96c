"""Two operators at once: one of them changes the fleet, the other is told who does, and there is never a second primary."""

from __future__ import annotations

import subprocess
import time
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
}  # fmt: skip


def begin(fleet: Any, playbook: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        fleet.command(playbook, **variables), env=fleet.environment, cwd=ROOT,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


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
