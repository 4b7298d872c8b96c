#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_passfile
short_description: Prove a replication login and keep it in a node's password file
version_added: 1.0.0
description:
  - Changes the password file of a node in steps, so that a new password can be proved from every node before any file has it, and every
    file can be taken back when one of them does not lead to a login.
  - The file before the change lies beside it, with C(.before) behind its name, until V(settled) or V(restored).
options:
  state:
    description:
      - V(proven) logs in for replication with the password, and writes nothing.
      - V(present) writes the file, then logs in with it.
      - V(restored) puts the file before the change back. V(settled) removes that one.
    type: str
    default: present
    choices: [proven, present, restored, settled]
  path:
    description: The password file. It belongs to O(owner) alone (mode C(0600)).
    type: path
    required: true
  owner:
    description: User whose sessions read the file.
    type: str
    default: postgres
  servers:
    description: Every server that the node may have to follow.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Address or name, as in C(primary_conninfo).
        type: str
        required: true
      port:
        description: Port.
        type: int
        required: true
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
notes:
  - A refused login is no failure of the task, so that one node's refusal does not part it from the others; see RV(proven).
  - Check mode tries no login.
seealso:
  - module: pgfleet.cluster.fleet_role
  - name: The password file
    description: How the client library reads it.
    link: https://www.postgresql.org/docs/current/libpq-pgpass.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Prove the new password from every node
  pgfleet.cluster.replication_passfile:
    state: proven
    path: /etc/postgresql/17/main/replication.pgpass
    login_host: 192.168.122.100
    login_user: replicator
    login_password: "{{ replication_password }}"
  register: login

- name: Write it
  pgfleet.cluster.replication_passfile:
    path: /etc/postgresql/17/main/replication.pgpass
    servers: [{host: 192.168.122.100, port: 5432}, {host: 192.168.122.101, port: 5432}]
    login_host: 192.168.122.100
    login_user: replicator
    login_password: "{{ replication_password }}"
  when: login.proven
"""

RETURN = r"""
proven:
  description: Whether the server accepted the login. Null where none was tried.
  returned: success
  type: bool
  sample: true
refusal:
  description: Why it did not.
  returned: success
  type: str
  sample: >-
    192.168.122.100:5432 refused the login of 'replicator' for replication: FATAL: password authentication failed for user "replicator"
refusal_code:
  description: The reason as a code.
  returned: success
  type: str
  sample: wrong_password
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.passfile import check_password
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.passfile import NodePassfile


def run(module: AnsibleModule) -> dict[str, Any]:
    file, state, check = NodePassfile(module.params), module.params["state"], module.check_mode
    if state in ("restored", "settled"):
        change = {"restored": file.restore, "settled": file.settle}[state]
        return result(not check and change(), None)
    check_password(module.params["login_password"])
    differs = state == "present" and file.differs
    if check:
        return result(differs, None)
    if differs:
        file.write()
    refusal = file.refused(by_file=state == "present")
    return {**result(differs, refusal), "proven": refusal is None}


def result(changed: bool, refusal: dict[str, Any] | None) -> dict[str, Any]:
    words = refusal or {"words": None, "code": None}
    shown = {"before": "(a secret)", "after": "(another secret)"} if changed else {"before": "", "after": ""}
    return {"changed": changed, "proven": None, "refusal": words["words"], "refusal_code": words["code"], "diff": shown}


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            state={"type": "str", "default": "present", "choices": ["proven", "present", "restored", "settled"]},
            path={"type": "path", "required": True},
            owner={"type": "str", "default": "postgres"},
            servers={
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"host": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
            },
        ),
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
