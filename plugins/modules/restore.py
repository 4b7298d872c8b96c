#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Restore a backup into a directory of its own, and recover it to a point in time
version_added: 1.1.0
description:
  - Lays out a backup set in a directory that is empty or not there, recovers it with the WAL of the archive to O(target), waits for the
    B(end) of the recovery, and returns what was reached as the server itself says it. It never writes into a directory that has anything in it.
  - With O(mode=side) it starts a server there that nobody but its owner can reach (by its socket), that feeds no archive and no standby, runs no jobs and
    takes no subscription, so the living cluster does not notice it. It has at least the limits of its origin (C(max_connections) and the like).
  - The set is the newest whole one of the wanted history that ends before O(target). What can be known beforehand is refused before anything is made,
    in check mode too. That is a target in the future or before the oldest set, WAL that is missing, another cluster or version, too little space.
  - The timeline is never PostgreSQL's own choice, which is the highest number in the archive, be it that of a node that was promoted by mistake.
  - The directory is made in C(<data_directory>.incoming), compared with its checksums, flushed to disk, then renamed. A run that was killed at any moment
    is cleared away, or finished, by the next one. A note in the directory says that it is ours, of which set, and what was reached.
  - Source is the PostgreSQL manual, sections Recovering Using a Continuous Archive Backup, Recovery Target and Timelines.
options:
  data_directory:
    description: Directory to restore into. It must be empty or not there, unless it is of an earlier run with the same set, target and timeline.
    type: path
    required: true
    aliases: [dest, path, pgdata]
  state:
    description:
      - V(present) restores, or goes on with what an earlier run has begun. A side server that is stopped is started.
      - V(absent) stops the side server and removes its directory and tablespaces. Any other directory is refused.
    type: str
    default: present
    choices: [present, absent]
  mode:
    description:
      - V(side) recovers in a server beside the living one. It keeps running.
      - V(files) lays out the directory with C(recovery.signal), and writes the settings of the recovery to C(postgresql.auto.conf), whose
        other lines stay. Others start the server. Once it runs, a second run waits for the end of its recovery, and takes the target out of
        its settings, where a later standby would stop.
      - V(standby) lays out a standby with C(standby.signal), C(restore_command) and the connection options to its upstream server. Others start it.
        Nothing is read on the primary.
    type: str
    default: side
    choices: [side, files, standby]
  prepared:
    description:
      - Directory that was restored beside O(data_directory) with the same target. It was recovered there with O(mode=side) and O(action=shutdown)
        where O(mode=files), or laid out there with O(mode=standby). It takes the place of O(data_directory), which is set aside as
        C(<data_directory>.replaced-<time>), and waits for its start.
      - Nothing is copied, so both must be on one file system. No server may run in either.
    type: path
  set:
    description: Label of the backup to begin with, as M(pgfleet.cluster.backup_info) lists them. V(auto) chooses.
    type: str
    default: auto
  target_type:
    description:
      - What O(target) is. V(latest) is the end of the archive, V(immediate) the end of the backup.
      - Of V(name) and V(xid) nobody knows when they were, so the newest set is taken. Name an older O(set) for an older target.
    type: str
    default: latest
    choices: [latest, time, lsn, name, xid, immediate]
  target:
    description:
      - Where to end. A time needs C(Z) or its offset from UTC, such as V(2026-05-21T14:05:00+02:00). A name is that of C(pg_create_restore_point).
    type: str
    default: ""
  inclusive:
    description: Whether the transaction, or record, at the target is recovered too. Of a V(name) it always is.
    type: bool
    default: true
  timeline:
    description:
      - The timeline to recover along, that of the server that is in production. It may be left out only where the archive has one history.
    type: int
  action:
    description: What happens at the target. A paused side server is promoted later by a run with V(promote). V(latest) can only be promoted.
    type: str
    default: promote
    choices: [promote, pause, shutdown]
  system_identifier:
    description: System identifier that the set must have.
    type: str
  server_port:
    description: Port of the side server, which is but a part of its socket's name.
    type: int
    default: 5432
  socket_directory:
    description: Directory of the side server's socket. By default it is O(data_directory) itself.
    type: path
  superuser:
    description: The cluster's superuser. The owner of the directory may log in as this role at the side server.
    type: str
    default: postgres
  settings:
    description:
      - Settings of the side server, such as C(shared_buffers) or C(shared_preload_libraries). Libraries that this machine lacks are left out with a warning.
        What sets the server apart cannot be changed.
    type: dict
    default: {}
  recovery_timeout:
    description: Seconds to wait for the end of the recovery. It goes on when they are over, and the next run waits again.
    type: int
    default: 3600
  keep:
    description: Whether the directory stays when its recovery fails. The server is stopped in any case.
    type: bool
    default: true
  tablespace_mapping:
    description:
      - Directories of the tablespaces in the set and where they go here. With O(mode=side) all of them must be named.
        With the other modes those that are not named keep their paths.
    type: dict
    default: {}
  wal_segment_size:
    description: Size of the cluster's WAL segments in MB.
    type: int
    default: 16
  verify:
    description: Whether to compare every file with the manifest of the backup, where it has one. pgBackRest compares checksums in any case.
    type: bool
    default: true
extends_documentation_fragment:
  - pgfleet.cluster.repository
  - pgfleet.cluster.following
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
notes:
  - The connection options are those of a standby to its upstream server. They are used with O(mode=standby) only.
  - 'On failure RV(ignore:code) is one of C(not_empty), C(live_directory), C(not_a_directory), C(other_restore), C(already_promoted), C(not_a_side_directory),
    C(no_backup), C(set_missing), C(set_broken), C(target_before_backup), C(target_not_reached), C(archive_gap), C(timeline_ambiguous), C(timeline_missing),
    C(other_timeline), C(other_cluster),
    C(other_system), C(not_prepared), C(version_mismatch), C(not_enough_space), C(tablespace_unmapped), C(port_in_use), C(recovery_failed),
    C(recovery_unfinished), C(promotion_unfinished), C(origin_limits), C(verification_failed), C(mount_point), C(incoming_foreign),
    C(dest_appeared), C(server_running), C(busy), C(repository_failed), C(programs_missing), C(invalid_input), C(run_as_root), C(not_permitted), C(os_error).'
seealso:
  - module: pgfleet.cluster.basebackup
  - name: Point-in-time recovery in the PostgreSQL manual
    description: What the server does.
    link: https://www.postgresql.org/docs/current/continuous-archiving.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Restore to the moment before a mistake, beside the living server
  pgfleet.cluster.restore:
    provider: plain
    repository: /srv/backup/main
    data_directory: /var/lib/postgresql/15/rescue
    target_type: time
    target: "2026-05-21 14:05:00+02:00"
    timeline: 1
  become: true
  become_user: postgres
  register: rescue

- name: Look first, then promote
  pgfleet.cluster.restore:
    provider: pgbackrest
    stanza: main
    config_file: /etc/pgbackrest/main.conf
    data_directory: /var/lib/postgresql/15/rescue
    target_type: lsn
    target: 0/5A000148
    timeline: 2
    action: pause
  become: true
  become_user: postgres

- name: Remove the side server and its directory
  pgfleet.cluster.restore:
    provider: plain
    repository: /srv/backup/main
    data_directory: /var/lib/postgresql/15/rescue
    state: absent
  become: true
  become_user: postgres

- name: Make a standby without reading from the primary
  pgfleet.cluster.restore:
    provider: pgbackrest
    stanza: main
    config_file: /etc/pgbackrest/main.conf
    data_directory: /var/lib/postgresql/15/main
    mode: standby
    timeline: 2
    login_host: node1
    passfile: /var/lib/postgresql/.pgpass
    slot: node3_slot
    application_name: node3
  become: true
  become_user: postgres
"""

RETURN = r"""
action:
  description: What was done, or would be. One of V(kept), V(restored), V(recovered), V(started), V(promoted), V(stopped), V(removed) and V(replaced).
  returned: success
  type: str
  sample: restored
reason:
  description:
    - Why, as a stable code. V(missing), V(empty), V(unfinished_restore) or V(finish_swap) with V(restored). V(unfinished_recovery) or V(not_seen_recovered)
      with V(recovered). V(paused) or V(not_promoted) with V(promoted). V(is_restored) or V(not_started) with V(kept).
  returned: success
  type: str
  sample: missing
explanation:
  description: The reason as a sentence.
  returned: success
  type: str
  sample: "'/var/lib/postgresql/15/rescue' does not exist."
set:
  description: The backup that is, or would be, restored, as M(pgfleet.cluster.backup_info) describes it. Null when there is none.
  returned: success
  type: dict
  sample:
    label: 20261201T041444Z-full
    type: full
    parent: null
    started: "2026-12-01T04:14:44.628710Z"
    stopped: "2026-12-01T04:14:48.691027Z"
    start_lsn: 0/2000028
    stop_lsn: 0/2000100
    timeline: 1
    system_identifier: "7714184215132068598"
    server_version: "15"
    database_bytes: 22602093
    repository_bytes: 39927401
    broken: false
target:
  description: The target, its value as the server reads it.
  returned: success
  type: dict
  sample: {"type": "lsn", "value": "0/3004098", "inclusive": true}
timeline:
  description: The timeline that the recovery goes along. Null when there is none.
  returned: success
  type: int
  sample: 1
system_identifier:
  description: System identifier of the set. Null when there is none.
  returned: success
  type: str
  sample: "7714184215132068598"
reached:
  description:
    - Where the recovery ended. C(lsn) is the end of the last record that was replayed, C(time) when the last transaction was committed, C(timeline) that of the
      server now, C(state) V(promoted), V(paused) or V(shut_down).
    - Null until that was seen. C(time) is null where no transaction was replayed, and after V(shutdown).
  returned: success
  type: dict
  sample: {"lsn": "0/30040E0", "time": "2026-12-01T04:14:49.582357Z", "timeline": 2, "state": "promoted"}
doubt:
  description: A WAL segment that the archive lacks, and of which nobody knows whether the target lies behind it. Null when nothing is missing.
  returned: success
  type: str
  sample: null
mode:
  description: What the directory is for.
  returned: success
  type: str
  sample: side
server_pid:
  description: Process of the server that runs there. Null when none does.
  returned: success
  type: int
  sample: 597
server_port:
  description: Port of the side server. Null with the other modes.
  returned: success
  type: int
  sample: 5432
socket_directory:
  description: Directory of the side server's socket. Null with the other modes.
  returned: success
  type: str
  sample: /var/lib/postgresql/15/rescue
replaced_path:
  description: Where the directory is kept that O(prepared) has taken the place of. Null when there was none.
  returned: success
  type: str
  sample: /var/lib/postgresql/15/main.replaced-20261201T040211Z
seconds:
  description: Seconds that laying out, verifying and flushing took. Null when nothing was laid out.
  returned: success
  type: float
  sample: 1.97
recovery_seconds:
  description: Seconds until the end of the recovery was seen. Null when nothing was waited for.
  returned: success
  type: float
  sample: 0.69
recovery_changed:
  description: Whether C(primary_conninfo) or C(primary_slot_name) of a kept standby was changed. A running one must then be reloaded.
  returned: success
  type: bool
  sample: false
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import following_spec, repository_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.options import repository_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.owner import as_owner
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.note import MODES
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.report import as_result
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.settings import ACTIONS
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.target import TYPES
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.workflow import Restore


def argument_spec() -> dict[str, Any]:
    return following_spec(
        **repository_spec(),
        data_directory={"type": "path", "required": True, "aliases": ["dest", "path", "pgdata"]},
        state={"type": "str", "default": "present", "choices": ["present", "absent"]},
        mode={"type": "str", "default": "side", "choices": list(MODES)},
        prepared={"type": "path"},
        set={"type": "str", "default": "auto"},
        target_type={"type": "str", "default": "latest", "choices": list(TYPES)},
        target={"type": "str", "default": ""},
        inclusive={"type": "bool", "default": True},
        timeline={"type": "int"},
        action={"type": "str", "default": "promote", "choices": list(ACTIONS)},
        system_identifier={"type": "str"},
        server_port={"type": "int", "default": 5432},
        socket_directory={"type": "path"},
        superuser={"type": "str", "default": "postgres"},
        settings={"type": "dict", "default": {}},
        recovery_timeout={"type": "int", "default": 3600},
        keep={"type": "bool", "default": True},
        tablespace_mapping={"type": "dict", "default": {}},
        wal_segment_size={"type": "int", "default": 16},
        verify={"type": "bool", "default": True},
    )


def run(module: AnsibleModule) -> dict[str, Any]:
    restore = Restore(module, repository_of(module.params))
    look = restore.reach()
    needed = restore.needed_recovery(look)
    if not module.check_mode:
        restore.save_recovery(needed)
    return as_result(restore.first, look, restore.wanted, needed)


def main() -> NoReturn:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    require_psycopg2(module)
    conclude(module, as_owner()(run))


if __name__ == "__main__":
    main()
