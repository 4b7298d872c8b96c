# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How whoever runs Ansible becomes another user on this machine."""

from __future__ import annotations

DOCUMENTATION = r"""
name: become
short_description: The become method for nodes on the control machine itself
version_added: 1.0.0
description:
  - A minimal machine has no sudo, and root needs none. So this is C(ansible.builtin.su) for root and C(ansible.builtin.sudo) for everybody else.
  - Ansible evaluates C(ansible_become_method) for each task of each host, so this asks no other program.
options: {}
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
# group_vars of hosts with ansible_connection: local
ansible_become_method: "{{ lookup('pgfleet.cluster.become') }}"
"""

RETURN = r"""
_raw:
  description: The name of the become method.
  type: list
  elements: str
  sample: [ansible.builtin.sudo]
"""

import os
from typing import Any

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """Terms are not used."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        return ["ansible.builtin.su" if os.geteuid() == 0 else "ansible.builtin.sudo"]
