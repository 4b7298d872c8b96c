#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: promote
short_description: Promote a standby, once it has everything it must have
version_added: 1.0.0
description:
  - Makes a standby a primary with C(pg_promote) and waits until it takes writes. A primary is left as it is.
  - Checks first, in check mode too, that it is the right standby and, with O(after_lsn), that it has replayed the last record of the primary
    that it succeeds.
  - With O(peers) it asks other nodes whether one of them leads. That the old primary takes no writes any more is for
    M(pgfleet.cluster.demote) or fencing to see to.
  - Source is the PostgreSQL manual, sections Failover and Recovery Control Functions.
options:
  after_lsn:
    description: Start of a WAL record that must have been replayed, usually RV(pgfleet.cluster.demote#module:lsn).
    type: str
  handover:
    description:
      - Take O(after_lsn) from the old primary itself, over the replication session that M(pgfleet.cluster.demote) with
        O(pgfleet.cluster.demote#module:handover=true) opens here. Waits for that session for O(begin) seconds, then as long as it is there.
      - When it ends without the position, nothing is promoted.
    type: bool
    default: false
  begin:
    description: Seconds that the old primary may take until it is at work.
    type: float
    default: 30
  timeline:
    description: Timeline that the standby must be on.
    type: int
  system_identifier:
    description: System identifier that the standby must have.
    type: str
  peers:
    description:
      - Other nodes that run. Each is asked over a replication session, all at the same time, before anything is promoted. When one of them is a primary, or
        on a newer timeline, the module refuses with the code C(peer_promoted). One that gives no answer within 3 seconds counts for nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: How messages name it., type: str, required: true}
      address: {description: How it is reached., type: str, required: true}
      port: {description: Its port., type: int, default: 5432}
  peers_user:
    description: Role with the attribute C(REPLICATION) to log in as at O(peers).
    type: str
    default: replicator
  peers_passfile:
    description: File with its password.
    type: path
  reservation:
    description: The note of M(pgfleet.cluster.fleet_lock), RV(pgfleet.cluster.fleet_lock#module:path), without which nothing is promoted any more.
    type: path
  wait:
    description: Seconds to wait until O(after_lsn) is replayed. Looks every 20 milliseconds.
    type: float
    default: 10
  timeout:
    description: Seconds that the promotion may take.
    type: int
    default: 60
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
notes:
  - On failure RV(ignore:code) is C(promotion_unfinished) when the promotion was ordered and did not end in time; it may still come to its end. With every other
    code nothing was promoted.
seealso:
  - module: pgfleet.cluster.demote
  - module: pgfleet.cluster.replication_status
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Promote a standby whose primary is gone
  pgfleet.cluster.promote:
  become: true
  become_user: postgres
  register: promoted

- name: Promote one only after it has replayed what its primary wrote last
  pgfleet.cluster.promote:
    after_lsn: 0/8000028
    timeline: 1
  become: true
  become_user: postgres
"""

RETURN = r"""
before:
  description: Role before. One of V(primary) and V(standby).
  returned: success
  type: str
  sample: standby
after:
  description: Role afterwards; in check mode the one that would be reached.
  returned: success
  type: str
  sample: primary
timeline_before:
  description: Timeline before.
  returned: success
  type: int
  sample: 1
timeline_after:
  description: Timeline afterwards. Null in check mode.
  returned: success
  type: int
  sample: 2
replayed_lsn:
  description: What had been replayed before the promotion. Null on a primary.
  returned: success
  type: str
  sample: 0/80000A0
waited_seconds:
  description: Seconds spent waiting for O(after_lsn).
  returned: success
  type: float
  sample: 0.0
promote_seconds:
  description: Seconds that C(pg_promote) took. Null when nothing was promoted.
  returned: success
  type: float
  sample: 0.112
"""

from dataclasses import replace
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.promote import Conditions, refuse_leaders
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.promoting import (
    ask_peers,
    await_handover,
    promote,
    read,
    wait_until_ready,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.reservation import require
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import connect, require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login


def run(module: AnsibleModule) -> dict[str, Any]:
    """In check mode nothing is waited for."""
    params, login = module.params, Login.from_params(module.params)
    conditions = Conditions.from_params(params)
    handed_over, seconds_to_wait = (False, 0) if module.check_mode else (params["handover"], params["wait"])
    with connect(login) as server:
        if params["peers"]:
            found = read(server)[0]
            if found.recovering:
                others = replace(login, user=params["peers_user"], password="", passfile=params["peers_passfile"])
                refuse_leaders(found, ask_peers(params["peers"], others))
        if handed_over:
            conditions = await_handover(server, conditions, params["begin"])
        found, waited = wait_until_ready(server, conditions, handed_over, seconds_to_wait)
        promotes = found.recovering and not module.check_mode
        if params["reservation"] and promotes:
            require(params["reservation"])
        seconds = promote(server, params["timeout"]) if promotes else None
        now = read(server)[0].timeline if promotes else None
    before = "standby" if found.recovering else "primary"
    return {
        "changed": found.recovering,
        "before": before,
        "after": "primary",
        "timeline_before": found.timeline,
        "timeline_after": found.timeline if not found.recovering else now,
        "replayed_lsn": found.replay,
        "waited_seconds": round(waited, 3),
        "promote_seconds": seconds,
        "diff": {"before": {"role": before}, "after": {"role": "primary"}},
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            after_lsn={"type": "str"},
            handover={"type": "bool", "default": False},
            begin={"type": "float", "default": 30},
            timeline={"type": "int"},
            system_identifier={"type": "str"},
            peers={
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "default": 5432},
                },
            },
            peers_user={"type": "str", "default": "replicator"},
            peers_passfile={"type": "path"},
            reservation={"type": "path"},
            wait={"type": "float", "default": 10},
            timeout={"type": "int", "default": 60},
        ),
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
