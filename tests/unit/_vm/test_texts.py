# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What machines are described with: definitions, seeds, consoles, inventories."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.values import Access, HostKey, is_ours
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.console import death, has_finished, tail
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.domain import (
    XMLNS,
    Hardware,
    Image,
    Places,
    domain_xml,
    fenced_mark,
    hardware_hash,
    read_domain,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.seed import seed_files
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.values import Machine, Shape
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.machines import fleet_machines, machines_report

IMAGE = Image("/i/disk.qcow2", "abc", "/i/vmlinuz", "/i/initrd", "root=/dev/vda console=ttyS0")
HARDWARE = Hardware("qemu", "maximum", ("cx16", "la57"), "default", "writeback")
PLACES = Places("/d", "/l")
NODE = Machine("node1", Shape("192.168.122.101", 1024, 2, 8, "abc", "acc", "hw", True))


def kib(xml: str) -> str:
    """As libvirt gives memory back."""
    return xml.replace('<memory unit="MiB">1024<', "<memory unit='KiB'>1048576<")


def test_a_definition_is_read_as_it_was_written():
    xml = kib(domain_xml(NODE, "lab", IMAGE, HARDWARE, PLACES))
    found = read_domain(xml, running=True, autostart=True)
    assert found.shape == NODE.shape
    assert (found.name, found.uuid, found.fleet) == ("node1", NODE.uuid, "lab")
    assert is_ours(found, "lab") and not is_ours(found, "demo")
    assert found.files == ("/d/node1.qcow2", "/d/node1-seed.iso")
    assert found.console == "/l/node1-console.log"


def test_definition_boots_a_kernel_or_a_disk():
    direct = domain_xml(NODE, "lab", IMAGE, HARDWARE, PLACES)
    assert "<kernel>/i/vmlinuz</kernel>" in direct and "<boot" not in direct
    loader = domain_xml(NODE, "lab", Image("/i/disk.qcow2", "abc"), HARDWARE, PLACES)
    assert '<boot dev="hd"' in loader and "<kernel>" not in loader


def test_a_stranger_has_no_shape():
    xml = "<domain type='kvm'><name>db</name><uuid>1-2</uuid><memory unit='KiB'>1</memory><vcpu>1</vcpu></domain>"
    found = read_domain(xml, running=False, autostart=False)
    assert found.shape is None and not is_ours(found, "") and not is_ours(found, "lab")


def test_a_fenced_domain_says_so():
    xml = kib(domain_xml(NODE, "lab", IMAGE, HARDWARE, PLACES))
    assert not read_domain(xml, running=False, autostart=False).fenced
    mark = fenced_mark(xml)
    assert mark.startswith("<machine ")
    written = mark.replace("<machine ", f'<pgfleet:machine xmlns:pgfleet="{XMLNS}" ')
    found = read_domain(re.sub("<pgfleet:machine.*?/>", written, xml), running=False, autostart=True)
    assert (found.shown_state, found.shape) == ("fenced", NODE.shape)


def test_an_edited_mark_is_an_error():
    xml = kib(domain_xml(NODE, "lab", IMAGE, HARDWARE, PLACES)).replace('disk_gb="8"', 'disk_gb="much"')
    with pytest.raises(PgFleetError, match="'node1' was edited"):
        read_domain(xml, running=False, autostart=False)


@pytest.mark.parametrize(
    ("image", "hardware"),
    [
        (replace(IMAGE, cmdline="quiet"), HARDWARE),
        (IMAGE, replace(HARDWARE, domain_type="kvm")),
        (IMAGE, replace(HARDWARE, cpu_disable=())),
        (IMAGE, replace(HARDWARE, network="lan")),
        (IMAGE, replace(HARDWARE, disk_cache="unsafe")),
    ],
)
def test_other_hardware_has_another_hash(image, hardware):
    assert hardware_hash(image, hardware) != hardware_hash(IMAGE, HARDWARE)


KEY = HostKey("PRIVATE\n", "ssh-ed25519 AAAA comment\n")
ACCESS = Access(
    "ansible", ("ssh-ed25519 BBBB me",), 24, "192.168.122.1", {"192.168.122.100": "primary"}, ("192.168.122.1",)
)


def test_seed():
    seed = seed_files(NODE, ACCESS, KEY, partitioned=False)
    assert json.loads(seed["meta-data"]) == {"instance-id": NODE.uuid, "local-hostname": "node1"}
    (card,) = json.loads(seed["network-config"])["ethernets"].values()
    assert card["match"] == {"macaddress": NODE.mac}
    assert card["addresses"] == ["192.168.122.101/24"]
    assert card["routes"] == [{"to": "0.0.0.0/0", "via": "192.168.122.1"}]
    head, text = seed["user-data"].split("\n", 1)
    user_data = json.loads(text)
    assert head == "#cloud-config"
    assert user_data["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 BBBB me"]
    assert user_data["ssh_keys"] == {"ed25519_private": KEY.private, "ed25519_public": KEY.public}
    files = {file["path"]: file["content"] for file in user_data["write_files"]}
    assert files["/etc/hosts"].splitlines()[-2:] == ["192.168.122.100 primary", "192.168.122.101 node1"]
    assert "PasswordAuthentication no\n" in files["/etc/ssh/sshd_config.d/10-pgfleet.conf"]


def test_seed_without_gateway():
    access = replace(ACCESS, gateway="", nameservers=())
    (card,) = json.loads(seed_files(NODE, access, KEY, False)["network-config"])["ethernets"].values()
    assert "routes" not in card and "nameservers" not in card


def test_only_partitions_are_grown_by_cloud_init():
    modules = [
        json.loads(seed_files(NODE, ACCESS, KEY, way)["user-data"][14:])["cloud_init_modules"] for way in (True, False)
    ]
    assert "growpart" in modules[0] and "growpart" not in modules[1]


@pytest.mark.parametrize(
    ("access", "key", "same"),
    [
        pytest.param(replace(ACCESS, hosts={"192.168.122.9": "new"}), KEY, True, id="another node joined"),
        pytest.param(ACCESS, replace(KEY, public="ssh-ed25519 AAAA other comment"), True, id="comment"),
        pytest.param(ACCESS, replace(KEY, public="ssh-ed25519 CCCC"), False, id="host key"),
        pytest.param(replace(ACCESS, authorized_keys=()), KEY, False, id="authorized key"),
        pytest.param(replace(ACCESS, user="me"), KEY, False, id="user"),
        pytest.param(replace(ACCESS, gateway=""), KEY, False, id="gateway"),
    ],
)
def test_what_makes_access_another(access, key, same):
    assert (access.hash(key) == ACCESS.hash(KEY)) is same


FINISHED = (
    "[   58.1] cloud-init[416]: Cloud-init v. 25.1.4 finished at Sat, 21 Nov 2026 07:21:47 +0000. Up 57.80 seconds\r\n"
)
TARGET = "[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mcloud-init.target\x1b[0m - Cloud-init target.\r\n"
CONSOLES = [
    ("nothing yet", "", False, ""),
    ("booting", "[    0.0] Linux version 6.12\r\nStarting cloud-init...\r\n", False, ""),
    ("running", "cloud-init[4]: Cloud-init v. 25.1.4 running 'init-local' at\r\n", False, ""),
    ("finished", FINISHED, True, ""),
    ("finished, systemd says so", TARGET, True, ""),
    ("stage before the last", "[  46.9] sh[324]: Completed socket interaction for boot stage config\r\n", False, ""),
    ("last stage, quiet", "[  52.3] sh[437]: Completed socket interaction for boot stage final\r\n", True, ""),
    ("panic", "[    1.2] Kernel panic - not syncing: Attempted to kill init!\r\n", False, "its kernel panicked"),
    ("no root", "ALERT!  LABEL=nowhere does not exist.  Dropping to a shell!\r\n", False, "does not find its root"),
    ("small initrd without root", "initrd: /dev/vda cannot be mounted\r\n", False, "does not find its root"),
    ("cloud-init", "[\x1b[0;1;31mFAILED\x1b[0m] Failed to start \x1b[0;1;39mcloud-init-local.s…[0mud-init: Local\r\n", False, "cloud-init failed"),
    ("emergency", "\x1b[0mYou are in emergency mode. After logging in\r\n", False, "emergency mode"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "finished", "dead"), [row[1:] for row in CONSOLES], ids=[row[0] for row in CONSOLES])
def test_console(text, finished, dead):
    assert has_finished(text) is finished
    assert (dead in death(text)) if dead else death(text) == ""


def test_tail_is_readable():
    assert (
        tail("a\r\n\r\n" + TARGET + "last\x07 line\r\n", lines=2)
        == "[  OK  ] Reached target cloud-init.target - Cloud-init target.\nlast line"
    )


DEFAULTS: dict[str, Any] = {"hypervisor": "hv1", "memory_mb": "1024", "vcpus": 1, "disk_gb": 8, "autostart": False}


def test_fleet():
    variables: dict[str, dict[str, Any]] = {
        "a": {"ansible_host": "10.0.0.1"},
        "b": {
            "ansible_host": "10.0.0.2",
            "kvm_vm_memory_mb": 2048,
            "kvm_vm_hypervisor": "hv2",
            "kvm_vm_autostart": "on",
        },
    }
    a, b = fleet_machines(["a", "b"], variables, ["hv1", "hv2"], DEFAULTS)
    assert a == {
        "name": "a",
        "address": "10.0.0.1",
        "hypervisor": "hv1",
        "memory_mb": 1024,
        "vcpus": 1,
        "disk_gb": 8,
        "autostart": False,
    }
    assert (b["memory_mb"], b["hypervisor"], b["autostart"]) == (2048, "hv2", True)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"ansible_host": "10.0.0.1"}, "same address 10.0.0.1"),
        ({}, "'b' has no address"),
        ({"ansible_host": "10.0.0.2", "kvm_vm_hypervisor": "hv9"}, "'hv9'"),
        ({"ansible_host": "10.0.0.2", "kvm_vm_memory_mb": "1G"}, "'1G', is not a number"),
        ({"ansible_host": "10.0.0.2", "kvm_vm_vcpus": 1.5}, "'1.5', is not a number"),
        ({"ansible_host": "10.0.0.2", "kvm_vm_vcpus": True}, "'True', is not a number"),
        ({"ansible_host": "10.0.0.2", "kvm_vm_autostart": "perhaps"}, "neither true nor false"),
    ],
)
def test_bad_fleet(own, words):
    with pytest.raises(PgFleetError, match=words):
        fleet_machines(["a", "b"], {"a": {"ansible_host": "10.0.0.1"}, "b": own}, ["hv1"], DEFAULTS)


def test_report():
    machines = [
        {"name": "a", "address": "10.0.0.1", "action": "created", "changes": [], "ready_s": 41.2},
        {"name": "b", "address": "10.0.0.2", "action": "restarted", "changes": ["vcpus"], "ready_s": 30},
        {"name": "c", "address": "", "action": "removed", "changes": [], "ready_s": None},
        {"name": "d", "address": "10.0.0.4", "action": "none", "changes": [], "ready_s": 0.1},
    ]
    assert machines_report({"machines": machines}) == [
        "a 10.0.0.1 created, ready after 41.2 s",
        "b 10.0.0.2 restarted (vcpus), ready after 30 s",
        "c removed",
    ]
