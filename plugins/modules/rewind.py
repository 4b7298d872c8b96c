#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: rewind
short_description: Bring a former primary back as a standby, by pg_rewind where that is needed and possible
version_added: 1.0.0
description:
  - Decides from the control file, the timeline histories and the WAL whether a rewind is not needed, possible or impossible, and says why.
    A primary that was shut down cleanly before the other one left its timeline needs none.
  - What the directory has committed and the source has not is read from its WAL and returned in RV(diverged) before anything is overwritten,
    in check mode too. It is lost by the rewind.
  - A crashed server first recovers in single-user mode, then C(pg_rewind --dry-run) finds out whether the WAL that is needed is there.
    Only then the directory is changed.
  - The number of a timeline proves nothing, for two servers that are promoted at one position take the same one. So the WAL itself is
    compared with that of the source, at its end and at the beginning of the timeline. Where it differs, or is needed and gone, a rewind
    is impossible. A directory whose server has a C(restore_command) is not called impossible for WAL that the source has no more.
  - The plan is made again under a lock. Two runs at once do not rewind twice.
  - Afterwards the directory is set up as a standby, as M(pgfleet.cluster.basebackup) does. Starting it is left to others.
  - While pg_rewind writes, C(<data_directory>.rewind.pgfleet) notes it. A directory whose rewind was interrupted is in no known state, so the next run calls
    it impossible; when only the settings were missing, it finishes them.
  - Source is the PostgreSQL manual, sections pg_rewind, pg_waldump and Timelines.
options:
  data_directory:
    description: Data directory of the former primary. Its server must be stopped.
    type: path
    required: true
    aliases: [dest, path, pgdata]
  upstream:
    description:
      - Where the standby gets its WAL from, once it runs. V(stream) follows the server at the connection options.
      - V(archive) follows no server. C(primary_conninfo) and C(primary_slot_name) are emptied, and C(restore_command) must be set elsewhere.
    type: str
    default: stream
    choices: [stream, archive]
  rewind_user:
    description:
      - Role that pg_rewind logs in as, to O(login_db). It must be a superuser or be allowed to execute C(pg_ls_dir), C(pg_stat_file)
        and C(pg_read_binary_file).
      - Empty means O(login_user). Check mode rehearses pg_rewind only with it.
    type: str
    default: ""
  rewind_password:
    description: Password of O(rewind_user). Handed over in a file that has no name. Empty means that libpq finds it, or that none is needed.
    type: str
    default: ""
  rewind_ssl_cert:
    description: File with the certificate that O(rewind_user) shows; O(ssl_cert) is that of O(login_user). Without it pg_rewind shows that one.
    type: path
  rewind_ssl_key:
    description: File with the private key of O(rewind_ssl_cert).
    type: path
  on_impossible:
    description: Whether an impossible rewind is a failure, or only reported in RV(action).
    type: str
    default: fail
    choices: [fail, report]
  config_file:
    description: The server's main configuration file, where that is not in the data directory. Recovery needs it.
    type: path
  bin_dir:
    description: Directory of the server's programs. Without it, that of the source's major version is looked for.
    type: path
  login_db:
    description: Database that pg_rewind connects to.
    type: str
    default: postgres
extends_documentation_fragment:
  - pgfleet.cluster.following
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
notes:
  - A source that was promoted a moment ago must have made a checkpoint since.
seealso:
  - module: pgfleet.cluster.basebackup
  - module: pgfleet.cluster.demote
  - name: pg_rewind in the PostgreSQL manual
    description: The program that rewinds.
    link: https://www.postgresql.org/docs/current/app-pgrewind.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: See what a rewind would lose
  pgfleet.cluster.rewind:
    data_directory: /var/lib/postgresql/17/main
    login_host: node1
    passfile: /var/lib/postgresql/.pgpass
  become: true
  become_user: postgres
  check_mode: true
  register: seen

- name: Bring the former primary back
  pgfleet.cluster.rewind:
    data_directory: /var/lib/postgresql/17/main
    config_file: /etc/postgresql/17/main/postgresql.conf
    login_host: node1
    passfile: /var/lib/postgresql/.pgpass
    slot: primary_slot
    application_name: primary
    rewind_user: rewinder
    rewind_password: "{{ rewind_password }}"
  become: true
  become_user: postgres
"""

RETURN = r"""
action:
  description: What was done, or would be. One of V(kept) (is a standby), V(followed) (needs no rewind), V(rewound) and V(impossible).
  returned: success
  type: str
  sample: rewound
reason:
  description:
    - Why, as a stable code. V(is_standby), V(not_needed), V(diverged) or V(finish).
    - With V(impossible) one of V(interrupted), V(nothing_there), V(no_hints), V(no_common_timeline), V(standby_crashed), V(wal_gone),
      V(other_history)
      and the codes of M(pgfleet.cluster.basebackup) for what is not a cluster.
  returned: success
  type: str
  sample: diverged
explanation:
  description: The reason as a sentence.
  returned: success
  type: str
  sample: "'/var/lib/postgresql/15/main' is rewound to 0/5000110, where it diverged from node1:5432."
diverged:
  description: What only this directory has. Null when its WAL is a beginning of the source's.
  returned: success
  type: dict
  sample:
    from_lsn: 0/5000110
    to_lsn: 0/5003C78
    transactions: 12
    first_commit: 2026-05-21 04:15:07.113245 UTC
    last_commit: 2026-05-21 04:15:08.220162 UTC
lost:
  description: The same as a sentence.
  returned: success
  type: str
  sample: 12 transactions after 0/5000110 are only here, committed from 2026-05-21 04:15:07.113245 UTC to 2026-05-21 04:15:08.220162 UTC.
timeline:
  description: Timeline that the directory was on.
  returned: success
  type: int
  sample: 1
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import following_spec, upstream_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._clone.rewind import Rewind, RewindLook
from ansible_collections.pgfleet.cluster.plugins.module_utils._clone.rewind_command import RewindFailed
from ansible_collections.pgfleet.cluster.plugins.module_utils._clone.rewind_plan import IMPOSSIBLE
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.owner import as_owner
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2


def as_result(found: RewindLook) -> dict[str, Any]:
    plan, diverged = found.plan, found.diverged
    return {
        "changed": plan.changed,
        "action": plan.action,
        "reason": plan.reason,
        "explanation": plan.sentence,
        "diverged": diverged.as_result() if diverged else None,
        "lost": diverged.sentence if diverged else "It has nothing that the source lacks.",
        "timeline": found.dest.timeline,
        "diff": {
            "before": {"state": plan.reason if plan.changed else "unchanged"},
            "after": {"state": "is_standby" if plan.changed else "unchanged"},
        },
    }


def run(module: AnsibleModule) -> dict[str, Any]:
    found = Rewind(module).reach()
    plan = found.plan
    if plan.action == IMPOSSIBLE and module.params["on_impossible"] == "fail":
        raise RewindFailed(
            plan.sentence, "Clone it again with this directory set aside (basebackup with force: true).", plan.reason
        )
    return as_result(found)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=following_spec(
            data_directory={"type": "path", "required": True, "aliases": ["dest", "path", "pgdata"]},
            rewind_user={"type": "str", "default": ""},
            rewind_password={"type": "str", "default": "", "no_log": True},
            rewind_ssl_cert={"type": "path"},
            rewind_ssl_key={"type": "path"},
            on_impossible={"type": "str", "default": "fail", "choices": ["fail", "report"]},
            config_file={"type": "path"},
            bin_dir={"type": "path"},
            **upstream_spec(),
        ),
        required_together=[("rewind_ssl_cert", "rewind_ssl_key")],
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, as_owner()(run))


if __name__ == "__main__":
    main()
