"""The control side at both ends of what the README promises: a cluster is made, left alone, switched over, looked at and destroyed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.pgfleet.cluster.tests.integration.ends.control import (
    ROOT,
    Control,
    SmallFleet,
    control_here,
    control_in_a_room,
)
from ansible_collections.pgfleet.cluster.tests.integration.fleet import own_place


def promised() -> str:
    """The lowest ansible-core that meta/runtime.yml allows."""
    found = re.fullmatch(r">=([\d.]+)", yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"])
    assert found
    return found[1]


def native(folder: Path) -> AbstractContextManager[Control]:
    return nullcontext(control_here(folder, "ansible-core~=2.17.0", "ANSIBLE_JINJA2_NATIVE=1"))


def lowest(folder: Path) -> AbstractContextManager[Control]:
    return nullcontext(control_here(folder, f"ansible-core=={promised()}"))


def newest(folder: Path) -> AbstractContextManager[Control]:
    return control_in_a_room(folder, "ansible-core", "3.13")


@pytest.fixture
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallFleet]:
    """Nodes without servers, and the control side that the test asks for; both are removed at the end."""
    with request.param(tmp_path) as control, own_place() as (name, ports):
        made = SmallFleet(tmp_path / "fleet", name, ports, control)
        try:
            yield made
        finally:
            made.destroy("-e", "adopted=yes")
            if not control.entered_by:
                made.forget_what_was_set_aside()


def states(document: dict[str, Any]) -> dict[str, str]:
    return {node["name"]: node["state"] for node in document["nodes"]}


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    ("fleet", "core", "python"),
    [
        pytest.param(native, "2.17.", "3.11.", id="2.17 with native types"),
        pytest.param(lowest, promised(), "3.11.", id="lowest"),
        pytest.param(newest, "2.", "3.13.", id="newest"),
    ],
    indirect=["fleet"],
)
def test_a_cluster_from_its_deployment_to_its_end(fleet: SmallFleet, core: str, python: str) -> None:
    versions = fleet.control.versions()
    print("ansible-core {}, Python {}".format(*versions))
    assert versions[0].startswith(core) and versions[1].startswith(python)

    assert fleet.site().changed > 0
    again = fleet.site()
    assert again.changed == 0, again.output

    switchover = fleet.play("playbooks/switchover.yml", "-e", "to=node1")
    assert switchover.returncode == 0, switchover.output
    document = fleet.status()
    assert {node["name"]: node["role"] for node in document["nodes"]} == {"primary": "standby", "node1": "primary"}
    assert document["findings"] == []

    fleet.destroy()
    assert set(states(fleet.status()).values()) == {"absent"}
