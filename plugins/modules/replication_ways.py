#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_ways
short_description: Prove that a node could follow others
version_added: 1.0.0
description:
  - Logs in at other nodes for replication, as the server of this node would, at all of them at the same time. So addresses, firewalls,
    C(pg_hba.conf), password file and role are proven before a standby depends on them.
  - Source is the PostgreSQL manual, section Streaming Replication Protocol.
options:
  targets:
    description: The nodes that are to be reached.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: How messages name it., type: str, required: true}
      address: {description: 'How it is reached, and the name that its certificate must have.', type: str, required: true}
      hostaddr: {description: 'Address to connect to, so that nobody looks up C(address).', type: str, default: ""}
      port: {description: Its port., type: int, default: 5432}
      slot: {description: Physical slot that must be there. Servers before 15 are not asked for it., type: str}
  origin:
    description: How messages name this node.
    type: str
    default: This node
  on_failure:
    description: Whether ways that do not work are an error (code C(way_closed)) or only returned.
    type: str
    default: fail
    choices: [fail, report]
  login_user:
    description: Role with the attribute C(REPLICATION).
    type: str
    default: replicator
  passfile:
    description: File with its password, C(0600).
    type: path
  ssl_mode:
    description: TLS mode of the connections, as in libpq.
    type: str
    default: prefer
    choices: [allow, disable, prefer, require, verify-ca, verify-full]
  ca_cert:
    description: File with the certificates of the authorities that may have signed the servers' certificates.
    type: path
    aliases: [ssl_rootcert]
  ssl_cert:
    description: File with the certificate that O(login_user) shows.
    type: path
  ssl_key:
    description: File with the private key of O(ssl_cert), C(0600).
    type: path
  channel_binding:
    description: Whether the password must be bound to the TLS connection, as in libpq.
    type: str
    default: prefer
    choices: [disable, prefer, require]
  connect_timeout:
    description: Seconds to wait for each connection.
    type: int
    default: 5
extends_documentation_fragment:
  - pgfleet.cluster.attributes.read_only
requirements:
  - python >= 3.9
  - psycopg2
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: See that every node could follow node1
  pgfleet.cluster.replication_ways:
    origin: "{{ inventory_hostname }}"
    targets:
      - {name: node1, address: 192.168.122.101}
    passfile: /etc/postgresql/17/main/replication.pgpass
  become: true
  become_user: postgres
"""

RETURN = r"""
ways:
  description: What was found, one element for each target.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: The target., type: str, returned: always, sample: node1}
    address: {description: Its address and port., type: str, returned: always, sample: "127.0.0.1:5442"}
    works: {description: Whether a login for replication worked., type: bool, returned: always, sample: true}
    seconds: {description: How long that took., type: float, returned: always, sample: 0.011}
    code: {description: Why it did not work; empty when it did., type: str, returned: always, sample: ""}
    message: {description: The same as a sentence with the server's words., type: str, returned: always, sample: ""}
    remedy: {description: What to do., type: str, returned: always, sample: ""}
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import tls_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.ways import closed, try_ways


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    ways = try_ways(params["targets"], Login.from_params(params))
    error = closed(params["origin"], ways)
    if error and params["on_failure"] == "fail":
        raise error
    return {"changed": False, "ways": [way.as_result() for way in ways]}


def main() -> NoReturn:
    target = {
        "name": {"type": "str", "required": True},
        "address": {"type": "str", "required": True},
        "hostaddr": {"type": "str", "default": ""},
        "port": {"type": "int", "default": 5432},
        "slot": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": target},
            "origin": {"type": "str", "default": "This node"},
            "on_failure": {"type": "str", "default": "fail", "choices": ["fail", "report"]},
            "login_user": {"type": "str", "default": "replicator"},
            "passfile": {"type": "path"},
            "connect_timeout": {"type": "int", "default": 5},
            **tls_spec(),
        },
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
