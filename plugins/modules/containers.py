#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: containers
short_description: Make, change, stop and remove system containers that stand for machines
version_added: 1.0.0
description:
  - Makes machines with systemd, sshd and addresses of their own by systemd-nspawn, all in one call and all started together. A machine is an
    overlay on a directory tree that all share, and is ready in seconds.
  - Waits until SSH answers on every machine and its user may log in.
  - Everything is planned before anything is done. Names and addresses that are taken, and machines that this module did not make, are refused
    while nothing has been changed.
  - A machine outlives the module. With systemd on the host it is a transient unit that C(machinectl) shows; without, it is a detached process in
    namespaces of its own.
  - What runs is read from the host's processes, in the network namespace of the module.
  - Sources are the manual pages systemd-nspawn(1), systemd.network(5) and the kernel's documentation of control groups v2.
requirements:
  - C(systemd-nspawn) (package C(systemd-container)) and C(unshare) on the host
options:
  state:
    description:
      - V(present) makes machines that are missing, starts those that are stopped, thaws those that are frozen, and changes others as
        O(on_change) allows.
      - V(absent) stops machines and removes them with their files, and nothing else.
      - V(rebuilt) throws the files of all named machines away and recreates them.
      - V(powered_off) shuts machines down cleanly.
      - V(power_cut) kills machines at once, as a power failure does.
      - V(fenced) cuts the power of machines and marks them, so that V(present) leaves them off until O(start_fenced) is given. For a node that
        another one has taken the place of.
      - V(frozen) stops all processes of machines where they are.
    type: str
    default: present
    choices: [present, absent, rebuilt, powered_off, power_cut, fenced, frozen]
  machines:
    description: The machines. Only O(state=present) and O(state=rebuilt) need more than names.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the container and host name.
        type: str
        required: true
      address:
        description: Static IPv4 address. Required by O(state=present) and O(state=rebuilt).
        type: str
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
      - V(restart) applies what a restart can apply, which is another bridge.
      - V(rebuild) recreates machines where a restart is not enough, which is for another tree, address, user or key.
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
  tree:
    description: Directory that the machines' overlays stand on, which is never written to. Required by O(state=present) and O(state=rebuilt).
    type: path
  bridge:
    description: Existing bridge of the host that the machines are on.
    type: str
    default: pgfleet0
  cidr:
    description: The host's own address on the bridge, for example V(192.168.122.1/24). Required by O(state=present) and O(state=rebuilt).
    type: str
  gateway:
    description: The machines' default route. Empty for none.
    type: str
    default: ""
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
    description: Directory of the machines' own files.
    type: path
    default: /var/lib/pgfleet/containers
  wait:
    description: Most seconds to wait until the machines are ready. V(0) does not wait.
    type: int
    default: 60
  stop_timeout:
    description: Most seconds that machines get to shut down cleanly before they are killed.
    type: int
    default: 60
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: A machine
  pgfleet.cluster.containers:
    machines:
      - name: node1
        address: 192.168.122.101
        host_key: "{{ lookup('file', 'node1_key') }}"
        host_public_key: "{{ lookup('file', 'node1_key.pub') }}"
    tree: /var/lib/pgfleet/images/5d41402abc4b2a76/root
    cidr: 192.168.122.1/24
    authorized_keys: ["{{ lookup('file', '~/.ssh/id_ed25519.pub') }}"]

- name: Cut its power
  pgfleet.cluster.containers:
    state: power_cut
    machines: [{name: node1}]

- name: Remove it
  pgfleet.cluster.containers:
    state: absent
    machines: [{name: node1}]
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
      description: One of V(none), V(created), V(started), V(restarted), V(rebuilt), V(thawed), V(powered_off), V(power_cut), V(fenced),
        V(frozen) and V(removed).
      type: str
    changes:
      description: What differed from what was asked for.
      type: list
      elements: str
    address:
      description: Its address. Empty for one that was stopped or removed.
      type: str
    ready_s:
      description: Seconds from its start until it was ready. Null when that was not waited for.
      type: float
  sample: [{name: node1, action: created, changes: [], address: 192.168.122.101, ready_s: 1.9}]
seconds:
  description: How long all of it took.
  returned: success
  type: float
  sample: 2.4
"""

import os
import time
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._container.files import File, own_files
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.host import Places, read_machines
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.machine import Machine, Shape
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.make import Workshop
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.plan import (
    Plan,
    plan_fault,
    plan_machines,
    plan_removal,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.run import Runner, wait_until_ready
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.plan import Policy
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.report import report
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.values import Access, host_keys
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude

MACHINE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str"},
    "host_key": {"type": "str", "no_log": True},
    "host_public_key": {"type": "str", "no_log": False},
}
STATES = ["present", "absent", "rebuilt", "powered_off", "power_cut", "fenced", "frozen"]
OPTIONS = {
    "state": {"type": "str", "default": "present", "choices": STATES},
    "machines": {"type": "list", "elements": "dict", "required": True, "options": MACHINE_OPTIONS},
    "on_change": {"type": "str", "default": "fail", "choices": ["fail", "restart", "rebuild"]},
    "start_fenced": {"type": "bool", "default": False},
    "fleet": {"type": "str", "default": "pgfleet"},
    "tree": {"type": "path"},
    "bridge": {"type": "str", "default": "pgfleet0"},
    "cidr": {"type": "str"},
    "gateway": {"type": "str", "default": ""},
    "hosts": {"type": "dict", "default": {}},
    "user": {"type": "str", "default": "ansible"},
    "authorized_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "directory": {"type": "path", "default": "/var/lib/pgfleet/containers"},
    "wait": {"type": "int", "default": 60},
    "stop_timeout": {"type": "int", "default": 60},
}


def access_of(params: dict[str, Any]) -> Access:
    return Access(
        user=params["user"],
        authorized_keys=tuple(params["authorized_keys"]),
        prefix=int(params["cidr"].rsplit("/", 1)[1]),
        gateway=params["gateway"],
        hosts={
            **{address: name for name, address in params["hosts"].items()},
            **{machine["address"]: machine["name"] for machine in params["machines"]},
        },
    )


def tree_files(params: dict[str, Any]) -> dict[str, str]:
    """What a machine's own users are added to."""
    etc = Path(params["tree"], "etc")
    if not etc.is_dir():
        raise InvalidInput(
            f"There is no tree in {params['tree']}.", "Make it first (role kvm_image, source tree).", "image_missing"
        )
    return {name: (etc / name).read_text() for name in ("passwd", "shadow", "group")}


def prepare(module: AnsibleModule, places: Places) -> tuple[Plan, dict[str, dict[str, File]]]:
    """The plan, and the files of the machines that it may make."""
    params = module.params
    there = read_machines(places)
    names = [machine["name"] for machine in params["machines"]]
    if params["state"] == "absent":
        return plan_removal(names, there, params["fleet"]), {}
    if params["state"] not in ("present", "rebuilt"):
        return plan_fault(params["state"], names, there, params["fleet"]), {}
    keys, access = host_keys(params["machines"], module.check_mode), access_of(params)
    wanted = [
        Machine(
            given["name"],
            Shape(given["address"] or "", params["tree"], access.hash(keys[given["name"]]), params["bridge"]),
        )
        for given in params["machines"]
    ]
    policy = Policy(params["fleet"], params["state"] == "rebuilt", params["on_change"], params["start_fenced"])
    plan = plan_machines(wanted, there, params["cidr"], policy)
    shared = tree_files(params)
    return plan, {machine.name: own_files(machine, access, keys[machine.name], shared) for machine in wanted}


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    started = time.monotonic()
    runner = Runner(Places(Path(params["directory"])), os.path.isdir("/run/systemd/system"))
    ready: dict[str, float] = {}
    plan, files = prepare(module, runner.places)
    if not module.check_mode:
        Workshop(runner, params["fleet"], params["stop_timeout"], files).apply(plan)
        machines = [step.machine for step in plan.steps if step.machine and not step.left_off]
        if params["wait"]:
            ready = wait_until_ready(machines, runner.places, params["wait"])
    return report(module, plan, ready, started)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[("state", "present", ["tree", "cidr"]), ("state", "rebuilt", ["tree", "cidr"])],
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
