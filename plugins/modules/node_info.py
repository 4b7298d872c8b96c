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
  owner:
    description: User that the server runs as, and whose login at the server it is asked by.
    type: str
    default: postgres
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
  description: Data directory with version and cluster put in.
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
  description: Whether that configuration was made by this collection.
  returned: success
  type: bool
  sample: true
running_pid:
  description: Process of the server that runs on the data directory, when one does.
  returned: success
  type: int
  sample: 4711
port:
  description:
    - Whether something listens on the port, and whether that is the server of this data directory.
    - C(own) is the port that this server listens on now, null when it does not run.
  returned: success
  type: dict
  sample: {number: 5432, busy: true, ours: true, own: 5432}
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
import hashlib
import os
import pwd
import socket
import stat
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._as_user import call_as
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir import find_server
from ansible_collections.pgfleet.cluster.plugins.module_utils._look import look_until
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine import (
    filesystem_of,
    missing_packages,
    output_of,
    owner_name,
    read_text,
    service_manager,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._node import (
    choose_version,
    expand,
    normal_locale,
    parse_os_release,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres import PSYCOPG2_ERROR

OWNED_SETTINGS = "conf.d/pgfleet.conf"


def missing_locales(wanted: list[str]) -> list[str]:
    have = {normal_locale(name) for name in output_of("locale", "-a")}
    return [name for name in wanted if normal_locale(name) not in have]


def server_of(data_directory: str) -> tuple[int | None, int | None]:
    """Process and port of the server that runs on a data directory (manual: postmaster.pid)."""
    pid = find_server(data_directory)
    lines = read_text(f"{data_directory}/postmaster.pid").splitlines()
    return pid, int(lines[3]) if pid and len(lines) > 3 else None


def port_state(number: int, own_port: int | None) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", number))
            busy = False
        except OSError:
            busy = True
    return {"number": number, "busy": busy, "ours": busy and own_port == number, "own": own_port}


def describe(path: str) -> dict[str, str]:
    """Content, owner and mode of a file, as much as tells whether it is as it should be."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            digest = hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return {}
    return {"sha256": digest, "owner": owner_name(found.st_uid), "mode": f"{stat.S_IMODE(found.st_mode):04o}"}


def ask_server(params: dict[str, Any], data: str, bin_dir: str, port: int) -> dict[str, Any] | None:
    """The server's status, by the login of its own user; None where nobody could ask."""
    if not params["unix_socket_directory"] or PSYCOPG2_ERROR or not os.path.isdir(bin_dir):
        return None
    try:
        pwd.getpwnam(params["owner"])
    except KeyError:
        return None
    login = {name: option.get("default") for name, option in connection_spec().items()}
    login.update(
        login_unix_socket=params["unix_socket_directory"], login_port=port, data_directory=data, bin_dir=bin_dir
    )
    found = call_as(params["owner"], lambda: look_until(login))
    return {part: found[part] for part in ("status", "reasons", "findings")}


def run(params: dict[str, Any]) -> dict[str, Any]:
    release = parse_os_release(read_text("/etc/os-release"))
    version = choose_version(params["version"], release, params["releases"])
    data = expand(params["data_directory"], version, params["cluster"])
    config = f"/etc/postgresql/{version}/{params['cluster']}"
    files = [expand(path, version, params["cluster"]) for path in params["files"]]
    pid, own_port = server_of(data)
    bin_dir = f"/usr/lib/postgresql/{version}/bin"
    return {
        "os": {
            "id": release.get("ID"),
            "version_id": release.get("VERSION_ID"),
            "codename": release.get("VERSION_CODENAME"),
            "name": release.get("PRETTY_NAME"),
        },
        "version": version,
        "service_manager": service_manager(),
        "missing_packages": missing_packages([expand(name, version, "") for name in params["packages"]]),
        "missing_locales": missing_locales(params["locales"]),
        "files": {path: describe(path) for path in files},
        "bin_dir": bin_dir,
        "server": ask_server(params, data, bin_dir, own_port or params["port"]),
        "data_directory": data,
        "config_directory": config,
        "log_file": f"/var/log/postgresql/postgresql-{version}-{params['cluster']}.log",
        "configured": os.path.exists(f"{config}/postgresql.conf"),
        "ours": os.path.exists(f"{config}/{OWNED_SETTINGS}"),
        "running_pid": pid,
        "port": port_state(params["port"], own_port),
        "filesystem": filesystem_of(data),
        "repository_script": next(iter(sorted(glob.glob("/usr/share/postgresql-common/pgdg/*.sh"))), ""),
        "replaced": sorted(glob.glob(f"{data}.replaced-*")),
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
            "owner": {"type": "str", "default": "postgres"},
            "releases": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    conclude(module, lambda module: {"changed": False, **run(module.params)})


if __name__ == "__main__":
    main()
