"""The order of hosts in our plays does not depend on somebody's ansible.cfg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.pgfleet.cluster.plugins.lookup.strategy import in_order

PLAYBOOKS = sorted((Path(__file__).parents[2] / "playbooks").glob("*.yml"))
ORDERED = {"ansible.builtin.linear", "{{ lookup('pgfleet.cluster.strategy') }}"}


@pytest.mark.parametrize(
    ("chosen", "used"),
    [
        ("linear", "ansible.builtin.linear"),
        ("free", "ansible.builtin.linear"),
        ("host_pinned", "ansible.builtin.linear"),
        ("debug", "ansible.builtin.linear"),
        ("mitogen_free", "ansible.builtin.linear"),
        ("mitogen_linear", "mitogen_linear"),
        ("serverscom.mitogen.mitogen_linear", "serverscom.mitogen.mitogen_linear"),
    ],
)
def test_only_strategies_that_keep_the_order_are_used(chosen: str, used: str) -> None:
    assert in_order(chosen) == used


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_names_its_strategy(playbook: Path) -> None:
    plays: list[dict[str, Any]] = yaml.safe_load(playbook.read_text())
    assert [play["name"] for play in plays if "hosts" in play and play.get("strategy") not in ORDERED] == []
