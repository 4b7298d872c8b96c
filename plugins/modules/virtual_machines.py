#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_machines
short_description: Make, change and remove the virtual machines of one hypervisor
version_added: 1.0.0
description:
  - Makes machines from a golden image, all in one call and all started together. A machine is an overlay on the image and a NoCloud seed that
    tells it its host name, static address, user and host key.
  - Waits until every machine is ready, that is until cloud-init has finished and SSH answers. A machine that dies while it boots is reported at
    once, with the end of its console.
  - Everything is planned before anything is done. Names and addresses that are taken, an image that is not there, too little memory or disk, and
    domains that this module did not make are refused while nothing has been changed.
  - MAC address and UUID follow from the name, so a machine that is recreated is the same one for everybody else.
  - Sources are the libvirt manual (Domain XML format, Custom metadata) and the cloud-init manual (NoCloud, Networking config version 2).
requirements:
  - the Python package libvirt on the hypervisor (C(python3-libvirt))
  - C(qemu-img) and C(genisoimage) on the hypervisor
options:
  state:
    description:
      - V(present) makes machines that are missing, starts those that are stopped, and changes others as O(on_change) allows.
      - V(absent) powers machines off and removes them with their disks, seeds and console logs, and nothing else.
      - V(rebuilt) throws the disks of all named machines away and recreates them.
      - V(fenced) takes the power of machines at once and marks them, so that V(present) leaves them off until O(start_fenced) is given. For a
        node that another one has taken the place of.
    type: str
    default: present
    choices: [present, absent, rebuilt, fenced]
  machines:
    description: The machines. With O(state=absent) and O(state=fenced) only the names matter.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the domain and host name.
        type: str
        required: true
      address:
        description: Static IPv4 address. Required by O(state=present) and O(state=rebuilt).
        type: str
      memory_mb:
        description: Memory in MiB.
        type: int
        default: 1024
      vcpus:
        description: Number of virtual CPUs.
        type: int
        default: 1
      disk_gb:
        description: Size of the disk in GiB. It grows by a restart and shrinks only by a rebuild.
        type: int
        default: 8
      autostart:
        description: Whether the hypervisor starts the machine when it boots.
        type: bool
        default: false
      host_key:
        description: Private ed25519 host key in OpenSSH's format. Required by O(state=present) and O(state=rebuilt).
        type: str
      host_public_key:
        description: Public part of it. Required by O(state=present) and O(state=rebuilt).
        type: str
  on_change:
    description:
      - What to do with a machine that is there and was asked for otherwise.
      - V(fail) names the differences and changes nothing.
      - V(restart) applies what a restart can apply, which is memory, CPUs, a larger disk and the virtual hardware.
      - V(rebuild) recreates machines where a restart is not enough, which is for another image, address, user or key and for a smaller disk.
    type: str
    default: fail
    choices: [fail, restart, rebuild]
  start_fenced:
    description: Start machines that were fenced, too. One that was a primary comes up as a primary.
    type: bool
    default: false
  fleet:
    description: Name that marks the machines as belonging together. Machines of another fleet are never touched.
    type: str
    default: pgfleet
  uri:
    description: libvirt to connect to.
    type: str
    default: qemu:///system
  image:
    description: The golden image. Required by O(state=present) and O(state=rebuilt).
    type: dict
    suboptions:
      disk:
        description: The qcow2 file that the machines' disks are overlays of.
        type: path
        required: true
      hash:
        description: What tells it from another image.
        type: str
        required: true
      kernel:
        description: Kernel to boot directly. Empty for an image with a boot loader.
        type: str
        default: ""
      initrd:
        description: Its initial RAM disk.
        type: str
        default: ""
      cmdline:
        description: Its command line.
        type: str
        default: ""
  domain_type:
    description: The accelerator as libvirt calls it, V(kvm), or V(qemu) for TCG.
    type: str
    default: kvm
    choices: [kvm, qemu]
  cpu_mode:
    description: Mode of the CPU in libvirt's words.
    type: str
    default: host-model
  cpu_disable:
    description: Features of the CPU that guests must not see.
    type: list
    elements: str
    default: []
  disk_cache:
    description: Cache mode of the disks. V(unsafe) is fast, and a disk is lost when the hypervisor, or QEMU, is killed.
    type: str
    default: writeback
    choices: [none, writeback, writethrough, directsync, unsafe]
  network:
    description: Network of libvirt that the machines are in.
    type: str
    default: default
  cidr:
    description:
      - The network and the hypervisor's own address in it, for example V(192.168.122.1/24).
      - The default is what libvirt's network says. One that is a bridge of the hypervisor says nothing.
    type: str
    default: ""
  gateway:
    description: The machines' default route. The default is the hypervisor's own address in the network.
    type: str
    default: ""
  nameservers:
    description: The machines' name servers. The default is the gateway.
    type: list
    elements: str
  hosts:
    description: Names (keys) and addresses (values) for C(/etc/hosts) of each machine, beside the machines of this call.
    type: dict
    default: {}
  user:
    description: User that is made on each machine. It may become root by sudo without a password, and cannot log in with one.
    type: str
    default: ansible
  authorized_keys:
    description: Public keys that this user can log in with.
    type: list
    elements: str
    default: []
  directory:
    description: Existing directory for disks and seeds.
    type: path
    default: /var/lib/libvirt/images
  log_directory:
    description: Directory for the logs of the machines' consoles.
    type: path
    default: /var/log/libvirt/consoles
  overcommit:
    description: Make machines even where the hypervisor has less free memory or disk than they may come to use.
    type: bool
    default: false
  wait:
    description: Most seconds to wait until the machines are ready. V(0) does not wait.
    type: int
    default: 600
  stop_timeout:
    description: Most seconds that guests get to shut down for a restart before they are powered off.
    type: int
    default: 120
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Two machines
  pgfleet.cluster.virtual_machines:
    machines:
      - name: node1
        address: 192.168.122.101
        memory_mb: 2048
        host_key: "{{ lookup('file', 'node1_key') }}"
        host_public_key: "{{ lookup('file', 'node1_key.pub') }}"
      - name: node2
        address: 192.168.122.102
        host_key: "{{ lookup('file', 'node2_key') }}"
        host_public_key: "{{ lookup('file', 'node2_key.pub') }}"
    image:
      disk: /var/lib/libvirt/images/trixie.qcow2
      hash: 5d41402abc4b2a76
    authorized_keys: ["{{ lookup('file', '~/.ssh/id_ed25519.pub') }}"]

- name: See to it that a node takes no more writes
  pgfleet.cluster.virtual_machines:
    state: fenced
    machines: [{name: node1}]

- name: Remove them
  pgfleet.cluster.virtual_machines:
    state: absent
    machines: [{name: node1}, {name: node2}]
"""

RETURN = r"""
machines:
  description: What was done, in the order of O(machines).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The machine.
      type: str
    action:
      description: One of V(none), V(created), V(started), V(updated), V(restarted), V(rebuilt), V(fenced) and V(removed).
      type: str
    changes:
      description: What differed from what was asked for.
      type: list
      elements: str
    address:
      description: Its address. Empty for a removed one.
      type: str
    mac:
      description: Its MAC address. Empty for a removed one.
      type: str
    ready_s:
      description: Seconds from its start until it was ready. Null when that was not waited for.
      type: float
  sample: []
seconds:
  description: How long all of it took.
  returned: success
  type: float
  sample: 57.1
"""

import time
from dataclasses import replace
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.plan import Policy
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.report import report
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.values import Access, host_keys
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.domain import Hardware, Image, Places, hardware_hash
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.host import hypervisor, read_domains, read_host
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.make import Workshop
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.plan import (
    Plan,
    plan_fencing,
    plan_machines,
    plan_removal,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.seed import seed_files
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.values import Host, Machine, Shape
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.wait import Watch, wait_for

MACHINE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str"},
    "memory_mb": {"type": "int", "default": 1024},
    "vcpus": {"type": "int", "default": 1},
    "disk_gb": {"type": "int", "default": 8},
    "autostart": {"type": "bool", "default": False},
    "host_key": {"type": "str", "no_log": True},
    "host_public_key": {"type": "str", "no_log": False},
}
IMAGE_OPTIONS = {
    "disk": {"type": "path", "required": True},
    "hash": {"type": "str", "required": True},
    "kernel": {"type": "str", "default": ""},
    "initrd": {"type": "str", "default": ""},
    "cmdline": {"type": "str", "default": ""},
}
OPTIONS = {
    "state": {"type": "str", "default": "present", "choices": ["present", "absent", "rebuilt", "fenced"]},
    "machines": {"type": "list", "elements": "dict", "required": True, "options": MACHINE_OPTIONS},
    "on_change": {"type": "str", "default": "fail", "choices": ["fail", "restart", "rebuild"]},
    "start_fenced": {"type": "bool", "default": False},
    "fleet": {"type": "str", "default": "pgfleet"},
    "uri": {"type": "str", "default": "qemu:///system"},
    "image": {"type": "dict", "options": IMAGE_OPTIONS},
    "domain_type": {"type": "str", "default": "kvm", "choices": ["kvm", "qemu"]},
    "cpu_mode": {"type": "str", "default": "host-model"},
    "cpu_disable": {"type": "list", "elements": "str", "default": []},
    "disk_cache": {
        "type": "str", "default": "writeback", "choices": ["none", "writeback", "writethrough", "directsync", "unsafe"],
    },
    "network": {"type": "str", "default": "default"},
    "cidr": {"type": "str", "default": ""},
    "gateway": {"type": "str", "default": ""},
    "nameservers": {"type": "list", "elements": "str"},
    "hosts": {"type": "dict", "default": {}},
    "user": {"type": "str", "default": "ansible"},
    "authorized_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "directory": {"type": "path", "default": "/var/lib/libvirt/images"},
    "log_directory": {"type": "path", "default": "/var/log/libvirt/consoles"},
    "overcommit": {"type": "bool", "default": False},
    "wait": {"type": "int", "default": 600},
    "stop_timeout": {"type": "int", "default": 120},
}  # fmt: skip


def image_of(params: dict[str, Any]) -> Image:
    given = params["image"] or {"disk": "", "hash": ""}
    return Image(**given)


def hardware_of(params: dict[str, Any]) -> Hardware:
    return Hardware(
        domain_type=params["domain_type"],
        cpu_mode=params["cpu_mode"],
        cpu_disable=tuple(params["cpu_disable"]),
        network=params["network"],
        disk_cache=params["disk_cache"],
    )


def access_of(params: dict[str, Any], host: Host) -> Access:
    gateway = params["gateway"] or host.address
    nameservers = params["nameservers"]
    return Access(
        user=params["user"],
        authorized_keys=tuple(params["authorized_keys"]),
        prefix=int(host.cidr.rsplit("/", 1)[1]),
        gateway=gateway,
        nameservers=tuple(nameservers if nameservers is not None else filter(None, [gateway])),
        hosts={address: name for name, address in params["hosts"].items()},
    )


def machine_of(given: dict[str, Any], access: str, image: Image, hardware: Hardware) -> Machine:
    shape = Shape(
        address=given["address"] or "",
        memory_mb=given["memory_mb"],
        vcpus=given["vcpus"],
        disk_gb=given["disk_gb"],
        autostart=given["autostart"],
        image=image.hash,
        access=access,
        hardware=hardware_hash(image, hardware),
    )
    return Machine(given["name"], shape)


def prepare(module: AnsibleModule, connection: Any, places: Places) -> tuple[Plan, Workshop]:
    """The plan, and what is needed to carry it out."""
    params = module.params
    image, hardware = image_of(params), hardware_of(params)
    domains = read_domains(connection, places)
    names = [machine["name"] for machine in params["machines"]]
    workshop = Workshop(connection, params["fleet"], image, hardware, places, {}, params["stop_timeout"])
    without_image = {"absent": plan_removal, "fenced": plan_fencing}
    if params["state"] in without_image:
        return without_image[params["state"]](names, domains, params["fleet"]), workshop
    keys = host_keys(params["machines"], module.check_mode)
    host = read_host(connection, hardware, image, places, params["cidr"], set(names) - set(domains))
    access = access_of(params, host)
    wanted = [machine_of(item, access.hash(keys[item["name"]]), image, hardware) for item in params["machines"]]
    policy = Policy(
        params["fleet"], params["state"] == "rebuilt", params["on_change"], params["start_fenced"], params["overcommit"]
    )
    plan = plan_machines(wanted, domains, host, policy)
    known = replace(access, hosts={**access.hosts, **{machine.shape.address: machine.name for machine in wanted}})
    seeds = {machine.name: seed_files(machine, known, keys[machine.name], not image.kernel) for machine in wanted}
    return plan, replace(workshop, seeds=seeds)


def wait(connection: Any, plan: Plan, places: Places, seconds: int) -> dict[str, float | None]:
    """Seconds until each machine was ready, those that were there already among them."""
    watches = [
        Watch(step.machine, connection.lookupByName(step.name), places.console(step.name))
        for step in plan.steps
        if step.machine and not step.left_off
    ]
    if seconds:
        wait_for(watches, seconds)
    return {watch.machine.name: watch.seconds for watch in watches}


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    started = time.monotonic()
    places = Places(params["directory"], params["log_directory"])
    ready: dict[str, float | None] = {}
    with hypervisor(params["uri"]) as connection:
        plan, workshop = prepare(module, connection, places)
        if not module.check_mode:
            workshop.apply(plan)
            ready = wait(connection, plan, places, params["wait"])
    result = report(module, plan, ready, started)
    macs = [step.machine.mac if step.machine else "" for step in plan.steps]
    return {**result, "machines": [{**each, "mac": mac} for each, mac in zip(result["machines"], macs)]}


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[("state", "present", ["image"]), ("state", "rebuilt", ["image"])],
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
