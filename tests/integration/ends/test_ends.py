"""The control side at both ends of what the README promises: a cluster is made, left alone, changes its primary twice and is destroyed."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import yaml

from ansible_collections.pgfleet.cluster.tests.integration.ends.control import (
    Control,
    SmallFleet,
    control_here,
    control_in_a_room,
)
from ansible_collections.pgfleet.cluster.tests.integration.fleet import ROOT, own_place


def promised() -> str:
    """The lowest ansible-core that meta/runtime.yml allows."""
    found = re.fullmatch(r">=([\d.]+)", yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"])
    assert found
    return found[1]


PYTHON_HERE = "{}.{}.".format(*sys.version_info)
not_here = pytest.mark.skipif(sys.version_info >= (3, 13), reason="ansible-core 2.17 runs on Python 3.10 to 3.12")


def before_it(folder: Path) -> AbstractContextManager[Control]:
    return nullcontext(control_here(folder, "ansible-core~=2.17.0"))


def before_it_with_types(folder: Path) -> AbstractContextManager[Control]:
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
        if not control.entered_by:
            made.wipe()  # what a killed run of the tests has left
        yield made
        if not control.entered_by:
            made.wipe()
            shutil.rmtree(control.place)


def seen(fleet: SmallFleet) -> tuple[dict[str, str], list[str]]:
    """Who is what, and what status has found."""
    document = fleet.status()
    return {node["name"]: node["role"] for node in document["nodes"]}, [each["code"] for each in document["findings"]]


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    ("fleet", "core", "python", "warnings"),
    [
        pytest.param(lowest, promised(), PYTHON_HERE, [], id="lowest"),
        pytest.param(newest, "2.", "3.13.", [], id="newest"),
        pytest.param(
            before_it_with_types, "2.17.", PYTHON_HERE, ["pgfleet.cluster does not support Ansible version 2.17"],
            id="2.17 with native types", marks=not_here,
        ),
    ],
    indirect=["fleet"],
)  # fmt: skip
def test_a_cluster_from_its_deployment_to_its_end(
    fleet: SmallFleet, core: str, python: str, warnings: list[str]
) -> None:
    versions = fleet.control.versions()
    print("ansible-core {}, Python {}".format(*versions))
    assert versions[0].startswith(core) and versions[1].startswith(python)

    first = fleet.site()
    assert first.changed > 0
    assert fleet.warned(first) == warnings
    again = fleet.site()
    assert again.changed == 0, again.output

    fleet.must("playbooks/switchover.yml", "-e", "to=node1")
    assert seen(fleet) == ({"primary": "standby", "node1": "primary"}, [])

    fleet.stop("node1")
    fleet.must("playbooks/failover.yml")
    fleet.must("playbooks/rejoin.yml", "-e", "node=node1")
    assert seen(fleet) == ({"primary": "primary", "node1": "standby"}, [])

    fleet.destroy()
    assert {node["state"] for node in fleet.status()["nodes"]} == {"absent"}


@not_here
@pytest.mark.turns(3)
@pytest.mark.parametrize("fleet", [pytest.param(before_it, id="2.17")], indirect=True)
def test_before_2_19_types_are_demanded_before_anything_is_done(fleet: SmallFleet) -> None:
    run = fleet.play("site.yml")
    assert run.returncode != 0
    assert "set jinja2_native = true in ansible.cfg" in " ".join(run.output.split())
    assert run.changed == 0
    assert {host["ok"] for host in run.recap.values()} <= {0, 1}
