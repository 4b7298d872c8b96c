# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The one place that decides in which order the plays of this collection run their hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: strategy
short_description: The strategy for plays whose order of hosts matters
version_added: 1.0.0
description:
  - The plays of this collection need all hosts at the same task. A strategy that lets hosts run ahead, such as C(free), would restart servers out of
    order, so the one of C(ansible.cfg) or E(ANSIBLE_STRATEGY) is not obeyed by them.
  - Mitogen's linear strategy keeps the order and is kept where it was chosen.
options: {}
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Restart one server after the other
  hosts: postgres
  strategy: "{{ lookup('pgfleet.cluster.strategy') }}"
  gather_facts: false
  tasks: []
"""

RETURN = r"""
_raw:
  description: The name of the strategy.
  type: list
  elements: str
  sample: [ansible.builtin.linear]
"""

from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase

# Hosts run in forks of the process that this is loaded into: what they all need is imported once, before them.
from ansible_collections.pgfleet.cluster.plugins.filter import cluster, hypervisor, options  # noqa: F401 pylint: disable=unused-import

ORDERED = "ansible.builtin.linear"
MITOGEN = "mitogen_linear"


def in_order(chosen: str) -> str:
    """The chosen strategy where it keeps all hosts at the same task, else Ansible's own that does."""
    return chosen if chosen.rpartition(".")[2] == MITOGEN else ORDERED


class LookupModule(LookupBase):
    """Terms are not used."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        return [in_order(constants.config.get_config_value("DEFAULT_STRATEGY"))]
