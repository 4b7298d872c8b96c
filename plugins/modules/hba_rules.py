#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: hba_rules
short_description: Keep the rules of a fleet in pg_hba.conf
version_added: 1.0.0
description:
  - Writes rules into marked blocks of C(pg_hba.conf) (C(# BEGIN pgfleet) to C(# END pgfleet)). A block holds exactly the
    rules that are given; a rule that is no longer given leaves the file. Every other line stays as it is, in its order.
  - The server uses the first rule that matches. Blocks stand before all other lines, so that none of these keeps the
    fleet's own sessions out. The general rule C(local all all peer) stands behind all other lines, so that it takes no
    rule of yours out of force.
  - Each rule is checked before anything is written. A running server then judges the file (C(pg_hba_file_rules)) before
    anybody tells it to reload. A file that it refuses is replaced by the one before.
  - Lines that an earlier version of this collection wrote without a block move into it.
  - Does not reload the server.
options:
  path:
    description: The file. A link is followed.
    type: path
    required: true
  data_directory:
    description: Data directory of the server that reads the file. Where it runs, it judges the file.
    type: path
    required: true
  owner:
    description: Who owns the file and the server. The file has mode C(0640).
    type: str
    default: postgres
  block:
    description:
      - Which block to write. The default is that of the fleet, which also has the rules of O(nodes).
      - Another name makes a block of its own before it, for example for a test.
    type: str
    default: rules of the fleet
  state:
    description: Whether the block is there.
    type: str
    default: present
    choices: [present, absent]
  rules:
    description:
      - The rules, in the order in which the server is to try them. Their keys are those of M(community.postgresql.postgresql_pg_hba).
      - C(contype) and C(method) are required, C(address) too unless the contype is V(local). C(databases) and C(users) are V(all)
        unless given, as a list of names or as text in the form of the file (V(app,"my db"\)).
      - C(address) is a network, a single address, a host name, C(.example.com), V(all), V(samehost) or V(samenet). C(netmask),
        C(options) (a dictionary, a list or text) and C(comment) are optional.
      - With C(state=absent) a line that equals the rule is removed, also one that this collection did not write.
      - A rule that is there twice is written once.
    type: list
    elements: raw
    default: []
  nodes:
    description:
      - Addresses or names of the nodes of the fleet. O(replication_user) may log in from each of them for replication,
        O(rewind_user) to the database postgres, both with a password (C(scram-sha-256)).
      - For the block of the fleet only.
    type: list
    elements: str
    default: []
  client_certificates:
    description:
      - Whether the logins of O(nodes) must be over TLS and show a certificate of the role beside the password (C(clientcert=verify-full)).
      - The servers need C(ssl_ca_file), and every standby its certificate in C(primary_conninfo), before this is true.
    type: bool
    default: false
  replication_user:
    description: Role that standbys log in as.
    type: str
    default: replicator
  rewind_user:
    description: Role that exists only while a node is rewound.
    type: str
    default: pgfleet_rewind
extends_documentation_fragment:
  - pgfleet.cluster.attributes
notes:
  - Check mode writes nothing, so it has the module's own checks only and not the server's judgement.
  - On failure RV(ignore:code) is C(hba_rule_invalid), C(hba_refused), C(hba_error), C(hba_elsewhere) or C(hba_marks_broken).
seealso:
  - module: community.postgresql.postgresql_pg_hba
  - name: The pg_hba.conf file
    description: What rules mean.
    link: https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Write the rules of a node of the fleet
  pgfleet.cluster.hba_rules:
    path: /etc/postgresql/17/main/pg_hba.conf
    data_directory: /var/lib/postgresql/17/main
    nodes: [192.168.122.100, 192.168.122.101]
    rules:
      - {contype: hostssl, databases: app, users: app, address: 192.0.2.0/24, method: scram-sha-256}
      - {contype: host, databases: all, users: [alice, "bob smith"], address: 198.51.100.7, method: scram-sha-256, comment: the office}

- name: Keep everybody else out for a while
  pgfleet.cluster.hba_rules:
    path: /etc/postgresql/17/main/pg_hba.conf
    data_directory: /var/lib/postgresql/17/main
    block: maintenance
    rules:
      - {contype: host, databases: app, address: all, method: reject}

- name: Remove the reject rules
  pgfleet.cluster.hba_rules:
    path: /etc/postgresql/17/main/pg_hba.conf
    data_directory: /var/lib/postgresql/17/main
    block: maintenance
    state: absent
"""

RETURN = r"""
rules:
  description: The lines of the block, without passwords of directory services.
  returned: success
  type: list
  elements: str
  sample:
    - local all postgres peer
    - host replication replicator 192.168.122.100/32 scram-sha-256
    - host replication replicator 192.168.122.101/32 scram-sha-256
    - host postgres pgfleet_rewind 192.168.122.100/32 scram-sha-256
    - host postgres pgfleet_rewind 192.168.122.101/32 scram-sha-256
    - hostssl app app 192.0.2.0/24 scram-sha-256
    - host all alice,"bob smith" 198.51.100.7/32 scram-sha-256 # the office
validated:
  description: Whether a running server has judged the file. V(false) where nothing was written.
  returned: success
  type: bool
  sample: true
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.blocks import wanted_blocks
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.file import FLEET, unique, without_effect
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.server import HbaFile, bring, shown
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files_io import user_called
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    wanted = wanted_blocks(params)
    rules = unique(wanted.blocks[params["block"]])
    if not module.check_mode:
        user_called(params["owner"])
    done = bring(HbaFile(params["path"], params["owner"], params["data_directory"]), wanted, module.check_mode)
    for rule, before in without_effect(rules):
        module.warn(f"The rule '{rule.line(secrets=False)}' has no effect: '{before.line(secrets=False)}' comes first.")
    for words in done.warnings:
        module.warn(words)
    header = {"before_header": params["path"], "after_header": params["path"]}
    return {
        "changed": done.changed,
        "validated": done.validated,
        "rules": [rule.line(secrets=False) for rule in rules],
        "diff": {**header, "before": shown(done.before), "after": shown(done.after)},
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "data_directory": {"type": "path", "required": True},
            "owner": {"type": "str", "default": "postgres"},
            "block": {"type": "str", "default": FLEET},
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "rules": {"type": "list", "elements": "raw", "default": []},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "client_certificates": {"type": "bool", "default": False},
            "replication_user": {"type": "str", "default": "replicator"},
            "rewind_user": {"type": "str", "default": "pgfleet_rewind"},
        },
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
