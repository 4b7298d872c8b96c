#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_probe
short_description: Prove replication by a row, and read-only standbys by a refusal
version_added: 1.0.0
description:
  - V(write) commits one row on the primary and measures, by the primary's own clock, how long each standby takes to replay it.
  - V(read) waits on a standby until that row can be read there, then tries to write and expects the refusal of SQLSTATE 25006.
  - V(switch) lets the primary begin a new WAL file, so that all it has written is archived, for standbys that read the archive only.
  - V(remove) drops the probe's schema C(pgfleet_probe) again.
  - Source is the PostgreSQL manual, sections Hot Standby and pg_stat_replication.
options:
  action:
    description: What to do.
    type: str
    required: true
    choices: [write, read, remove, switch]
  token:
    description: The row's content. Give the same to V(write) and V(read).
    type: str
  standbys:
    description: Names (C(application_name)) of the standbys that must replay the row. Used by V(write).
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait for the standbys, or on a standby for the row.
    type: float
    default: 10
extends_documentation_fragment:
  - pgfleet.cluster.connection
attributes:
  check_mode:
    description:
      - Fails with the same errors as a real run. V(write) and V(remove) roll back what they do, so RV(delays_ms) is of the WAL that was there.
        V(read) does not wait for a row that no other task has written. V(switch) does nothing.
    support: full
  diff_mode:
    description: There is nothing to show; the probe removes what it makes.
    support: none
  idempotent:
    description: V(write) writes a row each time.
    support: partial
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Write a row on the primary and wait for two standbys
  pgfleet.cluster.replication_probe:
    action: write
    token: "{{ inventory_hostname }}-1"
    standbys: [node1, node2]
  become: true
  become_user: postgres

- name: See it on a standby, and see a write refused there
  pgfleet.cluster.replication_probe:
    action: read
    token: primary-1
  become: true
  become_user: postgres
"""

RETURN = r"""
lsn:
  description: Position of the row's commit. Returned by V(write).
  returned: success
  type: str
  sample: 0/50003B8
delays_ms:
  description: Milliseconds from the commit until each standby had replayed it. Returned by V(write).
  returned: success
  type: dict
  sample: {node1: 1.6, node2: 1.6, node3: 3.1}
refused_with:
  description: SQLSTATE of the refused write. Returned by V(read).
  returned: success
  type: str
  sample: "25006"
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._counts.probe import ACTIONS, Probe
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import connect, require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    wanted = Probe(params["token"] or "", tuple(params["standbys"]), params["wait"])
    with connect(Login.from_params(params)) as server:
        return ACTIONS[params["action"]](server, wanted, module.check_mode)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            action={"type": "str", "required": True, "choices": list(ACTIONS)},
            token={"type": "str", "no_log": False},
            standbys={"type": "list", "elements": "str", "default": []},
            wait={"type": "float", "default": 10},
        ),
        required_if=[("action", "write", ["token"]), ("action", "read", ["token"])],
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
