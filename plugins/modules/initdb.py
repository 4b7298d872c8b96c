#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: initdb
short_description: Make a data directory a fresh PostgreSQL cluster
version_added: 1.0.0
description:
  - Makes a data directory a fresh cluster, or finds that it already is a cluster of the same major version, primary or
    standby. Starting it is left to others.
  - Decides from the control file, never from C(PG_VERSION). A directory with other files in it, or with a control file
    that cannot be read, is refused with a code.
  - The cluster is made in C(<data_directory>.incoming), flushed to disk, then renamed. A run that was killed at any moment is cleared
    away, or finished, by the next one.
  - Settings of a cluster that is kept are not compared with the options. They only say how a new one is made.
  - Source is the PostgreSQL manual, sections initdb and pg_controldata.
options:
  data_directory:
    description: Data directory of the cluster. Its parent must be writable. It must not be a mount point.
    type: path
    required: true
    aliases: [dest, path, pgdata]
  bin_dir:
    description: Directory of initdb and its companions. Without it, that of the version that O(data_directory) has, or else of the newest one installed.
    type: path
  locale:
    description: Locale of the cluster. It must be there on this machine.
    type: str
    default: en_US.UTF-8
  encoding:
    description: Encoding of the template databases.
    type: str
    default: UTF8
  data_checksums:
    description: Whether data pages have checksums.
    type: bool
    default: true
  superuser:
    description: Name of the superuser.
    type: str
    default: postgres
  auth_local:
    description: Authentication method for connections over the Unix-domain socket in the first C(pg_hba.conf).
    type: str
    default: peer
  auth_host:
    description: Authentication method for connections over TCP in the first C(pg_hba.conf).
    type: str
    default: scram-sha-256
  wal_dir:
    description: Directory for the WAL, outside of O(data_directory), which then has a link to it.
    type: path
  wal_segment_size:
    description: Size of the WAL segments in megabytes, a power of 2. Without it, that of the server, V(16).
    type: int
extends_documentation_fragment:
  - pgfleet.cluster.attributes
requirements:
  - python >= 3.9
notes:
  - Run the task as the operating-system user of the server (C(become_user)), never as root.
  - While a cluster is made, C(<data_directory>.incoming.pgfleet) notes what is being made and C(<data_directory>.incoming.lock) keeps a second run away.
  - 'On failure RV(ignore:code) is one of C(locale_missing), C(foreign_files), C(unfinished_copy), C(unreadable_control_file),
    C(version_mismatch), C(mount_point), C(not_a_directory), C(not_empty), C(incoming_foreign), C(dest_appeared), C(busy), C(initdb_failed),
    C(programs_missing), C(invalid_input), C(run_as_root), C(not_permitted), C(not_readable), C(not_enough_space), C(os_error).'
seealso:
  - module: pgfleet.cluster.basebackup
  - name: initdb in the PostgreSQL manual
    description: The program that makes the cluster.
    link: https://www.postgresql.org/docs/current/app-initdb.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Make the cluster of the primary
  pgfleet.cluster.initdb:
    data_directory: /var/lib/postgresql/17/main
  become: true
  become_user: postgres

- name: With the C locale, and with the WAL on a disk of its own
  pgfleet.cluster.initdb:
    data_directory: /var/lib/postgresql/17/main
    bin_dir: /usr/lib/postgresql/17/bin
    locale: C.UTF-8
    wal_dir: /srv/wal/main
    wal_segment_size: 64
  become: true
  become_user: postgres

- name: See what is there
  pgfleet.cluster.initdb:
    data_directory: /var/lib/postgresql/17/main
  become: true
  become_user: postgres
  check_mode: true
  register: cluster
"""

RETURN = r"""
action:
  description: What was done, or would be. V(kept) or V(created).
  returned: success
  type: str
  sample: created
reason:
  description:
    - Why, as a stable code. V(is_cluster) with V(kept). V(missing), V(empty), V(unfinished_cluster), V(unfinished_clone)
      or V(finish_swap) with V(created).
  returned: success
  type: str
  sample: missing
explanation:
  description: The reason as a sentence.
  returned: success
  type: str
  sample: "'/var/lib/postgresql/15/main' does not exist."
system_identifier:
  description: System identifier of the cluster. Null in check mode when it would be created.
  returned: success
  type: str
  sample: "7710482911021331942"
timeline:
  description: Timeline of the cluster. Null in check mode when it would be created.
  returned: success
  type: int
  sample: 1
cluster_state:
  description: State of the cluster in the words of pg_controldata. Null in check mode when it would be created.
  returned: success
  type: str
  sample: shut down
standby:
  description: Whether the cluster is set up as a standby.
  returned: success
  type: bool
  sample: false
server_pid:
  description: Process of the server that runs in it. Null when none does.
  returned: success
  type: int
  sample: null
data_checksums:
  description: Whether its data pages have checksums. Null in check mode when it would be created.
  returned: success
  type: bool
  sample: true
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.create import Init
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.owner import as_owner
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.workflow import Look
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude


def as_result(before: DataDir, found: Look) -> dict[str, Any]:
    dest, plan = found.dest, found.plan
    return {
        "changed": plan.changed,
        "action": plan.action,
        "reason": plan.reason,
        "explanation": plan.sentence,
        "standby": dest.standby_signal,
        "server_pid": dest.server_pid,
        "system_identifier": dest.system_identifier,
        "timeline": dest.timeline,
        "cluster_state": dest.cluster_state,
        "data_checksums": dest.checksums if dest.valid else None,
        "diff": {
            "before": {"state": "cluster" if before.valid else "empty" if before.exists else "missing"},
            "after": {"state": "cluster"},
        },
    }


def run(module: AnsibleModule) -> dict[str, Any]:
    init = Init(module)
    found = init.reach()
    return as_result(init.first.dest, found)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "data_directory": {"type": "path", "required": True, "aliases": ["dest", "path", "pgdata"]},
            "bin_dir": {"type": "path"},
            "locale": {"type": "str", "default": "en_US.UTF-8"},
            "encoding": {"type": "str", "default": "UTF8"},
            "data_checksums": {"type": "bool", "default": True},
            "superuser": {"type": "str", "default": "postgres"},
            "auth_local": {"type": "str", "default": "peer"},
            "auth_host": {"type": "str", "default": "scram-sha-256"},
            "wal_dir": {"type": "path"},
            "wal_segment_size": {"type": "int"},
        },
        supports_check_mode=True,
    )
    conclude(module, as_owner()(run))


if __name__ == "__main__":
    main()
