#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_lock
short_description: Let one run at a time change a fleet
version_added: 1.0.0
description:
  - Notes on a node who is changing its fleet, so that a second run is refused and can say who is at work. Run it on every node of the fleet
    in one task. Two runs that start at once share every node that both reach, so one of them goes first.
  - The note belongs to the C(ansible-playbook) process, not to the task. A process in the background on the control machine keeps it fresh
    and takes it away as soon as C(ansible-playbook) has ended in whatever way. When the control machine is gone, the note counts for
    O(lease) seconds more.
  - A note of a run that has died on this same control machine does not count.
  - Later tasks of the same run, also those of imported playbooks, find the fleet held by themselves.
  - Use it with the strategy C(ansible.builtin.linear); the connections of Mitogen cannot be used by the process in the background.
options:
  name:
    description: What is held on this machine. Nodes that share a machine need different names; the name of the cluster serves.
    type: str
    required: true
  operation:
    description: What the run does, for the message to others.
    type: str
    default: a playbook
  on_holder:
    description: What to do when another run holds the node. V(report) returns RV(holders) and does not fail.
    type: str
    default: fail
    choices: [fail, report]
  wait:
    description: Seconds to wait for a run that started later than this one but came first. One that started earlier is given one second to end.
    type: float
    default: 10
  lease:
    description: Seconds for which the note counts without a sign of life.
    type: float
    default: 60
  reservation:
    description: Who holds the fleet. Filled in on the control machine.
    type: dict
    default: {}
  displaced:
    description: Tokens of runs that are known to be dead. Filled in on the control machine.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - pgfleet.cluster.attributes
attributes:
  diff_mode:
    description: The note is not part of what is configured.
    support: none
notes:
  - Notes lie in C(/run/pgfleet), so the task runs as root.
  - Writing a note does not count as a change, as it is gone with the run.
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Reserve the fleet
  hosts: postgres
  strategy: ansible.builtin.linear
  gather_facts: false
  become: true
  tasks:
    - name: Reserve every node
      pgfleet.cluster.fleet_lock:
        name: main
        operation: maintenance of the disks
"""

RETURN = r"""
path:
  description: The note of this run. It is there for as long as the run holds the node.
  returned: success
  type: str
  sample: /run/pgfleet/main/control1-4711-884512.json
holders:
  description: Other runs that hold the node; empty when this one does.
  returned: always
  type: list
  elements: dict
  sample: []
explanation:
  description: Who holds the node, and what to do, as a sentence. Empty when this run does.
  returned: success
  type: str
  sample: ""
"""

from dataclasses import asdict
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.reservation import (
    Reservation,
    note_path,
    refusal,
    reserve,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    wanted = Reservation(**{**params["reservation"], "operation": params["operation"], "lease": params["lease"]})
    holders, new = reserve(params["name"], wanted, params["displaced"], module.check_mode)
    if holders and params["on_holder"] == "fail":
        raise refusal(holders)
    return {
        "changed": False,
        "new": new,
        "path": note_path(params["name"], wanted.token),
        "holders": [asdict(each) for each in holders],
        "explanation": str(refusal(holders)) if holders else "",
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "operation": {"type": "str", "default": "a playbook"},
            "on_holder": {"type": "str", "default": "fail", "choices": ["fail", "report"]},
            "wait": {"type": "float", "default": 10},
            "lease": {"type": "float", "default": 60},
            "reservation": {"type": "dict", "default": {}},
            "displaced": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
