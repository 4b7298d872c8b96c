#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Take a backup of a cluster where one is due, and wait until it can be restored
version_added: 1.0.0
description:
  - Takes a backup, waits until the archive has all WAL from its start to its end, and only then lets old backups go.
  - A backup that nobody could restore from is never a base. After a gap in the archive, on another timeline than that of the newest set,
    and when that set has damaged pages, a full one is taken.
  - O(provider=plain) takes it with pg_basebackup beside its place, checks it with pg_verifybackup, and renames it. A run that was killed
    leaves nothing that looks like a backup, and the next one clears it away.
options:
  type:
    description:
      - V(full) has everything. V(diff) has what changed since the last full one, V(incr) since the last one. V(auto) is V(incr) where there is
        a base and the provider can, and V(full) otherwise.
      - Without pgBackRest, V(diff) and V(incr) need PostgreSQL 17 and its setting C(summarize_wal).
    type: str
    default: auto
    choices: [full, diff, incr, auto]
  max_age:
    description: >-
      Take one only when there is none of that type, or a fuller one, that is younger than this many seconds, can be restored, and has no
      gap in the archive behind it. Without it, every run takes one.
    type: float
  keep_full:
    description: >-
      Full backups to keep, with those that build on them. Older ones go, with the WAL that only they need, once the new one can be restored.
      Without it, nothing goes.
    type: int
  wait:
    description: Seconds to wait until the archive has the WAL of the backup.
    type: float
    default: 60
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.repository
  - pgfleet.cluster.attributes
notes:
  - The connection options lead to the primary; for O(provider=plain) they may lead to a standby. pg_basebackup logs in as the same role, which needs
    C(REPLICATION). pgBackRest logs in as its configuration file says.
  - 'On failure RV(ignore:code) is one of C(archive_stale), C(missing_feature), C(summarize_wal_off), C(no_backup), C(other_cluster),
    C(repository_missing), C(repository_unreachable), C(repository_full), C(repository_cipher), C(repository_config), C(repository_damaged),
    C(repository_failed), C(busy), C(verification_failed), C(version_mismatch), C(clone_failed), C(not_enough_space), C(not_permitted),
    C(run_as_root), C(programs_missing), C(invalid_input), C(os_error), or one of those of a login that was refused.'
seealso:
  - module: pgfleet.cluster.backup_info
  - module: pgfleet.cluster.wal_archive
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Take a full backup at least once a week, and keep two
  pgfleet.cluster.backup:
    stanza: shop
    config_file: /etc/pgbackrest/shop.conf
    type: full
    max_age: 604800
    keep_full: 2
  become: true
  become_user: postgres

- name: Take what is possible, now
  pgfleet.cluster.backup:
    provider: plain
    repository: /srv/backup/shop
    type: auto
  become: true
  become_user: postgres
"""

RETURN = r"""
type:
  description: What was taken, or would be. Null when nothing is due.
  returned: success
  type: str
  sample: full
reason:
  description: >-
    Why, as a stable code. V(wanted), V(young_enough) when nothing is due; V(no_parent), V(parent_unusable), V(missing_feature) or
    V(summarize_wal_off) when a full backup takes the place of another one.
  returned: success
  type: str
  sample: no_parent
explanation:
  description: The reason as a sentence.
  returned: success
  type: str
  sample: There is no backup that another one could build on.
parent:
  description: Label of the backup that it builds on.
  returned: success
  type: str
  sample: null
set:
  description: The backup that was taken, or the one that is young enough, as in RV(pgfleet.cluster.backup_info#module:sets). Null in check mode.
  returned: success
  type: dict
  sample:
    broken: false
    database_bytes: 22992525
    label: 20261201-033453F
    parent: null
    repository_bytes: 2822404
    server_version: "15"
    start_lsn: 0/2000028
    started: "2026-12-01T03:34:53Z"
    stop_lsn: 0/2000100
    stopped: "2026-12-01T03:34:55Z"
    system_identifier: "7714173973246797810"
    timeline: 1
    type: full
expired:
  description: Labels of the backups that went, or would go.
  returned: success
  type: list
  elements: str
  sample: []
restorable:
  description: Whether the archive has all WAL of RV(set). Null in check mode.
  returned: success
  type: bool
  sample: true
seconds:
  description: Seconds that taking it took. Null when nothing was taken.
  returned: success
  type: float
  sample: 2.8
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec, repository_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.options import repository_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.permitted import permitted
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.plan import AUTO
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.sets import DIFFERENTIAL, FULL, INCREMENTAL
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.taking import Due, take_due
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login


def argument_spec() -> dict[str, Any]:
    return connection_spec(
        **repository_spec(),
        type={"type": "str", "default": AUTO, "choices": [FULL, DIFFERENTIAL, INCREMENTAL, AUTO]},
        max_age={"type": "float"},
        keep_full={"type": "int"},
        wait={"type": "float", "default": 60},
    )


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    due = Due(params["type"], params["max_age"], params["keep_full"], params["wait"], module.check_mode)
    repository = repository_of(params)
    with permitted():
        result = take_due(repository, Login.from_params(params), due).as_result()
    after = [f"{result['type']} backup"] if result["type"] else []
    before = "".join(f"{label}\n" for label in result["expired"])
    return {**result, "diff": {"before": before, "after": "".join(f"{line}\n" for line in after)}}


def main() -> NoReturn:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
