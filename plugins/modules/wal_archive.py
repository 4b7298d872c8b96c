#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: wal_archive
short_description: Check that the archive has all WAL of a primary, wait for it, and fill it up after a failover
version_added: 1.0.0
description:
  - Compares what a primary has written with what the archive has, segment by segment along the server's own timelines, and the histories
    of the timelines with the server's. A gap ends every restore before it, and no program that archives, takes backups or verifies them
    notices one. Only counting the names does.
  - O(state=continuous) is a gate. It ends when the archive has everything up to the moment of the call, and fails with a code otherwise.
  - O(backfill=true) archives what a predecessor has left. When a primary dies, its last segments may not be archived, and the promoted
    standby has them, but holds them for archived, because they are of a timeline that was not its own.
  - Never deletes or overwrites a file of an archive.
options:
  state:
    description:
      - V(reported) only reads, and never fails for what it finds.
      - V(initialized) makes the repository for this cluster, where there is none. One that is another cluster's is refused with C(other_cluster).
      - V(continuous) waits until the archive has everything up to this moment and has no gap since the oldest backup that is kept, or
        since the first archived segment where there is no backup.
    type: str
    default: reported
    choices: [reported, initialized, continuous]
  switch:
    description: >-
      Whether O(state=continuous) ends the present segment (C(pg_switch_wal)), which would otherwise be archived when it is full, or after
      C(archive_timeout).
    type: bool
    default: true
  wait:
    description: Seconds that O(state=continuous) waits for what is still to come. What no waiting heals fails at once.
    type: float
    default: 60
  stale_after:
    description: Seconds after which WAL that nobody has archived is the finding C(archive_stale).
    type: float
    default: 300
  backfill:
    description:
      - Whether to archive finished segments and histories in C(pg_wal) that the archive lacks and that the server will not archive by itself.
        Only those of the server's own past are taken, never what lies beyond a fork on an older timeline.
      - Needs O(data_directory), on the machine of the server.
    type: bool
    default: false
  data_directory:
    description: Data directory of the server, where it is on this machine. With it RV(disk) is known, too.
    type: path
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.repository
  - pgfleet.cluster.attributes
notes:
  - The connection options lead to the primary. The role needs the rights of a superuser, or of C(pg_monitor) and on C(pg_read_file).
  - 'On failure RV(ignore:code) is one of C(archive_off), C(archive_nowhere), C(archive_placeholder), C(archive_failing), C(archive_stuck),
    C(archive_stale), C(archive_gap), C(history_differs), C(archive_conflict), C(other_cluster), C(repository_missing), C(repository_unreachable),
    C(repository_full), C(repository_cipher), C(repository_config), C(repository_damaged), C(repository_failed), C(not_permitted), C(busy),
    C(wrong_role), C(run_as_root), C(programs_missing), C(invalid_input), C(os_error), or one of those of a login that was refused.'
seealso:
  - module: pgfleet.cluster.backup
  - module: pgfleet.cluster.backup_info
  - name: Continuous Archiving in the PostgreSQL manual
    description: What an archive is for.
    link: https://www.postgresql.org/docs/current/continuous-archiving.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Make the stanza
  pgfleet.cluster.wal_archive:
    stanza: shop
    config_file: /etc/pgbackrest/shop.conf
    state: initialized
  become: true
  become_user: postgres

- name: Wait until the archive has everything
  pgfleet.cluster.wal_archive:
    stanza: shop
    config_file: /etc/pgbackrest/shop.conf
    state: continuous
    wait: 120
  become: true
  become_user: postgres

- name: Archive what the former primary could not, after a failover
  pgfleet.cluster.wal_archive:
    provider: plain
    repository: /srv/backup/shop
    state: continuous
    backfill: true
    data_directory: /var/lib/postgresql/17/main
  become: true
  become_user: postgres
"""

RETURN = r"""
initialized:
  description: Whether the repository was made, or would be.
  returned: success, or when something is wrong
  type: bool
  sample: false
backfilled:
  description: Files that O(backfill) archived, or would.
  returned: success, or when something is wrong
  type: list
  elements: str
  sample: ["000000010000000000000004", "000000010000000000000005"]
server:
  description: The primary.
  returned: success, or when something is wrong
  type: dict
  sample: {address: "/tmp/s:20000", position: 0/6000000, system_identifier: "7714173973246797810", timeline: 1, version: 15}
archiving:
  description: What the server says of its archiver. RV(archiving.ready_files) wait for it; RV(archiving.failing_seconds) is null unless it fails.
  returned: success, or when something is wrong
  type: dict
  contains:
    mode: {description: The setting archive_mode., type: str, returned: always, sample: "on"}
    command: {description: The setting archive_command., type: str, returned: always, sample: pgbackrest --config=/b.conf --stanza=shop archive-push %p}
    library: {description: The setting archive_library., type: str, returned: always, sample: null}
    timeout: {description: The setting archive_timeout in seconds., type: int, returned: always, sample: 60}
    last_archived: {description: The file that was archived last., type: str, returned: always, sample: "000000010000000000000005"}
    last_archived_seconds: {description: Seconds since then., type: float, returned: always, sample: 1.2}
    archived_count: {description: Files archived since the statistics began., type: int, returned: always, sample: 5}
    failed_count: {description: Attempts that failed since then., type: int, returned: always, sample: 0}
    last_failed: {description: The file that could not be archived last., type: str, returned: always, sample: null}
    failing: {description: Whether the last attempt failed., type: bool, returned: always, sample: false}
    failing_seconds: {description: How long nothing has been archived., type: float, returned: always, sample: null}
    ready_files: {description: Files that wait., type: int, returned: always, sample: 0}
    ready_bytes: {description: Their bytes., type: int, returned: always, sample: 0}
repository:
  description: The provider, and the system identifier of the cluster that the repository is for; null where there is none.
  returned: success, or when something is wrong
  type: dict
  sample: {owner: "7714173973246797810", provider: pgbackrest}
archive:
  description: The segments of each timeline in the archive.
  returned: success, or when something is wrong
  type: list
  elements: dict
  sample: [{count: 5, first: "000000010000000000000001", last: "000000010000000000000005", timeline: 1}]
since:
  description: From where on the archive must have everything. Null for another cluster's repository.
  returned: success, or when something is wrong
  type: str
  sample: 0/1000000
gaps:
  description: What the archive lacks, and the server does not hold for archiving.
  returned: success, or when something is wrong
  type: list
  elements: dict
  sample: [{count: 2, first: "000000010000000000000003", last: "000000010000000000000004", timeline: 1}]
histories:
  description: >-
    Histories in the archive that are not the server's. RV(ignore:state) is V(differs), V(missing), or V(foreign) for a timeline that the server
    has never reached.
  returned: success, or when something is wrong
  type: list
  elements: dict
  sample: [{state: foreign, timeline: 7}]
disk:
  description: >-
    The file system of C(pg_wal). RV(ignore:hours_until_full) is at the rate at which WAL piles up that cannot be archived, null where none does.
    Null without O(data_directory).
  returned: success, or when something is wrong
  type: dict
  sample: {free_bytes: 21474836480, hours_until_full: null, path: /var/lib/postgresql/15/main/pg_wal, total_bytes: 42949672960}
rpo:
  description: What would be lost if only the archive were left, in bytes of WAL and in seconds since a file was archived last.
  returned: success, or when something is wrong
  type: dict
  sample: {bytes: 0, seconds: 0.0}
findings:
  description: What is wrong, each with its code, a sentence and the remedy.
  returned: success, or when something is wrong
  type: list
  elements: dict
  sample:
    - code: archive_gap
      count: 1
      message: >-
        The archive lacks 000000010000000000000003, and /tmp/s:20000 does not hold it for archiving any more.
      remedy: >-
        Where a server still has it in pg_wal, backfill: true archives it. Otherwise take a full backup: a restore ends before the gap.
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec, repository_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.gate import (
    CONTINUOUS,
    INITIALIZED,
    REPORTED,
    Gate,
    Wish,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.options import repository_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.permitted import permitted
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import connect, require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login


def argument_spec() -> dict[str, Any]:
    return connection_spec(
        **repository_spec(),
        state={"type": "str", "default": REPORTED, "choices": [REPORTED, INITIALIZED, CONTINUOUS]},
        switch={"type": "bool", "default": True},
        wait={"type": "float", "default": 60},
        stale_after={"type": "float", "default": 300},
        backfill={"type": "bool", "default": False},
        data_directory={"type": "path"},
    )


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    wish = Wish(
        data=params["data_directory"] or "",
        check=module.check_mode,
        **{name: params[name] for name in ("state", "switch", "wait", "stale_after", "backfill")},
    )
    repository = repository_of(params)
    with permitted(), connect(Login.from_params(params)) as session:
        gate = Gate(session, repository, wish)
        result = gate.as_result(gate.run())
    done = "\n".join([*(["repository initialized"] if result["initialized"] else []), *result["backfilled"]])
    return {**result, "diff": {"before": "", "after": f"{done}\n" if done else ""}}


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_if=[("backfill", True, ["data_directory"])],
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
