#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: What a machine has and lacks for a PostgreSQL cluster
version_added: 1.0.0
description:
  - Answers in one call what a role must know before it changes anything on a machine that may still be empty. It says which system
    this is, which packages and locales are missing, whether the port is free, how large the file system is, and where things lie.
  - Needs neither PostgreSQL nor psycopg2 on the machine. Where both are there, it asks the server for its status in the same call.
  - Knows the layout of postgresql-common (Debian, Ubuntu).
  - What is on the machine decides. The data directory, the port and the socket of a server that is there are read from its configuration
    and its process, and what the options say otherwise is listed in RV(differences).
options:
  version:
    description: Major version of PostgreSQL, or V(distribution) for the one that the system ships.
    type: str
    default: distribution
  cluster:
    description: Name of the cluster as in C(pg_lsclusters).
    type: str
    default: main
  data_directory:
    description: Data directory; C(%v) stands for the version and C(%c) for the cluster, as in postgresql-common.
    type: str
    default: /var/lib/postgresql/%v/%c
  packages:
    description: Packages that are needed; C(%v) stands for the version.
    type: list
    elements: str
    default: []
  locales:
    description: Locales that are needed.
    type: list
    elements: str
    default: []
  files:
    description: Files to describe; C(%v) stands for the version and C(%c) for the cluster.
    type: list
    elements: str
    default: []
  port:
    description: Port that the server is to listen on.
    type: int
    default: 5432
  unix_socket_directory:
    description: Directory of the server's socket. Given together with psycopg2 on the machine, the server is asked what it is.
    type: path
  address:
    description: Address of the server for other nodes. One that is to show a certificate of the fleet is asked there which one it shows.
    type: str
    default: ""
  owner:
    description: User that the server runs as, and whose login at the server it is asked by.
    type: str
    default: postgres
  fleet:
    description: Name of the fleet that the node belongs to. With O(node) the node's server is found under another version or cluster name, too.
    type: str
    default: ""
  node:
    description: Name of the node, which is the C(cluster_name) of its server.
    type: str
    default: ""
  adopt:
    description: Whether a server that somebody else made under the name O(cluster) is this node's.
    type: bool
    default: false
  unit:
    description: The systemd unit of the server. V(auto) is that of postgresql-common where systemd runs the machine; empty means none.
    type: str
    default: auto
  releases:
    description: Supported systems, as C(ID-VERSION_ID) of os-release, and the PostgreSQL version that each ships.
    type: dict
    required: true
extends_documentation_fragment:
  - pgfleet.cluster.attributes.read_only
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Look at the machine
  pgfleet.cluster.node_info:
    cluster: main
    packages: [postgresql-%v, python3-psycopg2]
    locales: [en_US.UTF-8]
    releases: {debian-12: 15, debian-13: 17}
  register: node

- name: Refuse a port that belongs to somebody else
  ansible.builtin.assert:
    that: not node.port.busy or node.port.ours

- name: Refuse an inventory that says something else than the machine
  ansible.builtin.assert:
    that: node.differences | length == 0
"""

RETURN = r"""
os:
  description: The system, out of os-release.
  returned: success
  type: dict
  sample: {id: debian, version_id: "12", codename: bookworm, name: Debian GNU/Linux 12 (bookworm)}
version:
  description: Major version of PostgreSQL that this node gets; 0 for V(distribution) on a system that is not in O(releases).
  returned: success
  type: int
  sample: 15
service_manager:
  description: V(systemd) where systemd runs the machine, otherwise V(none).
  returned: success
  type: str
  sample: none
unit:
  description: The systemd unit of the server; empty on a machine without systemd.
  returned: success
  type: str
  sample: postgresql@15-main
unit_state:
  description:
    - State of that unit, V(masked), V(not-found), V(failed), V(active), V(inactive) or another word of C(systemctl show). A server whose
      unit is masked cannot be started again once it has been stopped.
    - Null without a unit.
  returned: success
  type: str
  sample: active
missing_packages:
  description: Packages that are needed and not installed.
  returned: success
  type: list
  elements: str
  sample: []
missing_locales:
  description: Locales that are needed and not there.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: What is at each path of O(files); an empty dictionary where there is nothing.
  returned: success
  type: dict
  sample:
    /etc/postgresql/15/main/conf.d/pgfleet.conf:
      {sha256: 3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728, owner: postgres, mode: "0644"}
bin_dir:
  description: Directory of the server's programs.
  returned: success
  type: str
  sample: /usr/lib/postgresql/15/bin
data_directory:
  description: Data directory of the server that is there; otherwise O(data_directory) with version and cluster put in.
  returned: success
  type: str
  sample: /var/lib/postgresql/15/main
config_directory:
  description: Directory of the cluster's configuration.
  returned: success
  type: str
  sample: /etc/postgresql/15/main
log_file:
  description: The server's log.
  returned: success
  type: str
  sample: /var/log/postgresql/postgresql-15-main.log
configured:
  description: Whether the configuration directory holds a postgresql.conf.
  returned: success
  type: bool
  sample: true
ours:
  description: Whether that configuration has this collection's settings in it.
  returned: success
  type: bool
  sample: true
adopted:
  description: Whether the server was made by somebody else and adopted.
  returned: success
  type: bool
  sample: false
cluster:
  description: Name of the cluster, as it is on the machine.
  returned: success
  type: str
  sample: main
fleet:
  description: Fleet and node that the configuration belongs to; empty where it is not this collection's.
  returned: success
  type: str
  sample: pgfleet
node:
  description: The C(cluster_name) of the configuration.
  returned: success
  type: str
  sample: node1
unused:
  description: Whether there is no server and never was one, so that the options may still change.
  returned: success
  type: bool
  sample: false
reached_by:
  description: Port and socket directory by which the server is reached on its machine.
  returned: success
  type: dict
  sample: {port: 5432, unix_socket_directory: /var/run/postgresql}
differences:
  description: What the options say otherwise than the machine, each with a code, both values and the way out.
  returned: success
  type: list
  elements: dict
  sample:
    - code: port_differs
      variable: pg_server_port
      wanted: "5439"
      found: "5443"
      message: >-
        The server here (cluster 15/local_node2, data directory /var/lib/postgresql/15/local_node2, port 5443, process 4711, node 'node2' of
        the fleet 'local') has the port 5443, but pg_server_port says 5439.
      remedy: >-
        Set pg_server_port to '5443'. To move it, change the port in /etc/postgresql/15/local_node2/conf.d/pgfleet.conf, restart that
        server, and then change the variable: site tells the other nodes.
data:
  description:
    - What lies at the data directory. C(parent) is the nearest directory above it that exists, C(parent_writable) whether O(owner) may
      write there, null where there is no such user yet.
    - C(outside) are directories that links lead to, of the WAL and of tablespaces.
    - C(system_identifier) is that of the cluster, null where there is none.
  returned: success
  type: dict
  sample:
    exists: true
    is_directory: true
    mount_point: false
    cluster: true
    entries: [PG_VERSION, base, global]
    system_identifier: "7512345678901234567"
    parent: /var/lib/postgresql/15
    parent_writable: true
    outside: []
recovery:
  description:
    - What the data directory says of the primary to follow, passwords made unreadable, and whether C(standby.signal) is there.
    - C(unfinished) says whether an earlier clone has left something beside the directory.
  returned: success
  type: dict
  sample: {primary_conninfo: user=replicator host=10.0.0.1 port=5432, primary_slot_name: node1_slot, signal: true, unfinished: false}
rules:
  description:
    - The C(pg_hba.conf), secrets made unreadable; an empty dictionary where there is none.
    - C(unfinished) says whether an earlier run was killed while the server judged the file.
  returned: success
  type: dict
  sample: {text: "local all postgres peer\n", owner: postgres, mode: "0640", unfinished: false}
certificates:
  description:
    - The certificates of the fleet that the node has, by their names, with OpenSSL's word on them, and owner and mode of their files; an
      empty dictionary where there are none.
    - What is wrong with those that the server is to use is among the findings of RV(server).
  returned: success
  type: dict
  sample:
    authorities: "-----BEGIN CERTIFICATE-----\nMIIBkTCC...\n-----END CERTIFICATE-----\n"
    authorities_mode: "0644"
    found:
      server:
        text: "-----BEGIN CERTIFICATE-----\nMIICEDCC...\n-----END CERTIFICATE-----\n"
        verdict: [0, ""]
        files: {certificate.pem: [postgres, "0644"], key.pem: [postgres, "0600"]}
running_pid:
  description: Process of the server that runs on the data directory, when one does.
  returned: success
  type: int
  sample: 4711
port:
  description:
    - Whether something listens on the port, and whether that is the server of this data directory.
    - C(own) is the port that this server listens on now, null when it does not run.
    - C(holder) is the process that holds the port where that is another one. Of a PostgreSQL server it has the data directory and, where it
      is known, the cluster, the fleet and the node.
  returned: success
  type: dict
  sample: {number: 5432, busy: true, ours: true, own: 5432, holder: null}
server:
  description:
    - What the server is, as M(pgfleet.cluster.replication_status) returns it, or what its data directory says when no server answers.
    - Null without O(unix_socket_directory), and on a machine that lacks psycopg2, the user or PostgreSQL's programs.
  returned: success
  type: dict
  contains:
    status: {description: See RV(pgfleet.cluster.replication_status#module:status)., type: dict, returned: success}
    reasons: {description: See RV(pgfleet.cluster.replication_status#module:reasons)., type: list, elements: dict, returned: success}
    findings: {description: See RV(pgfleet.cluster.replication_status#module:findings)., type: list, elements: dict, returned: success}
  sample: null
filesystem:
  description: The file system of the data directory.
  returned: success
  type: dict
  sample: {path: /var/lib/postgresql, total_bytes: 270553174016, free_bytes: 85899345920}
repository_script:
  description: Program of postgresql-common that sets up the PostgreSQL project's package repository, when it is there.
  returned: success
  type: str
  sample: ""
replaced:
  description: Data directories of this cluster that were set aside.
  returned: success
  type: list
  elements: str
  sample: []
"""

import glob
import os
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._host.facts import (
    choose_version,
    expand,
    parse_os_release,
    require_absolute,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files_io import fingerprint
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.machine import (
    missing_locales,
    missing_packages,
    read_text,
    service_manager,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._node.describe import ask_server, describe_place
from ansible_collections.pgfleet.cluster.plugins.module_utils._node.place import WantedNode
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.surroundings import show_unit
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.why_stopped import unit_state
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.directory import OnMachine


def wanted_node(params: dict[str, Any], version: int) -> WantedNode:
    require_absolute("data_directory", params["data_directory"])
    return WantedNode(
        version=version,
        cluster=params["cluster"],
        data_directory=params["data_directory"],
        port=params["port"],
        socket_directory=params["unix_socket_directory"] or "",
        fleet=params["fleet"],
        node=params["node"],
    )


def login_of(place: dict[str, Any]) -> tuple[Login, OnMachine]:
    way = place["reached_by"]
    where = OnMachine(place["data_directory"], place["bin_dir"], place["log_file"], place["unit"])
    return Login(unix_socket=way["unix_socket_directory"], port=way["port"]), where


def look_at_certificates(place: dict[str, Any], server: dict[str, Any] | None, address: str) -> dict[str, Any]:
    """Read only where there are some: a module compiles what it imports in every call."""
    if not os.path.isdir(f"{place['config_directory']}/pki"):
        return {}
    from ansible_collections.pgfleet.cluster.plugins.module_utils._node import certificates

    if server:
        asked = address if (server["status"] or {}).get("reachable") else ""  # one that is frozen would be waited for
        server["findings"] += certificates.certificate_findings(
            place["config_directory"], asked, place["reached_by"]["port"]
        )
    return certificates.describe_certificates(place["config_directory"])


def run(params: dict[str, Any]) -> dict[str, Any]:
    release = parse_os_release(read_text("/etc/os-release"))
    version = choose_version(params["version"], release, params["releases"])
    place = describe_place(wanted_node(params, version), params["owner"], params["adopt"])
    files = [expand(path, place["version"], place["cluster"]) for path in params["files"]]
    unit = params["unit"] if params["unit"] != "auto" else f"postgresql@{place['version']}-{place['cluster']}"
    place["unit"] = unit if service_manager() == "systemd" else ""
    server = ask_server(params["owner"], *login_of(place)) if params["unix_socket_directory"] else None
    if server:
        server["findings"] += place["differences"]
    return {
        "certificates": look_at_certificates(place, server, params["address"]),
        "os": {
            "id": release.get("ID"),
            "version_id": release.get("VERSION_ID"),
            "codename": release.get("VERSION_CODENAME"),
            "name": release.get("PRETTY_NAME"),
        },
        "service_manager": service_manager(),
        "unit_state": unit_state(show_unit(place["unit"])),
        "missing_packages": missing_packages([expand(name, version, "") for name in params["packages"]]),
        "missing_locales": missing_locales(params["locales"]),
        "files": {path: fingerprint(path) for path in files},
        "server": server,
        "repository_script": next(iter(sorted(glob.glob("/usr/share/postgresql-common/pgdg/*.sh"))), ""),
        **place,
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "default": "distribution"},
            "cluster": {"type": "str", "default": "main"},
            "data_directory": {"type": "str", "default": "/var/lib/postgresql/%v/%c"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "locales": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "list", "elements": "str", "default": []},
            "port": {"type": "int", "default": 5432},
            "unix_socket_directory": {"type": "path"},
            "address": {"type": "str", "default": ""},
            "owner": {"type": "str", "default": "postgres"},
            "fleet": {"type": "str", "default": ""},
            "node": {"type": "str", "default": ""},
            "adopt": {"type": "bool", "default": False},
            "unit": {"type": "str", "default": "auto"},
            "releases": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    conclude(module, lambda module: {"changed": False, **run(module.params)})


if __name__ == "__main__":
    main()
