# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._container.files import own_files
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.machine import Found, Machine, Shape
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.plan import (
    plan_fault,
    plan_machines,
    plan_removal,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput, MachineConflict
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.plan import Policy
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.values import Access, HostKey

NETWORK = "192.168.122.1/24"
SHAPE = Shape("192.168.122.101", "/tree", "access", "pgfleet0")
A, B = Machine("a", SHAPE), Machine("b", replace(SHAPE, address="192.168.122.102"))
FAIL, RESTART = Policy("lab"), Policy("lab", on_change="restart")
REBUILD, AGAIN, LET = Policy("lab", on_change="rebuild"), Policy("lab", rebuild=True), Policy("lab", start_fenced=True)


def found(machine: Machine, state: str = "running", **more) -> Found:
    return Found(**{"name": machine.name, "state": state, "fleet": "lab", "shape": machine.shape, **more})


def other(**more) -> Machine:
    return Machine("a", replace(SHAPE, **more))


RUNS, STOPPED, FROZEN = found(A), found(A, "stopped"), found(A, "frozen")
FENCED, STARTED_BY_HAND = found(A, "stopped", fenced=True), found(A, fenced=True)

# what is there, wanted, policy -> actions, what differs
PLANS = [
    ("nothing there", [], [A, B], FAIL, ["created a", "created b"], []),
    ("one of two there", [RUNS], [A, B], FAIL, ["none a", "created b"], []),
    ("stopped", [STOPPED], [A], FAIL, ["started a"], []),
    ("frozen", [FROZEN], [A], FAIL, ["thawed a"], []),
    ("fenced", [FENCED], [A], FAIL, ["none a"], []),
    ("fenced, and let go", [FENCED], [A], LET, ["started a"], []),
    ("fenced, and recreated", [FENCED], [A], AGAIN, ["rebuilt a"], []),
    ("fenced, and started by hand", [STARTED_BY_HAND], [A], FAIL, ["none a"], []),
    ("bridge", [RUNS], [other(bridge="br1")], RESTART, ["restarted a"], ["bridge"]),
    ("bridge of a stopped one needs no leave", [STOPPED], [other(bridge="br1")], FAIL, ["started a"], ["bridge"]),
    ("bridge of a frozen one", [FROZEN], [other(bridge="br1")], RESTART, ["restarted a"], ["bridge"]),
    ("tree", [RUNS], [other(tree="/new")], REBUILD, ["rebuilt a"], ["tree"]),
    ("keys, and bridge", [RUNS], [other(access="new", bridge="br1")], REBUILD, ["rebuilt a"], ["bridge", "access"]),
    ("rebuilt, as it is", [RUNS], [A], AGAIN, ["rebuilt a"], []),
    ("rebuilt, where nothing is", [], [A], AGAIN, ["created a"], []),
]


@pytest.mark.parametrize(
    ("there", "wanted", "policy", "actions", "changes"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS]
)
def test_plan(there, wanted, policy, actions, changes):
    plan = plan_machines(wanted, {each.name: each for each in there}, NETWORK, policy)
    assert [f"{step.action} {step.name}" for step in plan.steps] == actions
    assert list(plan.steps[0].changes) == changes
    assert plan.changed == any(not action.startswith("none") for action in actions)
    diff = plan.diff()
    assert (diff["before"] != diff["after"]) == plan.changed


REFUSED = [
    ("another fleet's", [found(A, fleet="other")], [A], FAIL, "foreign_container"),
    ("a directory of somebody's", [Found("a", "stopped")], [A], AGAIN, "foreign_container"),
    ("a container of somebody's", [Found("a", "running")], [A], FAIL, "foreign_container"),
    ("tree, not allowed", [RUNS], [other(tree="/new")], FAIL, "machine_differs"),
    ("tree, where only a restart is allowed", [STOPPED], [other(tree="/new")], RESTART, "machine_differs"),
    ("bridge, not allowed", [RUNS], [other(bridge="br1")], FAIL, "machine_differs"),
    ("outside of the network", [], [other(address="10.0.0.1")], FAIL, "address_outside_network"),
    ("the host's address", [], [other(address="192.168.122.1")], FAIL, "duplicate_address"),
    ("one address twice", [], [A, Machine("b", SHAPE)], FAIL, "duplicate_address"),
    ("address of a machine that is there", [found(B)], [other(address=B.shape.address)], FAIL, "duplicate_address"),
    ("one name twice", [], [A, other(address="192.168.122.9")], FAIL, "duplicate_name"),
]


@pytest.mark.parametrize(
    ("there", "wanted", "policy", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(there, wanted, policy, code):
    with pytest.raises(MachineConflict) as caught:
        plan_machines(wanted, {each.name: each for each in there}, NETWORK, policy)
    assert caught.value.code == code
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a" * 64])
def test_no_name(name):
    with pytest.raises(InvalidInput):
        Machine(name, SHAPE)


FAULTS = [
    ("powered_off", RUNS, "powered_off", "stopped"),
    ("powered_off", FROZEN, "powered_off", "stopped"),
    ("powered_off", STOPPED, "none", "stopped"),
    ("powered_off", FENCED, "none", "fenced"),
    ("power_cut", RUNS, "power_cut", "stopped"),
    ("power_cut", STOPPED, "none", "stopped"),
    ("fenced", RUNS, "fenced", "fenced"),
    ("fenced", STOPPED, "fenced", "fenced"),
    ("fenced", FENCED, "none", "fenced"),
    ("fenced", STARTED_BY_HAND, "fenced", "fenced"),
    ("frozen", RUNS, "frozen", "frozen"),
    ("frozen", FROZEN, "none", "frozen"),
]


@pytest.mark.parametrize(("state", "there", "action", "after"), FAULTS)
def test_fault(state, there, action, after):
    plan = plan_fault(state, ["a", "a"], {"a": there}, "lab")
    assert [step.action for step in plan.steps] == [action]
    assert plan.diff()["after"]["a"]["state"] == after


@pytest.mark.parametrize(
    ("state", "there", "code"),
    [
        ("fenced", {}, "machine_missing"),
        ("frozen", {"a": STOPPED}, "machine_not_running"),
        ("power_cut", {"a": found(A, fleet="other")}, "foreign_container"),
    ],
)
def test_fault_refused(state, there, code):
    with pytest.raises(MachineConflict) as caught:
        plan_fault(state, ["a"], there, "lab")
    assert caught.value.code == code


def test_removal():
    plan = plan_removal(["a", "b"], {"a": RUNS}, "lab")
    assert [step.action for step in plan.steps] == ["removed", "none"]
    assert plan.diff()["after"]["a"] == {"state": "absent"}
    with pytest.raises(MachineConflict):
        plan_removal(["a"], {"a": found(A, fleet="other")}, "lab")


def test_own_files():
    access = Access("ansible", ("ssh-ed25519 AAAA x\n",), 24, "", {"192.168.122.102": "b"})
    shared = {
        "passwd": "root:x:0:0::/root:/bin/sh\n",
        "shadow": "root:!:1::::::\nansible:old\n",
        "group": "root:x:0:\nshadow:x:42:\n",
    }
    files = own_files(A, access, HostKey("private", "public"), shared)
    assert files["etc/shadow"].text == "root:!:1::::::\nansible:*:20000:0:99999:7:::\n"
    assert (files["etc/shadow"].mode, files["etc/shadow"].group) == (0o640, 42)
    assert files["etc/hosts"].text.splitlines()[2:] == ["192.168.122.101 a", "192.168.122.102 b"]
    network = files["etc/systemd/network/10-host0.network"].text
    assert f"MACAddress={A.mac}" in network
    assert "Address=192.168.122.101/24" in network
    assert "Gateway" not in network
    assert files["home/ansible/.ssh/authorized_keys"].owner == 1000
