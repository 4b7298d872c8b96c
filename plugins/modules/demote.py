#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: demote
short_description: Shut a primary down cleanly and make it a standby of its successor
version_added: 1.0.0
description:
  - The first half of a switchover; M(pgfleet.cluster.promote) on the successor is the second. Afterwards the old primary is stopped, and
    when it is started it follows its successor, without a clone and without pg_rewind.
  - Before anything is stopped it logs in at the successor for replication and looks for O(slot), as the standby will, and makes a
    checkpoint, so that the shutdown has little to write.
  - A fast shutdown sends every standby all WAL up to the shutdown checkpoint. The position of that record is returned; a successor that has
    replayed it has everything that was ever committed.
  - From then on the directory can only start as a standby, so two primaries cannot come of it.
  - With O(state=restored) a stopped primary gets its role back, for a promotion that did not take place. It is not started.
  - Source is the PostgreSQL manual, sections Failover, Shutting Down the Server and pg_ctl.
options:
  data_directory:
    description: Data directory of the primary.
    type: path
    required: true
  state:
    description: What is wanted. V(restored) takes the demotion back as long as the directory has not run as a standby.
    type: str
    default: demoted
    choices: [demoted, restored]
  checkpoint:
    description: Make a checkpoint first, while the server still takes writes.
    type: bool
    default: true
  on_other_successor:
    description:
      - What to do with a primary that an earlier run has stopped and handed over to another successor than the one that is given here. Its recovery
        settings, which are written before the successor is told anything, name that one.
      - V(replace) hands it over to the new one when the earlier one does not lead; ask every node first. A server that runs as a standby of another is
        refused with both.
    type: str
    default: refuse
    choices: [refuse, replace]
  archive_wait:
    description:
      - Seconds to wait, before anything is stopped, until all finished WAL files are archived. A server does not stop before they are.
        When C(archive_command) hangs or has too much to do, the module refuses with the code C(archive_stuck); one that fails is no obstacle.
    type: float
    default: 15
  reservation:
    description: The note of M(pgfleet.cluster.fleet_lock), RV(pgfleet.cluster.fleet_lock#module:path), without which nothing is stopped any more.
    type: path
  timeout:
    description: Seconds that the shutdown may take.
    type: int
    default: 60
  handover:
    description:
      - Tell the successor, over a replication session, as soon as the server has stopped, and wait until it has been promoted. There
        M(pgfleet.cluster.promote) with O(pgfleet.cluster.promote#module:handover=true) must be at work at the same time.
      - So writes are not possible for as long as the two servers need, whatever it takes to start a module.
    type: bool
    default: false
  bin_dir:
    description: Directory of the server's programs. Default is that of the data directory's version.
    type: path
extends_documentation_fragment:
  - pgfleet.cluster.following
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
notes:
  - C(pg_ctl) stops the server, also one of systemd, whose unit is inactive afterwards. A unit with C(Restart=always) would start it
    again; the module refuses to go on then.
seealso:
  - module: pgfleet.cluster.promote
  - module: pgfleet.cluster.rewind
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Stop the old primary
  pgfleet.cluster.demote:
    data_directory: /var/lib/postgresql/17/main
    login_host: node2
    passfile: /var/lib/postgresql/.pgpass
    slot: node1_slot
    application_name: node1
  become: true
  become_user: postgres
  delegate_to: node1
  register: demoted

- name: Promote its successor, which must have everything
  pgfleet.cluster.promote:
    after_lsn: "{{ demoted.lsn }}"
  become: true
  become_user: postgres

- name: Take it back
  pgfleet.cluster.demote:
    data_directory: /var/lib/postgresql/17/main
    state: restored
  become: true
  become_user: postgres
"""

RETURN = r"""
action:
  description: What was done, or would be. One of V(demoted), V(restored) and V(kept).
  returned: success
  type: str
  sample: demoted
explanation:
  description: The same as a sentence.
  returned: success
  type: str
  sample: The primary in '/var/lib/postgresql/15/main' stops and becomes a standby.
lsn:
  description: Where the record of the shutdown checkpoint begins, the last one of this primary. Null in check mode while the server runs.
  returned: success
  type: str
  sample: 0/8000028
timeline:
  description: Timeline that the primary wrote.
  returned: success
  type: int
  sample: 1
checkpoint_seconds:
  description: Seconds that the checkpoint took before the shutdown. Null when there was none.
  returned: success
  type: float
  sample: 0.021
stop_seconds:
  description: Seconds from the order to stop until the server had stopped. Null when it did not run.
  returned: success
  type: float
  sample: 0.107
handover_seconds:
  description: Seconds from then until the successor had been promoted. Null without O(handover), or when it was not promoted.
  returned: success
  type: float
  sample: 0.146
"""

import os
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import following_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.demote import (
    DemotePlan,
    is_following,
    plan_demote,
    plan_restore,
    refuse_promoted,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.demoting import (
    hand_over,
    prepare,
    read_handing,
    rehearse,
    stop,
    timeline_of,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.handover import BEGUN
from ansible_collections.pgfleet.cluster.plugins.module_utils._change.reservation import require
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir, inspect, programs_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.owner import as_owner
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.swap import lock
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import Server, require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Following, Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.replication import replication_session
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.standby import make_standby, unmake_standby

#: A successor whose module is only starting must see the session to know that it has ended.
LINGER_SECONDS = 3.0
NO_TIMES = dict.fromkeys(("checkpoint_seconds", "stop_seconds", "handover_seconds"))


def demote(module: AnsibleModule, bin_dir: str) -> dict[str, Any]:
    """The session with the successor stays open: its end means that nothing more is to be expected from here."""
    params, login = module.params, Login.from_params(module.params)
    data = inspect(params["data_directory"], bin_dir)
    if is_following(data, read_handing(data.path, login, params["on_other_successor"])):
        return {**as_result(plan_demote(data), data), **NO_TIMES}
    with replication_session(replace(login, session_name=BEGUN)) as successor:
        try:
            with alone(module):
                return carry_out(module, inspect(data.path, bin_dir), bin_dir, successor)
        except PgFleetError:
            if params["handover"] and not module.check_mode:
                time.sleep(LINGER_SECONDS)
            raise


def carry_out(module: AnsibleModule, data: DataDir, bin_dir: str, successor: Server) -> dict[str, Any]:
    params, following = module.params, Following.from_params(module.params)
    handing = read_handing(data.path, following.login, params["on_other_successor"])
    plan = plan_demote(data, handing)
    times: dict[str, Any] = dict(NO_TIMES)
    rehearse(following, successor)
    earlier = handing.recorded
    if data.standby_signal and plan.changed and earlier is not None and earlier != handing.to:
        refuse_promoted(data, earlier, timeline_of(earlier, following.login))
    if plan.changed and not module.check_mode:
        if plan.stop:
            times["checkpoint_seconds"] = prepare(data, params["archive_wait"], params["checkpoint"])
        if params["reservation"]:
            require(params["reservation"])
        if plan.stop:
            data, times["stop_seconds"] = stop(data, bin_dir, params["timeout"])
            plan_demote(data)
        make_standby(data.path, following.recovery)
    if params["handover"] and not module.check_mode:
        times["handover_seconds"] = hand_over(data, following.login, successor)
    return {**as_result(plan, data), **times}


def restore(module: AnsibleModule, bin_dir: str) -> dict[str, Any]:
    with alone(module):
        data = inspect(module.params["data_directory"], bin_dir)
        plan = plan_restore(data)
        if plan.changed and not module.check_mode:
            unmake_standby(data.path)
        return {**as_result(plan, data), **NO_TIMES}


def as_result(plan: DemotePlan, data: DataDir) -> dict[str, Any]:
    roles = {"demoted": ("primary", "standby"), "restored": ("standby", "primary")}
    before, after = roles.get(plan.action, ("unchanged", "unchanged"))
    return {
        "changed": plan.changed,
        "action": plan.action,
        "explanation": plan.sentence,
        "lsn": data.checkpoint_lsn if data.server_pid is None else None,
        "timeline": data.timeline,
        "diff": {"before": {"role": before}, "after": {"role": after}},
    }


def alone(module: AnsibleModule) -> AbstractContextManager[None]:
    """One run at a time: a role that is given back must not be handed over at the same moment."""
    return nullcontext() if module.check_mode else lock(os.path.realpath(module.params["data_directory"]))


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    bin_dir = programs_of(params["data_directory"], params["bin_dir"])
    return demote(module, bin_dir) if params["state"] == "demoted" else restore(module, bin_dir)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=following_spec(
            data_directory={"type": "path", "required": True},
            state={"type": "str", "default": "demoted", "choices": ["demoted", "restored"]},
            checkpoint={"type": "bool", "default": True},
            timeout={"type": "int", "default": 60},
            handover={"type": "bool", "default": False},
            on_other_successor={"type": "str", "default": "refuse", "choices": ["refuse", "replace"]},
            archive_wait={"type": "float", "default": 15},
            reservation={"type": "path"},
            bin_dir={"type": "path"},
        ),
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, as_owner()(run))


if __name__ == "__main__":
    main()
