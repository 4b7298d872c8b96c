#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List the backups of a cluster, and the times to which it can be restored
version_added: 1.0.0
description:
  - Reads the sets of a repository and counts the WAL behind each of them. A set leads as far as the archive has every segment of the
    server's timelines; a gap ends the range, and the next set begins another one.
  - A damaged set, one of an abandoned timeline, and one whose own WAL is not whole lead nowhere.
options:
  lineage:
    description: >-
      Whose timelines count. V(server) are those of the server that the connection options lead to; V(archive) are those of the newest
      timeline in the archive, which serves when no server is left.
    type: str
    default: server
    choices: [server, archive]
  max_age:
    description: Seconds after which the newest set is the finding C(backup_too_old).
    type: float
  keep_full:
    description: Compute the ranges as if M(pgfleet.cluster.backup) with this value had just let old sets go.
    type: int
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.repository
  - pgfleet.cluster.attributes.read_only
notes:
  - 'On failure RV(ignore:code) is one of C(other_cluster), C(repository_missing), C(repository_unreachable), C(repository_cipher), C(repository_config),
    C(repository_damaged), C(repository_failed), C(not_permitted), C(run_as_root), C(programs_missing), C(invalid_input), C(os_error), or one of those
    of a login that was refused. Findings are C(no_backup), C(backup_too_old), C(archive_gap) and C(backup_broken).'
seealso:
  - module: pgfleet.cluster.backup
  - module: pgfleet.cluster.wal_archive
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: List the backups
  pgfleet.cluster.backup_info:
    stanza: shop
    config_file: /etc/pgbackrest/shop.conf
    max_age: 90000
  become: true
  become_user: postgres

- name: See what is left when every server is gone
  pgfleet.cluster.backup_info:
    provider: plain
    repository: /srv/backup/shop
    lineage: archive
  become: true
  become_user: postgres
"""

RETURN = r"""
owner:
  description: System identifier of the cluster that the repository is for.
  returned: success
  type: str
  sample: "7714173973246797810"
sets:
  description: All backups, the oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - broken: false
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
windows:
  description: >-
    Ranges to which the cluster can be restored, the oldest first. RV(windows[].earliest) is the end of the first set; RV(windows[].open) means
    that the archive has no gap from there to now.
  returned: success
  type: list
  elements: dict
  contains:
    earliest: {description: The first time., type: str, returned: always, sample: "2026-12-01T03:34:55Z"}
    earliest_lsn: {description: The first position., type: str, returned: always, sample: 0/2000100}
    latest_lsn: {description: Up to where the archive has the WAL., type: str, returned: always, sample: 0/6000000}
    open: {description: Whether it goes to the newest WAL of the archive., type: bool, returned: always, sample: true}
    labels: {description: The sets in it., type: list, elements: str, returned: always, sample: [20261201-033453F]}
window:
  description: The last of RV(windows) that is open; null where there is none.
  returned: success
  type: dict
  sample:
    earliest: "2026-12-01T03:34:55Z"
    earliest_lsn: 0/2000100
    labels: [20261201-033453F]
    latest_lsn: 0/6000000
    open: true
last:
  description: Seconds since the newest set that can be restored, of any type and of the type full; null where there is none.
  returned: success
  type: dict
  sample: {any: 12.1, full: 12.1}
repository_bytes:
  description: Bytes of all sets in the repository, without the WAL.
  returned: success
  type: int
  sample: 2822404
findings:
  description: What is wrong, each with its code, a sentence and the remedy.
  returned: success
  type: list
  elements: dict
  sample:
    - code: no_backup
      message: There is no backup that can be restored.
      remedy: Take one (backup).
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec, repository_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.inventory import look
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.options import repository_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.permitted import permitted
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login


def argument_spec() -> dict[str, Any]:
    return connection_spec(
        **repository_spec(),
        lineage={"type": "str", "default": "server", "choices": ["server", "archive"]},
        max_age={"type": "float"},
        keep_full={"type": "int"},
    )


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    repository = repository_of(params)
    login = Login.from_params(params) if params["lineage"] == "server" else None
    with permitted():
        found = look(repository, login, params["max_age"], params["keep_full"])
    return {"changed": False, **found.as_result()}


def main() -> NoReturn:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
