#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_keys
short_description: Keep the SSH keys of a fleet of machines before there are any machines
version_added: 1.0.0
description:
  - Makes an ed25519 key pair for the user, one for each machine as its host key, and a C(known_hosts) file with these host keys. A machine that
    gets its host key at its first boot is then known to everybody who uses the file, and host key checking can stay on.
  - Keys that are there are never recreated. Private keys are readable by their owner alone.
requirements:
  - C(ssh-keygen)
options:
  state:
    description: V(absent) removes the named machines' keys and, when no other machine's are left, the directory.
    type: str
    default: present
    choices: [present, absent]
  directory:
    description:
      - Directory of the keys. It holds C(id_ed25519), C(known_hosts) and, below C(hosts), a key pair named as each machine.
    type: path
    required: true
  machines:
    description: The machines and their addresses.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the machine.
        type: str
        required: true
      address:
        description: Address by which it is reached, beside its name.
        type: str
        default: ""
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Make keys for two machines
  pgfleet.cluster.ssh_keys:
    directory: ~/.config/pgfleet/lab-machines
    machines:
      - {name: node1, address: 192.168.122.101}
      - {name: node2, address: 192.168.122.102}
"""

RETURN = r"""
made:
  description: Names of the keys that were made; C(id_ed25519) is the user's.
  returned: success
  type: list
  elements: str
  sample: [id_ed25519, node1, node2]
removed:
  description: Names of the machines whose keys were removed.
  returned: success
  type: list
  elements: str
  sample: []
known_hosts:
  description: Path of the file with the host keys.
  returned: success
  type: str
  sample: /home/anna/.config/pgfleet/lab-machines/known_hosts
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.key_files import KeyFiles
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine.keys import KeyHost, plan_absent, plan_present
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude


def run(module: AnsibleModule) -> dict[str, Any]:
    machines = [KeyHost(**machine) for machine in module.params["machines"]]
    keys = KeyFiles(module.params["directory"])
    planner = plan_present if module.params["state"] == "present" else plan_absent
    plan = last = planner(keys.read(), machines)
    if not module.check_mode:
        keys.apply(plan)
        if plan.make:
            last = planner(keys.read(), machines)
            keys.apply(last)
    return {
        "changed": plan.changed,
        "made": list(plan.make),
        "removed": list(plan.remove),
        "known_hosts": keys.known_hosts,
        "diff": last.diff(),
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "directory": {"type": "path", "required": True},
            "machines": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "default": ""}},
            },
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
