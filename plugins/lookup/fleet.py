# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The hosts of a play: those of every fleet of the inventory, or of the one that was asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
short_description: The hosts that a play is for
version_added: 1.0.0
description:
  - A fleet is all hosts of the group C(postgres) with the same C(pg_server_fleet); an inventory may hold several.
  - Without the words below the play is for all hosts of C(postgres).
  - The first play of a playbook has all hosts of C(postgres), for Ansible does not know the variables of hosts yet.
    There C(pgfleet.cluster.check_options) refuses words that name no fleet.
options:
  fleet:
    description: The variable C(fleet), the name of one fleet. Not an option to be given, but O(ignore:-e fleet=orders) of a playbook.
    type: str
    vars:
      - name: fleet
  node:
    description:
      - The node that an operation is about, by the variable C(node), or C(to) for the one that is to lead. It tells the fleet where no other word does.
    type: str
    vars:
      - name: to
      - name: node
  fleets:
    description: How many fleets the play works on, as C(fleets) of C(pgfleet.cluster.check_options).
    type: str
    choices: [any, one, named]
    default: any
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Show every fleet
  hosts: "{{ query('pgfleet.cluster.fleet') }}"
  tasks: []

- name: Let another node lead
  hosts: "{{ query('pgfleet.cluster.fleet', fleets='one') }}"
  tasks: []
"""

RETURN = r"""
_raw:
  description: Names of hosts.
  type: list
  elements: str
  sample: [primary, node1]
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.fleets import (
    ANY,
    ONE,
    FleetUnclear,
    chosen_nodes,
    fleets_of,
)


class LookupModule(LookupBase):
    """Terms are not used."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        variables = variables or {}
        nodes = list((variables.get("groups") or {}).get("postgres", ()))
        fleet, scope = self._word(variables, "fleet"), kwargs.get("fleets", ANY)
        node = self._word(variables, "to") or self._word(variables, "node") if scope == ONE else ""
        if "hostvars" not in variables or not (fleet or scope != ANY):
            return ["postgres"]
        try:
            return chosen_nodes(fleets_of(nodes, variables["hostvars"]), fleet, node, scope)
        except (FleetUnclear, AnsibleError):
            return []

    def _word(self, variables: dict[str, Any], name: str) -> str:
        """A word of the command line; one that is made of what the run will say is not known yet."""
        try:
            found = self._templar.template(variables.get(name, "")) if self._templar else ""
        except AnsibleError:
            return ""
        return "" if found is None else str(found)
