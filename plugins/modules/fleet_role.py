#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_role
short_description: Bring a role of the fleet wholly to what it must be
version_added: 1.0.0
description:
  - The role of standbys may log in and replicate, and nothing else. The role of a rewind may log in and read the server's files, for an hour.
  - Whatever else could keep it from logging in, or let it do more, is changed too - a connection limit, an end of its validity, settings of
    its own (C(ALTER ROLE … SET)), attributes. Memberships are left as they are, with a warning.
  - The password is kept as SCRAM. The server gets the verifier and never the password, so no log and no error can have it.
  - Afterwards the role of standbys logs in for replication over TCP, as a standby would, and a refusal is an error.
options:
  name:
    description: Name of the role. Any name that PostgreSQL takes; it is quoted.
    type: str
    required: true
  purpose:
    description: What the role is for.
    type: str
    default: replication
    choices: [replication, rewind]
  state:
    description:
      - V(present) creates or changes the role. For V(rewind) it also lets the server write its timeline into the control file (C(CHECKPOINT)).
      - V(absent) drops it, with its privileges. A role that owns anything is not dropped.
      - V(restored) gives it back the password that O(note) keeps. V(settled) forgets that one.
    type: str
    default: present
    choices: [present, absent, restored, settled]
  password:
    description: Its password. Required for V(present).
    type: str
  rotate:
    description: Whether a role with another password gets this one. Otherwise it keeps it, and RV(password_differs) says so.
    type: bool
    default: true
  note:
    description: File on the server's machine that keeps what the server had of the old password, from a change until it is settled.
    type: path
  passfile:
    description: Password file of the server's own machine. It tells which password the standbys have now.
    type: path
  reason:
    description: For V(restored), who was refused and why. The task then fails with these words.
    type: str
    default: ""
  prove_host:
    description: Address of the server for the login that proves the role. Empty tries none.
    type: str
    default: ""
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
attributes:
  idempotent:
    description: The role of a rewind is given a new hour each time.
    support: partial
notes:
  - On failure RV(ignore:code) is C(role_foreign), C(role_not_changed), C(password_unusable), C(login_not_proved) or one of those of a refused login.
seealso:
  - module: pgfleet.cluster.replication_passfile
  - module: community.postgresql.postgresql_user
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: The role that standbys log in as
  pgfleet.cluster.fleet_role:
    name: replicator
    password: "{{ replication_password }}"
    prove_host: 192.168.122.100
  become: true
  become_user: postgres

- name: A role for a rewind, for an hour at most
  pgfleet.cluster.fleet_role:
    name: pgfleet_rewind
    purpose: rewind
    password: "{{ lookup('ansible.builtin.password', '/dev/null', length=32) }}"
  become: true
  become_user: postgres

- name: Drop it
  pgfleet.cluster.fleet_role:
    name: pgfleet_rewind
    purpose: rewind
    state: absent
  become: true
  become_user: postgres
"""

RETURN = r"""
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
  sample: [connection limit -1, password, "setting default_transaction_read_only=on"]
password_differs:
  description: Whether the role has another password than the given one, after this.
  returned: success
  type: bool
  sample: false
unsettled:
  description: Whether an earlier change of the password has not come to its end.
  returned: success
  type: bool
  sample: false
"""

import json
import os
import time
from dataclasses import replace
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import ConnectFailed, PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.atomic import write_file
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import (
    Server,
    connect,
    require_psycopg2,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.passfile import (
    check_password,
    find_password,
    read_passfile,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.plan import (
    REWIND,
    RolePlan,
    plan_role,
    refuse_owner,
    wanted_role,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.scram import matches
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.server import (
    apply_role,
    drop_role,
    grant_rewind,
    prepare,
    prove_own_login,
    read_role,
    set_verifier,
)

HOUR = 3600


class LoginNotProved(PgFleetError):
    """A node cannot log in with the password that the fleet is to have."""

    code = "login_not_proved"


def present(module: AnsibleModule, server: Server) -> dict[str, Any]:
    params = module.params
    check_password(params["password"])
    rewind = params["purpose"] == REWIND
    found, stored = read_role(server, params["name"], params["password"])
    if rewind and found:
        refuse_owner(found)
    until = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(time.time() + HOUR)) if rewind else None
    wanted = wanted_role(params["name"], params["purpose"], until)
    plan = plan_role(found, wanted, not params["rotate"])
    if not module.check_mode:
        keep_old_password(params, plan, stored)
        apply_role(server, params["name"], plan, params["password"])
        if rewind:
            grant_rewind(server, params["name"])
    differs = bool(found and found.has_password and not found.password_matches and not plan.password)
    if not (differs or module.check_mode or rewind or not params["prove_host"]):
        prove(module, server)
    for words in plan.warnings:
        module.warn(words)
    after = wanted.shown() if not differs else {**wanted.shown(), "password": "(another one)"}
    return {
        "changed": plan.changed,
        "changes": list(plan.changes),
        "password_differs": differs,
        "unsettled": bool(params["note"] and os.path.exists(params["note"])),
        "diff": {"before": found.shown() if found else {}, "after": after},
    }


def keep_old_password(params: dict[str, Any], plan: RolePlan, stored: str | None) -> None:
    """Before it changes. The note of a run that was killed stays when the standbys still have the password from before that run."""
    if not (params["note"] and plan.password) or plan.create:
        return
    noted = os.path.exists(params["note"])
    text = read_passfile(params["passfile"]) if params["passfile"] else ""
    used = find_password(text, params["prove_host"], params["login_port"], params["name"])
    if not noted or (used is not None and matches(stored, used)):
        write_file(params["note"], json.dumps({"role": params["name"], "verifier": stored}))


def prove(module: AnsibleModule, server: Server) -> None:
    params = module.params
    own = Login.from_params(params)
    login = replace(own, host=params["prove_host"], unix_socket="", user=params["name"], password=params["password"])
    try:
        words = prove_own_login(login)
    except ConnectFailed:
        give_back(params, server)
        raise
    if words:
        module.warn(words)


def absent(module: AnsibleModule, server: Server) -> dict[str, Any]:
    name = module.params["name"]
    found, _stored = read_role(server, name, None)
    if found:
        refuse_owner(found)
        if not module.check_mode:
            drop_role(server, name)
    return {
        "changed": found is not None,
        "changes": ["dropped"] if found else [],
        "diff": {"before": found.shown() if found else {}, "after": {}},
    }


def give_back(params: dict[str, Any], server: Server) -> bool:
    """The password that the role had before it was changed, where a note keeps it."""
    if not (params["note"] and os.path.exists(params["note"])):
        return False
    with open(params["note"], encoding="utf-8") as file:
        kept = json.load(file)
    set_verifier(server, kept["role"], kept["verifier"])
    os.unlink(params["note"])
    return True


def restored(module: AnsibleModule, server: Server) -> dict[str, Any]:
    there = os.path.exists(module.params["note"])
    if not module.check_mode:
        give_back(module.params, server)
    if module.params["reason"]:
        raise LoginNotProved(
            f"The replication login is not proved from every node. {module.params['reason']}",
            f"The password files are as they were, and {'so is the password of the role' if there else 'the role was not changed'}.",
        )
    return {"changed": there, "changes": ["password"] if there else []}


def settled(module: AnsibleModule) -> dict[str, Any]:
    there = os.path.exists(module.params["note"])
    if there and not module.check_mode:
        os.unlink(module.params["note"])
    return {"changed": there, "changes": []}


def run(module: AnsibleModule) -> dict[str, Any]:
    if module.params["state"] == "settled":
        return settled(module)
    work = {"present": present, "absent": absent, "restored": restored}[module.params["state"]]
    with connect(Login.from_params(module.params)) as server:
        prepare(server)
        return work(module, server)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            name={"type": "str", "required": True},
            purpose={"type": "str", "default": "replication", "choices": ["replication", "rewind"]},
            state={"type": "str", "default": "present", "choices": ["present", "absent", "restored", "settled"]},
            password={"type": "str", "no_log": True},
            rotate={"type": "bool", "default": True},
            note={"type": "path"},
            passfile={"type": "path"},
            reason={"type": "str", "default": ""},
            prove_host={"type": "str", "default": ""},
        ),
        required_if=[
            ("state", "present", ("password",)),
            ("state", "restored", ("note",)),
            ("state", "settled", ("note",)),
        ],
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
