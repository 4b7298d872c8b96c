#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: container_cable
short_description: Pull the cable of a system container, slow it down, or lose packets on it
version_added: 1.0.0
description:
  - Sets the state of the network interface by which a machine of M(pgfleet.cluster.containers) is on its bridge.
  - Delay and loss are those of what the machine is sent. Sources are the manual pages ip-link(8) and tc-netem(8).
options:
  name:
    description: Name of the machine, which must run.
    type: str
    required: true
  plugged:
    description: Whether the cable is plugged in.
    type: bool
    default: true
  delay_ms:
    description: Milliseconds by which packets are delayed.
    type: int
    default: 0
  loss_percent:
    description: How many of 100 packets are lost.
    type: int
    default: 0
  directory:
    description: Directory of the machines' own files.
    type: path
    default: /var/lib/pgfleet/containers
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Pull the cable
  pgfleet.cluster.container_cable:
    name: node1
    plugged: false

- name: Plug it in again, on a bad line
  pgfleet.cluster.container_cable:
    name: node1
    delay_ms: 50
    loss_percent: 1
"""

RETURN = r"""
interface:
  description: The interface on the host.
  returned: success
  type: str
  sample: vb-node1
"""

from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._container.cable import (
    Cable,
    interface_of,
    read_cable,
    set_cable,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._container.host import Places, running
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput, MachineConflict
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude

OPTIONS = {
    "name": {"type": "str", "required": True},
    "plugged": {"type": "bool", "default": True},
    "delay_ms": {"type": "int", "default": 0},
    "loss_percent": {"type": "int", "default": 0},
    "directory": {"type": "path", "default": "/var/lib/pgfleet/containers"},
}


def wanted(params: dict[str, Any]) -> Cable:
    if params["delay_ms"] < 0 or not 0 <= params["loss_percent"] <= 100:
        raise InvalidInput(
            f"delay_ms is {params['delay_ms']} and loss_percent {params['loss_percent']}.",
            "Give a delay from 0, and a loss from 0 to 100.",
        )
    return Cable(params["plugged"], params["delay_ms"], params["loss_percent"])


def run(module: AnsibleModule) -> dict[str, Any]:
    name, after = module.params["name"], wanted(module.params)
    process = running(Places(Path(module.params["directory"]))).get(name)
    if process is None or not process.init:
        raise MachineConflict(f"Machine '{name}' does not run on this host.", "Start it first.", "machine_not_running")
    interface = interface_of(process)
    before = read_cable(interface)
    if not module.check_mode:
        set_cable(interface, before, after)
    return {
        "changed": before != after,
        "interface": interface,
        "diff": {"before": before.as_result(), "after": after.as_result()},
    }


def main() -> NoReturn:
    conclude(AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True), run)


if __name__ == "__main__":
    main()
