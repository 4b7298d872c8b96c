#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: basebackup
short_description: Make a data directory a verified clone of a running PostgreSQL server
version_added: 1.0.0
description:
  - Makes a data directory a standby of a running server, or finds that it already is one. Starting the standby is left to others.
  - Decides from facts, which are the control file, the signal files, a live server process and what the source says over a
    replication connection (system identifier, timeline, timeline history, position), never from C(PG_VERSION).
  - A directory is kept when it is of the same system, is set up as a standby, and its WAL is a beginning of the source's,
    by the timelines and by the WAL itself, which is compared at its end and at the beginning of the timeline.
    It is cloned when it is missing or empty, also after an earlier run was interrupted.
    Everything else is refused with a code that names it, and replaced when O(force=true).
  - The clone is made in C(<data_directory>.incoming), verified against its manifest, flushed to disk, then renamed. A run that was killed at any
    moment is cleared away, or finished, by the next one; a finished clone is not made again. An earlier pg_basebackup dies with its module.
  - Before anything is changed, and in check mode, the module logs in for replication twice, as pg_basebackup will, and streams from O(slot) for a moment.
  - Source is the PostgreSQL manual, sections pg_basebackup, pg_verifybackup, pg_controldata and Streaming Replication Protocol.
options:
  data_directory:
    description:
      - Data directory of the standby. Its parent must be writable. The connection options lead to the server it is cloned from.
      - It must not be a mount point, because a clone cannot be renamed over one. Give a directory below it.
        The same is true for O(wal_dir), the tablespaces, and what takes the place of theirs in a directory that is replaced.
    type: path
    required: true
    aliases: [dest, path, pgdata]
  login_user:
    description: Role to log in as. It needs the REPLICATION attribute. The standby follows as this role, too.
    type: str
    default: replicator
    aliases: [login]
  login_password:
    description:
      - Password of O(login_user). Never put on a command line, never logged.
      - Together with O(passfile) it is written there. Alone it serves the clone only, from a file in memory, and the standby needs another way to log in.
    type: str
    default: ""
  passfile:
    description:
      - Password file (libpq C(.pgpass)) of the standby, put into C(primary_conninfo).
      - With O(login_password) the module makes sure that it has the password and the mode 0600, also when the directory is kept.
        Without, it must be there.
    type: path
  slot:
    description:
      - Physical replication slot of the standby. It must exist (M(pgfleet.cluster.replication_slot) creates it) and must not be in use.
      - WAL is streamed through it during the copy, and C(primary_slot_name) is set to it, so nothing is lost until the standby starts.
    type: str
  application_name:
    description: Name of the standby in C(pg_stat_replication) and C(synchronous_standby_names), put into C(primary_conninfo).
    type: str
  upstream:
    description:
      - Where the standby gets its WAL from, once it runs. V(stream) follows the server that it is cloned from, and reads the archive where
        C(restore_command) is set and WAL is missing.
      - V(archive) follows no server, so that all WAL comes by C(restore_command), which must be set elsewhere. C(primary_conninfo) and
        C(primary_slot_name) are emptied. It is cloned in the same way, but without O(slot).
    type: str
    default: stream
    choices: [stream, archive]
  bin_dir:
    description: Directory of pg_basebackup and its companions. Without it, that of the source's major version is looked for.
    type: path
  checkpoint:
    description: Whether the source writes its checkpoint at once, or spread over time, which may take minutes.
    type: str
    default: fast
    choices: [fast, spread]
  wal_method:
    description: How the WAL written during the copy is brought along. V(stream) needs two free WAL senders. V(none) relies on O(slot) or an archive.
    type: str
    default: stream
    choices: [stream, fetch, none]
  max_rate:
    description: Greatest transfer rate, in kB/s, or with the suffix V(k) or V(M).
    type: str
  compression:
    description:
      - Compression by the server of what goes over the network, V(server-gzip), V(server-lz4) or V(server-zstd), optionally with a level as in
        V(server-zstd:3). Needs PostgreSQL 15. The data directory itself is not compressed.
    type: str
  manifest_checksums:
    description: Algorithm of the checksums in the manifest.
    type: str
    default: CRC32C
    choices: [NONE, CRC32C, SHA224, SHA256, SHA384, SHA512]
  wal_dir:
    description:
      - Directory for the WAL, outside of O(data_directory), which then has a link to it.
      - Without it, a directory that is replaced keeps its layout. WAL that is outside of it stays there, as tablespaces do. The old
        WAL directory is set aside beside it under the same dated name. A new directory has its WAL inside.
    type: path
  tablespace_mapping:
    description:
      - Directories of the source's tablespaces and where they go here. Those that are not named keep their paths.
      - Name them all, to themselves where need be. Only for named ones an interrupted clone can be cleared away.
      - Tablespaces of a directory that is replaced keep their places. To give up one that is not at the path it has on the source,
        name its present directory as well.
    type: dict
    default: {}
  verify:
    description: Whether to check every file against the manifest, and that the WAL can be read, before the clone is put into place.
    type: bool
    default: true
  force:
    description:
      - Replace a directory that would be refused. It is set aside as C(<data_directory>.replaced-YYYYMMDDTHHMMSSZ).
      - Does not help against a running server, a mount point or programs of another version.
    type: bool
    default: false
  rebuild:
    description:
      - Replace also a directory that would be kept, for example of a standby whose slot is lost. Every run with it clones again.
    type: bool
    default: false
  on_running:
    description:
      - What to do when a server runs in O(data_directory). V(refuse) ends with C(server_running).
      - V(rehearse), in check mode only, judges the clone as if that server were stopped, so that what would stop the clone is known
        before the server is stopped. The login is proven, but no WAL is streamed, because the server holds its slot.
    type: str
    default: refuse
    choices: [refuse, rehearse]
  keep_replaced:
    description: Whether the replaced directory is kept under its dated name. If not, it is deleted once the clone is in place.
    type: bool
    default: true
  source_size:
    description:
      - Bytes of the source's databases and tablespaces, if known, compared with the free space before anything is changed.
      - The size that pg_basebackup itself announces at its start is compared in any case, and the copy ended when it does not fit.
    type: int
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
notes:
  - Run the task as the operating-system user of the server (C(become_user)), never as root.
  - While a clone is made, C(<data_directory>.incoming.pgfleet) notes what is being made and C(<data_directory>.incoming.lock) keeps a second run away.
  - O(login_db) is not used.
  - 'On failure RV(ignore:code) is one of C(no_hba_entry), C(wrong_password), C(not_replication_role), C(role_missing), C(no_free_wal_sender), C(unreachable),
    C(slot_missing), C(slot_active), C(slot_mismatch), C(slot_lost), C(passfile_missing), C(passfile_mode), C(not_enough_space),
    C(server_running), C(other_system), C(former_primary), C(diverged), C(other_history), C(not_a_standby), C(foreign_files), C(unfinished_copy),
    C(unreadable_control_file), C(version_mismatch), C(mount_point), C(not_a_directory), C(not_empty), C(incoming_foreign), C(dest_appeared),
    C(busy), C(verification_failed), C(source_corrupt), C(clone_failed), C(programs_missing), C(missing_feature), C(invalid_input), C(run_as_root),
    C(not_permitted), C(not_readable), C(os_error).'
seealso:
  - module: pgfleet.cluster.replication_slot
  - module: pgfleet.cluster.initdb
  - name: pg_basebackup in the PostgreSQL manual
    description: The program that copies.
    link: https://www.postgresql.org/docs/current/app-pgbasebackup.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Clone the primary, ready to follow it through its own slot
  pgfleet.cluster.basebackup:
    data_directory: /var/lib/postgresql/17/main
    login_host: primary
    login_password: "{{ replicator_password }}"
    passfile: /var/lib/postgresql/.pgpass
    slot: node1_slot
    application_name: node1
  become: true
  become_user: postgres

- name: Rebuild a former primary, its old data set aside
  pgfleet.cluster.basebackup:
    data_directory: /var/lib/postgresql/17/main
    login_host: node1
    passfile: /var/lib/postgresql/.pgpass
    slot: primary_slot
    force: true
  become: true
  become_user: postgres

- name: Over a thin line, with the WAL and a tablespace on disks of their own
  pgfleet.cluster.basebackup:
    data_directory: /var/lib/postgresql/17/main
    login_host: primary
    passfile: /var/lib/postgresql/.pgpass
    slot: node3_slot
    compression: server-zstd
    max_rate: 50M
    wal_dir: /srv/wal/main
    tablespace_mapping:
      /srv/ts/history: /srv/slow/history
  become: true
  become_user: postgres
"""

RETURN = r"""
action:
  description: What was done, or would be. One of V(kept), V(cloned) and V(replaced).
  returned: success
  type: str
  sample: cloned
reason:
  description:
    - Why, as a stable code. V(is_standby) with V(kept). V(missing), V(empty), V(unfinished_clone) or V(finish_swap) with V(cloned).
      V(rebuild), V(finish_swap) or the code of the refusal that O(force) overruled with V(replaced).
  returned: success
  type: str
  sample: missing
explanation:
  description: The reason as a sentence.
  returned: success
  type: str
  sample: "'/var/lib/postgresql/15/node1' does not exist."
system_identifier:
  description: System identifier of the source, and so of the clone.
  returned: success
  type: str
  sample: "7710473686492966654"
timeline:
  description: Timeline of the directory; in check mode, when it would be cloned, that of the source.
  returned: success
  type: int
  sample: 1
start_lsn:
  description: Where the WAL that the clone needs begins. Null when nothing was copied.
  returned: success
  type: str
  sample: 0/2000028
end_lsn:
  description: The position at which the clone is consistent. Null when nothing was copied.
  returned: success
  type: str
  sample: 0/2000100
bytes:
  description: Bytes of the files that were copied, without WAL. Null when nothing was copied.
  returned: success
  type: int
  sample: 23499776
seconds:
  description: Seconds that copying and flushing to disk took. Null when nothing was copied.
  returned: success
  type: float
  sample: 0.18
mb_per_s:
  description: Megabytes (of 1000000 bytes) copied in a second. Null when nothing was copied.
  returned: success
  type: float
  sample: 129.8
verify_seconds:
  description: Seconds that verification took. Null when nothing was verified.
  returned: success
  type: float
  sample: 0.03
replaced_path:
  description: Where the replaced directory has been kept. Null when there is none.
  returned: success
  type: str
  sample: /var/lib/postgresql/15/node1.replaced-20260521T041507Z
wal_dir:
  description: Directory of the WAL, where it is, or would be, outside of O(data_directory). Null when it is inside.
  returned: success
  type: str
  sample: /srv/wal/main
recovery_changed:
  description: Whether C(primary_conninfo) or C(primary_slot_name) of a kept directory was changed. A running standby must then be reloaded.
  returned: success
  type: bool
  sample: false
passfile_changed:
  description: Whether the password was written to O(passfile).
  returned: success
  type: bool
  sample: true
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import following_spec, upstream_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._clone.workflow import Clone, CloneLook, Done
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.around import Finished
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.owner import as_owner
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.recovery import shown_settings
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import read_settings

NO_COPY = dict.fromkeys(("bytes", "seconds", "mb_per_s", "start_lsn", "end_lsn"))


def argument_spec() -> dict[str, Any]:
    return following_spec(
        data_directory={"type": "path", "required": True, "aliases": ["dest", "path", "pgdata"]},
        bin_dir={"type": "path"},
        checkpoint={"type": "str", "default": "fast", "choices": ["fast", "spread"]},
        wal_method={"type": "str", "default": "stream", "choices": ["stream", "fetch", "none"]},
        max_rate={"type": "str"},
        compression={"type": "str"},
        manifest_checksums={
            "type": "str",
            "default": "CRC32C",
            "choices": ["NONE", "CRC32C", "SHA224", "SHA256", "SHA384", "SHA512"],
        },
        wal_dir={"type": "path"},
        tablespace_mapping={"type": "dict", "default": {}},
        verify={"type": "bool", "default": True},
        force={"type": "bool", "default": False},
        rebuild={"type": "bool", "default": False},
        on_running={"type": "str", "default": "refuse", "choices": ["refuse", "rehearse"]},
        keep_replaced={"type": "bool", "default": True},
        source_size={"type": "int"},
        **upstream_spec(),
    )


def as_result(clone: Clone, look: CloneLook, needed: dict[str, str]) -> dict[str, Any]:
    plan, done = look.plan, look.done
    kept = not plan.changed or isinstance(done, Finished)
    copied = done.copied.as_result() if isinstance(done, Done) else NO_COPY
    after = clone.settings_after(look)
    return {
        "changed": plan.changed or bool(needed),
        "action": plan.action,
        "reason": plan.reason,
        "explanation": plan.sentence,
        "system_identifier": look.source.system_identifier,
        "timeline": look.dest.timeline if kept else look.source.timeline,
        **copied,
        "verify_seconds": done.verify_seconds if isinstance(done, Done) else None,
        "replaced_path": done.replaced_path if done else None,
        "wal_dir": (look.wal_dir if kept else look.wal_dir_after) or None,
        "recovery_changed": bool(needed),
        "diff": {
            "before": {"state": plan.reason, **_wal(look.wal_dir), **shown_settings(read_settings(look.auto_conf))},
            "after": {
                "state": "is_standby",
                **_wal(look.wal_dir if kept else look.wal_dir_after),
                **shown_settings(after),
            },
        },
    }


def _wal(path: str) -> dict[str, str]:
    return {"pg_wal": path} if path else {}


def run(module: AnsibleModule) -> dict[str, Any]:
    if module.params["on_running"] == "rehearse" and not module.check_mode:
        raise InvalidInput(
            "on_running: rehearse clones nothing.",
            "Use it in check mode (check_mode: true on the task), or leave it out.",
        )
    clone = Clone(module)
    passfile = clone.passfile_text
    look = clone.reach()
    needed = {} if look.plan.changed else clone.needed_recovery(look)
    if not module.check_mode:
        clone.save_passfile(passfile)
        clone.save_recovery(look, needed)
    result = as_result(clone, look, needed)
    return {**result, "passfile_changed": passfile is not None, "changed": result["changed"] or passfile is not None}


def main() -> NoReturn:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    require_psycopg2(module)
    conclude(module, as_owner()(run))


if __name__ == "__main__":
    main()
