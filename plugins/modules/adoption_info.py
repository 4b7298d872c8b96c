#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: adoption_info
short_description: What changes when a server that somebody else made becomes a node of a fleet
version_added: 1.0.0
description:
  - Reads the configuration files of a server in Debian's layout and, where it runs, the server itself, and plans what
    C(conf.d/pgfleet.conf) is to hold there. Changes nothing.
  - The server's own settings stay. Only what replication cannot work with is overridden, and what no file of the server sets is added.
  - Refuses, with a code and before anything changes, a server that would have to restart and may not, one whose own files would win over
    what is needed, one in another layout or of another user, and a replication role that is somebody's.
  - Uses the server's own C(psql), so nothing has to be installed first.
options:
  node:
    description: Name of the node.
    type: str
    required: true
  config_directory:
    description: Directory of the server's configuration.
    type: path
    required: true
  data_directory:
    description: Data directory of the server.
    type: path
    required: true
  bin_dir:
    description: Directory of the server's programs.
    type: path
    required: true
  login_unix_socket:
    description: Directory of the server's socket.
    type: path
    required: true
  login_port:
    description: Port of the server.
    type: int
    required: true
  owner:
    description: User that the server runs as, who must be a superuser of it.
    type: str
    default: postgres
  settings:
    description: What the fleet sets on nodes of its own making.
    type: dict
    required: true
  inventory_settings:
    description: Those of them that the inventory asks for by name.
    type: list
    elements: str
    default: []
  address:
    description: Address by which the other nodes reach this one.
    type: str
    required: true
  nodes:
    description: Names of all nodes.
    type: list
    elements: str
    required: true
  slots:
    description: Slots that the nodes have, or will have.
    type: list
    elements: str
    default: []
  replication_user:
    description: Role that standbys log in as.
    type: str
    required: true
  replication_password:
    description: Its password.
    type: str
    required: true
  check_role:
    description: Whether a role of that name may not be there yet, unless it has this password and needs no change.
    type: bool
    default: true
  allow_restart:
    description: Whether the server may be restarted where that is needed.
    type: bool
    default: false
extends_documentation_fragment:
  - pgfleet.cluster.attributes.read_only
notes:
  - 'On failure RV(ignore:code) is one of C(adopt_restart_needed), C(adopt_overruled), C(adopt_layout), C(adopt_no_conf_d), C(adopt_owner),
    C(adopt_no_login), C(adopt_role_taken).'
seealso:
  - module: pgfleet.cluster.node_info
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Plan the adoption of a server
  pgfleet.cluster.adoption_info:
    node: node1
    config_directory: /etc/postgresql/17/main
    data_directory: /var/lib/postgresql/17/main
    bin_dir: /usr/lib/postgresql/17/bin
    login_unix_socket: /var/run/postgresql
    login_port: 5432
    settings: {max_wal_senders: "32", max_replication_slots: "32", max_slot_wal_keep_size: 20GB}
    address: 192.0.2.11
    nodes: [node1, node2]
    replication_user: replicator
    replication_password: "{{ replicator_password }}"
  become: true
  become_user: postgres
"""

RETURN = r"""
settings:
  description: What C(conf.d/pgfleet.conf) is to hold.
  returned: success
  type: dict
  sample: {max_slot_wal_keep_size: 20GB, wal_level: replica}
needed:
  description: Settings that replication cannot work with, as they were found and as they must become.
  returned: success
  type: list
  elements: dict
  sample: [{name: wal_level, found: minimal, wanted: replica}]
left:
  description: Settings of the inventory that are not applied, because the server's own files have them or only a restart would change them.
  returned: success
  type: list
  elements: dict
  sample: [{name: shared_buffers, found: 128MB, wanted: 32MB}]
restart:
  description: Whether the server must restart.
  returned: success
  type: bool
  sample: true
steps:
  description: The plan in sentences, with standbys that are left as they are.
  returned: success
  type: list
  elements: str
  sample:
    - "node1: data, postgresql.conf, rules, roles, databases and slots stay. conf.d/pgfleet.conf is written beside them."
    - "node1: wal_level is minimal (/etc/postgresql/17/main/postgresql.conf) and must be replica."
    - "node1: its server is restarted."
shared:
  description: Settings that every node of the fleet must have alike, because a standby must have at least what its primary has.
  returned: success
  type: dict
  sample: {max_connections: "300", max_wal_senders: "10"}
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._adopt.plan import (
    DEFAULTS,
    Adoption,
    Wish,
    plan_adoption,
    refuse_overruled,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._adopt.read import Subject, read_found
from ansible_collections.pgfleet.cluster.plugins.module_utils._adopt.role import refuse_taken_role
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._node.place_read import OWNED_SETTINGS
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import (
    PRIMARY_BOUND,
    setting_texts,
    settings_file,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._settings.conf import read_server_conf


def plan(params: dict[str, Any]) -> Adoption:
    wish = Wish(
        settings=setting_texts(params["settings"]),
        inventory=frozenset(name.lower() for name in params["inventory_settings"]),
        address=params["address"],
        nodes=tuple(params["nodes"]),
        allow_restart=params["allow_restart"],
    )
    found, role = read_found(Subject.from_params(params), {*wish.settings, *DEFAULTS, *PRIMARY_BOUND})
    adoption = plan_adoption(found, wish)
    own = f"{params['config_directory']}/{OWNED_SETTINGS}"
    after = read_server_conf(params["config_directory"], {own: settings_file(adoption.settings)})
    refuse_overruled(params["node"], adoption, after.values, after.files)
    if params["check_role"]:
        refuse_taken_role(params["node"], role, params["replication_user"], params["replication_password"])
    return adoption


def main() -> NoReturn:
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "node": text,
            "config_directory": {"type": "path", "required": True},
            "data_directory": {"type": "path", "required": True},
            "bin_dir": {"type": "path", "required": True},
            "login_unix_socket": {"type": "path", "required": True},
            "login_port": {"type": "int", "required": True},
            "owner": {"type": "str", "default": "postgres"},
            "settings": {"type": "dict", "required": True},
            "inventory_settings": {"type": "list", "elements": "str", "default": []},
            "address": text,
            "nodes": {"type": "list", "elements": "str", "required": True},
            "slots": {"type": "list", "elements": "str", "default": []},
            "replication_user": text,
            "replication_password": {"type": "str", "required": True, "no_log": True},
            "check_role": {"type": "bool", "default": True},
            "allow_restart": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    conclude(module, lambda module: {"changed": False, **plan(module.params).as_result()})


if __name__ == "__main__":
    main()
