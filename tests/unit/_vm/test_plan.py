# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput, MachineConflict
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.plan import Policy
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.plan import (
    plan_fencing,
    plan_machines,
    plan_removal,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.values import Domain, Host, Machine, Shape

SHAPE = Shape("192.168.122.101", 1024, 1, 8, "image", "access", "hardware")
OTHER_SHAPE = replace(SHAPE, address="192.168.122.102")
A, B = Machine("a", SHAPE), Machine("b", OTHER_SHAPE)
ROOM = Host("default", "192.168.122.0/24", "192.168.122.1", memory_free_mb=4096, disk_free_gb=100, image_gb=4)
FAIL = Policy("lab")
RESTART = Policy("lab", on_change="restart")
REBUILD = Policy("lab", on_change="rebuild")
ANEW = Policy("lab", rebuild=True)
LET = Policy("lab", start_fenced=True)


def domain(machine: Machine, **more) -> Domain:
    return Domain(
        **{"name": machine.name, "uuid": machine.uuid, "running": True, "fleet": "lab", "shape": machine.shape, **more}
    )


RUNS_A, RUNS_B = domain(A), domain(B)
STOPPED_A = domain(A, running=False)


def bigger(**more) -> Machine:
    return Machine("a", replace(SHAPE, **more))


# domains, wanted, policy -> actions, what differs
PLANS = [
    ("nothing there", [], [A, B], FAIL, ["created a", "created b"], []),
    ("one of two there", [RUNS_A], [A, B], FAIL, ["none a", "created b"], []),
    ("stopped", [STOPPED_A], [A], FAIL, ["started a"], []),
    ("without its disk", [domain(A, running=False, complete=False)], [A], FAIL, ["created a"], []),
    ("without its disk, asked for otherwise", [domain(A, running=False, complete=False)], [bigger(image="new")], FAIL, ["created a"], []),
    ("autostart needs no leave", [RUNS_A], [bigger(autostart=True)], FAIL, ["updated a"], ["autostart"]),
    ("autostart of a stopped one", [STOPPED_A], [bigger(autostart=True)], FAIL, ["started a"], ["autostart"]),
    ("memory", [RUNS_A], [bigger(memory_mb=2048)], RESTART, ["restarted a"], ["memory_mb"]),
    ("memory of a stopped one", [STOPPED_A], [bigger(memory_mb=2048)], RESTART, ["restarted a"], ["memory_mb"]),
    ("cpus, where more is allowed", [RUNS_A], [bigger(vcpus=2)], REBUILD, ["restarted a"], ["vcpus"]),
    ("larger disk", [RUNS_A], [bigger(disk_gb=9)], RESTART, ["restarted a"], ["disk_gb"]),
    ("other hardware", [RUNS_A], [bigger(hardware="new")], RESTART, ["restarted a"], ["hardware"]),
    ("smaller disk", [RUNS_A], [bigger(disk_gb=7)], REBUILD, ["rebuilt a"], ["disk_gb"]),
    ("image", [RUNS_A], [bigger(image="new")], REBUILD, ["rebuilt a"], ["image"]),
    ("address and memory", [RUNS_A], [bigger(address="192.168.122.9", memory_mb=2048)], REBUILD, ["rebuilt a"], ["memory_mb", "address"]),
    ("keys", [RUNS_A], [bigger(access="new")], REBUILD, ["rebuilt a"], ["access"]),
    ("again although nothing differs", [RUNS_A], [A, B], ANEW, ["rebuilt a", "created b"], []),
    ("fenced", [domain(A, running=False, fenced=True), RUNS_B], [A, B], FAIL, ["none a", "none b"], []),
    ("fenced, asked for otherwise", [domain(A, running=False, fenced=True)], [bigger(memory_mb=2048)], RESTART, ["none a"], []),
    ("fenced, to be started", [domain(A, running=False, fenced=True)], [A], LET, ["started a"], []),
    ("fenced, again", [domain(A, running=False, fenced=True)], [A], ANEW, ["rebuilt a"], []),
    ("fenced, started by hand", [domain(A, fenced=True)], [A], FAIL, ["updated a"], []),
    ("strangers beside", [RUNS_A, Domain("other", "u", True)], [A], FAIL, ["none a"], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("domains", "wanted", "policy", "actions", "changes"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS]
)
def test_plan(domains, wanted, policy, actions, changes):
    plan = plan_machines(wanted, {item.name: item for item in domains}, ROOM, policy)
    assert [f"{step.action} {step.name}" for step in plan.steps] == actions
    assert list(plan.steps[0].changes) == changes
    assert plan.changed == any(not action.startswith("none") for action in actions)
    diff = plan.diff()
    assert (diff["before"] != diff["after"]) == plan.changed


@pytest.mark.parametrize(
    ("domains", "wanted", "policy", "actions", "changes"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS]
)
def test_plan_again_does_nothing(domains, wanted, policy, actions, changes):
    done = {machine.name: domain(machine) for machine in wanted}
    assert not plan_machines(wanted, done, ROOM, replace(policy, rebuild=False)).changed


def on(name: str, address: str, **more) -> Machine:
    return Machine(name, replace(SHAPE, address=address, **more))


TIGHT = replace(ROOM, memory_free_mb=1500, disk_free_gb=10)
REFUSED = [
    ("name twice", [], [A, on("a", "192.168.122.7")], FAIL, ROOM, "duplicate_name", ["2 machines", "'a'"]),
    ("address twice", [], [A, on("b", SHAPE.address)], FAIL, ROOM, "duplicate_address", [SHAPE.address]),
    ("outside", [], [on("a", "10.0.0.1")], FAIL, ROOM, "address_outside_network", ["10.0.0.1", "'default'", "192.168.122.0/24"]),
    ("the network itself", [], [on("a", "192.168.122.0")], FAIL, ROOM, "address_outside_network", []),
    ("broadcast", [], [on("a", "192.168.122.255")], FAIL, ROOM, "address_outside_network", []),
    ("the hypervisor's", [], [on("a", "192.168.122.1")], FAIL, ROOM, "address_in_use", ["hypervisor's own"]),
    ("another fleet's address", [domain(B, fleet="demo")], [on("a", OTHER_SHAPE.address)], FAIL, ROOM, "address_in_use", ["'b'", "'demo'"]),
    ("address of our own that is not named", [domain(B)], [on("a", OTHER_SHAPE.address)], FAIL, ROOM, "address_in_use", ["'b'"]),
    ("stranger's domain", [domain(A, fleet="", shape=None)], [A], FAIL, ROOM, "foreign_domain", ["not made by this collection"]),
    ("another fleet's domain", [domain(A, fleet="demo")], [A], ANEW, ROOM, "foreign_domain", ["fleet 'demo'"]),
    ("renamed domain", [domain(A, name="old", shape=None)], [A], FAIL, ROOM, "foreign_domain", ["'old'", "UUID"]),
    ("file in the way", [], [A], FAIL, replace(ROOM, files=frozenset({"/x/a.qcow2"})), "file_in_the_way", ["/x/a.qcow2"]),
    ("image larger than disk", [], [on("a", SHAPE.address, disk_gb=3)], FAIL, ROOM, "disk_too_small", ["3 GB", "4 GB"]),
    ("memory for one, not for two", [], [A, B], FAIL, TIGHT, "not_enough_memory", ["2048 MB", "1500 MB"]),
    ("disk for one, not for two", [], [A, B], FAIL, replace(TIGHT, memory_free_mb=9000), "not_enough_disk", ["16 GB", "10 GB"]),
    ("memory for a stopped one", [STOPPED_A], [A], FAIL, replace(ROOM, memory_free_mb=100), "not_enough_memory", []),
    ("more memory", [RUNS_A], [bigger(memory_mb=4096)], RESTART, TIGHT, "not_enough_memory", ["3072 MB"]),
    ("memory differs", [RUNS_A], [bigger(memory_mb=2048)], FAIL, ROOM, "machine_differs", ["memory_mb is 1024, 2048", "'restart'"]),
    ("image differs", [RUNS_A], [bigger(image="new")], FAIL, ROOM, "machine_differs", ["image is image, new", "'rebuild'", "disk away"]),
    ("image differs, restart allowed", [RUNS_A], [bigger(image="new")], RESTART, ROOM, "machine_differs", ["'rebuild'"]),
    ("smaller disk, restart allowed", [RUNS_A], [bigger(disk_gb=7)], RESTART, ROOM, "machine_differs", ["recreating"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("domains", "wanted", "policy", "host", "code", "words"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_refused(domains, wanted, policy, host, code, words):
    with pytest.raises(MachineConflict) as refused:
        plan_machines(wanted, {item.name: item for item in domains}, host, policy)
    assert refused.value.code == code
    assert refused.value.remedy
    for word in words:
        assert word in str(refused.value)


FITS = [
    ("what runs needs no more", [RUNS_A], [A], FAIL, replace(ROOM, memory_free_mb=0, disk_free_gb=0)),
    ("rebuilding takes the old one's room", [RUNS_A], [A], ANEW, replace(ROOM, memory_free_mb=0, disk_free_gb=0)),
    ("shrinking needs none", [RUNS_A], [bigger(memory_mb=512)], RESTART, replace(ROOM, memory_free_mb=0)),
    ("overcommitted", [], [A, B], replace(FAIL, overcommit=True), TIGHT),
]


@pytest.mark.parametrize(
    ("domains", "wanted", "policy", "host"), [row[1:] for row in FITS], ids=[row[0] for row in FITS]
)
def test_room(domains, wanted, policy, host):
    plan_machines(wanted, {item.name: item for item in domains}, host, policy)


def test_refusal_shows_the_difference():
    with pytest.raises(MachineConflict) as refused:
        plan_machines([bigger(memory_mb=2048)], {"a": RUNS_A}, ROOM, FAIL)
    assert refused.value.facts["diff"]["before"]["a"]["memory_mb"] == 1024
    assert refused.value.facts["diff"]["after"]["a"]["memory_mb"] == 2048


def test_removal():
    stranger = Domain("stranger", "u", True)
    plan = plan_removal(["a", "b", "a"], {"a": RUNS_A, "stranger": stranger}, "lab")
    assert [f"{step.action} {step.name}" for step in plan.steps] == ["removed a", "none b"]
    assert not plan_removal(["a"], {}, "lab").changed


@pytest.mark.parametrize("there", [domain(A, fleet="demo"), domain(A, shape=None, fleet="")], ids=["fleet", "stranger"])
def test_removal_spares_what_is_not_ours(there):
    with pytest.raises(MachineConflict) as refused:
        plan_removal(["b", "a"], {"a": there}, "lab")
    assert refused.value.code == "foreign_domain"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("", {}), ("A", {}), ("a_b", {}), ("-a", {}), ("a.b", {}), ("a/b", {}), ("x" * 64, {}),
        ("a", {"address": ""}), ("a", {"address": "192.168.122.101/24"}), ("a", {"address": "fe80::1"}),
        ("a", {"memory_mb": 0}), ("a", {"vcpus": -1}), ("a", {"disk_gb": 0}),
    ],
)  # fmt: skip
def test_invalid(name, more):
    with pytest.raises(InvalidInput):
        Machine(name, replace(SHAPE, **more))


def test_identity_follows_from_the_name():
    assert A.mac == on("a", "10.0.0.9").mac == "52:54:00:ca:97:81"
    assert A.uuid == on("a", "10.0.0.9").uuid
    assert A.mac != B.mac and A.uuid != B.uuid


FENCING = [
    ("running", [RUNS_A], ["fenced a"]),
    ("stopped, so that nobody starts it", [STOPPED_A], ["fenced a"]),
    ("fenced already", [domain(A, running=False, fenced=True)], ["none a"]),
    ("fenced and started by hand", [domain(A, fenced=True)], ["fenced a"]),
]


@pytest.mark.parametrize(("domains", "actions"), [row[1:] for row in FENCING], ids=[row[0] for row in FENCING])
def test_fencing(domains, actions):
    plan = plan_fencing(["a", "a"], {item.name: item for item in domains}, "lab")
    assert [f"{step.action} {step.name}" for step in plan.steps] == actions
    assert plan.diff()["after"]["a"]["state"] == "fenced"
    assert (plan.diff()["before"] != plan.diff()["after"]) == plan.changed


@pytest.mark.parametrize(("fleet", "code"), [("demo", "foreign_domain"), ("lab", "machine_missing")])
def test_fencing_of_others_is_refused(fleet, code):
    with pytest.raises(MachineConflict) as refused:
        plan_fencing(["a"], {} if code == "machine_missing" else {"a": RUNS_A}, fleet)
    assert refused.value.code == code
