# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._container.machine import Found, Machine, Shape
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput, MachineConflict
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.plan import (
    Kind,
    Plan,
    Policy,
    Step,
    refuse_changes,
    take_from,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.values import Access, HostKey, host_keys

KIND = Kind("a box", "that box", "shelf", "content", "foreign_box")
SHAPE, OTHER = Shape("10.0.0.1", "/tree", "access", "br0"), Shape("10.0.0.1", "/other", "access", "br1")
RESTARTED = Step("restarted", "a", Machine("a", OTHER), Found("a", "running", "lab", SHAPE), ("bridge",))
REBUILT = Step("rebuilt", "b", Machine("b", OTHER), Found("b", "running", "lab", SHAPE), ("tree",))

# steps, policy -> what is offered, or None where nothing is refused
CHANGES = [
    ([], Policy("lab"), None),
    ([RESTARTED], Policy("lab"), "'restart' to apply it, or"),
    ([REBUILT], Policy("lab"), "'rebuild' to apply it (that throws its content away), or"),
    ([RESTARTED, REBUILT], Policy("lab"), "'rebuild'"),
    ([RESTARTED], Policy("lab", on_change="restart"), None),
    ([RESTARTED, REBUILT], Policy("lab", on_change="restart"), "'rebuild'"),
    ([RESTARTED, REBUILT], Policy("lab", on_change="rebuild"), None),
    ([RESTARTED, REBUILT], Policy("lab", rebuild=True), None),
]


@pytest.mark.parametrize(("steps", "policy", "offered"), CHANGES)
def test_changes_need_leave(steps: list[Step[Any, Any]], policy: Policy, offered: str | None) -> None:
    plan = Plan(tuple(steps))
    if offered is None:
        refuse_changes(plan, policy, KIND)
        return
    with pytest.raises(MachineConflict) as raised:
        refuse_changes(plan, policy, KIND)
    assert raised.value.code == "machine_differs" and offered in raised.value.remedy
    assert raised.value.facts["diff"] == plan.diff()


def test_what_differs_is_named() -> None:
    with pytest.raises(MachineConflict, match="bridge is br0, br1 was asked for"):
        refuse_changes(Plan((RESTARTED,)), Policy("lab"), KIND)


@pytest.mark.parametrize(
    ("found", "is_so", "action", "end"),
    [
        (Found("a", "running", "lab", SHAPE), False, "fenced", "fenced"),
        (Found("a", "stopped", "lab", SHAPE, fenced=True), True, "none", "fenced"),
    ],
)
def test_what_is_taken_already_is_not_taken_again(found: Found, is_so: bool, action: str, end: str) -> None:
    step = take_from(found, "fenced", "fenced", is_so)
    assert (step.action, step.after["state"], step.left_off) == (action, end, False)


def test_a_host_key_must_be_there_before_a_machine_is_made() -> None:
    machine = {"name": "a", "host_key": None, "host_public_key": None}
    assert host_keys([machine], check_mode=True) == {"a": HostKey("", "")}
    with pytest.raises(InvalidInput, match="'a' has no host key"):
        host_keys([machine], check_mode=False)


def test_names_of_others_do_not_change_a_machine() -> None:
    alone, among = (Access("ansible", ("key",), 24, "", hosts) for hosts in ({}, {"10.0.0.2": "b"}))
    key = HostKey("private", "ssh-ed25519 AAAA comment")
    assert alone.hash(key) == among.hash(HostKey("private", "ssh-ed25519 AAAA other comment"))
    assert alone.hash(key) != Access("ansible", ("key",), 24, "", {}, ("10.0.0.9",)).hash(key)
