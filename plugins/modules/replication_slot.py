#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_slot
short_description: Manage the replication slots of a PostgreSQL server
version_added: 1.0.0
description:
  - Brings the replication slots of one server to the wanted state, all of them in one call and over one connection
    (logical slots need one more connection to their database).
  - A slot whose WAL is gone (C(wal_status) is V(lost), or the slot was invalidated) never counts as present.
  - Temporary slots belong to their sessions and are never touched.
  - Source is the PostgreSQL manual, sections Replication Slots, Replication Management Functions and pg_replication_slots.
options:
  name:
    description: Name of the one slot to manage. The options beside it (O(slot_type), O(state) and so on) are those of O(slots).
    type: str
    aliases: [slot_name]
  slots:
    description: The slots to manage. An empty list together with O(exclusive=true) drops every physical slot.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the slot, 1 to 63 lower-case letters, digits and underscores.
        type: str
        required: true
      state:
        description: Whether the slot is there.
        type: str
        default: present
        choices: [present, absent]
      slot_type:
        description: Physical slots serve standbys, logical ones subscribers.
        type: str
        default: physical
        choices: [physical, logical]
      plugin:
        description: Output plugin of a logical slot, for example V(pgoutput).
        type: str
        aliases: [output_plugin]
      database:
        description: Database of a logical slot.
        type: str
      two_phase:
        description: Whether a logical slot decodes prepared transactions.
        type: bool
        default: false
      failover:
        description: Whether a logical slot is synchronized to standbys. Needs PostgreSQL 17.
        type: bool
        default: false
      reserve_wal:
        description:
          - Whether a physical slot keeps WAL from its creation on, not only from its first use.
          - A slot that is there, inactive and reserves nothing is recreated, which loses nothing.
        type: bool
        default: true
        aliases: [immediately_reserve]
  record_slots:
    description: Further names for O(record_role), of slots that another server of the fleet would have if it led.
    type: list
    elements: str
    default: []
  state:
    description: As in O(slots), for O(name).
    type: str
    default: present
    choices: [present, absent]
  slot_type:
    description: As in O(slots), for O(name).
    type: str
    default: physical
    choices: [physical, logical]
  plugin:
    description: As in O(slots), for O(name).
    type: str
    aliases: [output_plugin]
  database:
    description: As in O(slots), for O(name).
    type: str
  two_phase:
    description: As in O(slots), for O(name).
    type: bool
    default: false
  failover:
    description: As in O(slots), for O(name).
    type: bool
    default: false
  reserve_wal:
    description: As in O(slots), for O(name).
    type: bool
    default: true
    aliases: [immediately_reserve]
  exclusive:
    description:
      - Drop physical slots that are not listed, so that a node that was removed leaves no slot behind that fills the disk.
      - Never drops logical slots. Active ones are spared, with a warning, unless O(on_active) allows more.
      - With O(record_role) only slots that this module has made are dropped, and others left.
    type: bool
    default: false
  record_role:
    description:
      - Role whose comment keeps the names of the slots that are asked for (C(pgfleet slots) in square brackets). Standbys have it too, so it
        holds whichever node leads. Whatever else the comment says stays.
      - Without it O(exclusive) drops every physical slot that is not listed, whoever made it.
    type: str
  on_active:
    description:
      - What to do with a slot that is to be dropped while a consumer uses it.
      - V(fail) refuses. V(wait) waits until it is free. V(terminate) ends the WAL sender that uses it.
    type: str
    default: fail
    choices: [fail, wait, terminate]
  on_lost:
    description: What to do with a wanted slot that is lost. V(recreate) makes a new one of that name; its standby must then be rebuilt.
    type: str
    default: fail
    choices: [fail, recreate]
  timeout:
    description: Seconds to wait or to keep terminating, for each slot.
    type: float
    default: 30
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes
seealso:
  - module: pgfleet.cluster.replication_status
  - module: community.postgresql.postgresql_slot
  - name: Replication slots in the PostgreSQL manual
    description: What slots are for and how they keep WAL.
    link: https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Create the slot of one standby
  pgfleet.cluster.replication_slot:
    name: node1_slot
  become: true
  become_user: postgres

- name: Drop a slot, ending the standby's connection if there is one
  pgfleet.cluster.replication_slot:
    name: node1_slot
    state: absent
    on_active: terminate
  become: true
  become_user: postgres

- name: Exactly one slot for each standby, and none that fills the disk for a node that has gone
  pgfleet.cluster.replication_slot:
    slots:
      - name: node1_slot
      - name: node2_slot
      - name: node3_slot
    exclusive: true
    record_role: replicator
  become: true
  become_user: postgres

- name: A logical slot that survives a failover
  pgfleet.cluster.replication_slot:
    name: reports
    slot_type: logical
    plugin: pgoutput
    database: pagila
    failover: true
  become: true
  become_user: postgres
"""

RETURN = r"""
dropped:
  description: Names of the slots that were dropped, or would be.
  returned: success
  type: list
  elements: str
  sample: [node3_slot]
slots:
  description: The slots that were asked for, and those that O(exclusive) dropped, spared or left to others.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the slot., type: str, returned: always, sample: node1_slot}
    action:
      description: What was done to it, or would be. One of V(none), V(created), V(recreated), V(dropped), V(spared) and V(foreign).
      type: str
      returned: always
      sample: created
    slot_type: {description: Physical or logical., type: str, returned: always, sample: physical}
    plugin: {description: Output plugin of a logical slot., type: str, returned: always, sample: null}
    database: {description: Database of a logical slot., type: str, returned: always, sample: null}
    temporary: {description: Whether the slot ends with its session., type: bool, returned: always, sample: false}
    active: {description: Whether a consumer uses it., type: bool, returned: always, sample: true}
    active_pid: {description: Process of the WAL sender that uses it., type: int, returned: always, sample: 20317}
    restart_lsn: {description: Oldest WAL that it keeps., type: str, returned: always, sample: 0/3000148}
    confirmed_flush_lsn: {description: How far a logical consumer has confirmed., type: str, returned: always, sample: null}
    wal_status: {description: 'V(reserved), V(extended), V(unreserved) or V(lost).', type: str, returned: always, sample: reserved}
    safe_wal_size: {description: Bytes that can be written before it may be lost., type: int, returned: always, sample: 1083179008}
    retained_bytes: {description: Bytes of WAL that it keeps., type: int, returned: always, sample: 0}
    two_phase: {description: Whether a logical slot decodes prepared transactions., type: bool, returned: always, sample: false}
    failover: {description: Whether it is synchronized to standbys (PostgreSQL 17)., type: bool, returned: always, sample: null}
    synced: {description: Whether it was synchronized from a primary (PostgreSQL 17)., type: bool, returned: always, sample: null}
    inactive_since: {description: Since when nobody uses it (PostgreSQL 17)., type: str, returned: always, sample: null}
    invalidation_reason: {description: Why it was invalidated (PostgreSQL 17)., type: str, returned: always, sample: null}
    lost: {description: Whether the WAL its consumer needs is gone., type: bool, returned: always, sample: false}
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import connect, require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._slot.plan import (
    Policy,
    Slot,
    SlotPlan,
    WantedSlot,
    plan_slots,
    record_of,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._slot.record import SlotRecord
from ansible_collections.pgfleet.cluster.plugins.module_utils._slot.server import (
    apply_slots,
    read_limits,
    read_slots,
    require_features,
)

SLOT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "slot_type": {"type": "str", "default": "physical", "choices": ["physical", "logical"]},
    "plugin": {"type": "str", "aliases": ["output_plugin"]},
    "database": {"type": "str"},
    "two_phase": {"type": "bool", "default": False},
    "failover": {"type": "bool", "default": False},
    "reserve_wal": {"type": "bool", "default": True, "aliases": ["immediately_reserve"]},
}


def wanted_slots(params: dict[str, Any]) -> tuple[WantedSlot, ...]:
    """The options as values; raises InvalidInput."""
    listed = params["slots"] if params["slots"] is not None else [params]
    if params["slots"] is not None:
        _refuse_options_beside_a_list(params)
    fields = ("slot_type", "plugin", "database", "two_phase", "failover", "reserve_wal")
    return tuple(
        WantedSlot(item["name"], item["state"] == "present", **{field: item[field] for field in fields})
        for item in listed
    )


def _refuse_options_beside_a_list(params: dict[str, Any]) -> None:
    """An ignored C(state: absent) would create what was to go."""
    strays = [name for name, spec in SLOT_SPEC.items() if params[name] != spec.get("default")]
    if strays:
        raise InvalidInput(
            f"{', '.join(strays)} given beside 'slots' would have no effect.", "Give it with each element of 'slots'."
        )


def as_result(plan: SlotPlan, wanted: tuple[WantedSlot, ...], now: tuple[Slot, ...]) -> dict[str, Any]:
    """What the module returns; ``now`` are the slots as they are, or would be."""
    known = {slot.name: slot for slot in plan.before + now}
    names = dict.fromkeys([want.name for want in wanted] + [step.name for step in plan.steps])
    slots = [{**known[name].as_result(), "action": plan.action_of(name)} for name in names if name in known]
    slots += [{**slot.as_result(), "action": "spared"} for slot in plan.spared]
    slots += [{**slot.as_result(), "action": "foreign"} for slot in plan.foreign]
    return {
        "changed": plan.changed,
        "slots": slots,
        "diff": {"before": _shown(plan.before), "after": _shown(plan.after)},
    }


def _shown(slots: tuple[Slot, ...]) -> dict[str, Any]:
    fields = ("slot_type", "plugin", "database", "two_phase", "failover", "wal_status")
    return {slot.name: {field: getattr(slot, field) for field in fields} for slot in slots}


def run(module: AnsibleModule) -> dict[str, Any]:
    wanted = wanted_slots(module.params)
    params, login = module.params, Login.from_params(module.params)
    role = params["record_role"]
    with connect(login) as server:
        require_features(server, wanted)
        record = SlotRecord(server, role) if role else None
        plan = plan_slots(read_slots(server), wanted, policy_of(module.params, record), read_limits(server))
        names = record_of(plan, wanted, record.names, module.params["record_slots"]) if record else frozenset()
        noted = record.names if record else frozenset()
        if not module.check_mode:
            if record:
                record.write(names | noted)  # before there are slots that only a killed run knows of
            apply_slots(server, plan, login, params["on_active"], params["timeout"])
            if record:
                record.write(names)
        now = plan.after if module.check_mode else read_slots(server)
    for slot in plan.spared:
        module.warn(f"Slot '{slot.name}' is not listed but active (process {slot.active_pid}); it was spared.")
    result = as_result(plan, wanted, now)
    return {**result, **({"changed": True} if names != noted else {}), "dropped": dropped_by(plan)}


def policy_of(params: dict[str, Any], record: SlotRecord | None) -> Policy:
    return Policy(params["exclusive"], params["on_active"], params["on_lost"], record.names if record else None)


def dropped_by(plan: SlotPlan) -> list[str]:
    return [step.name for step in plan.steps if step.wanted is None]


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            name={"type": "str", "aliases": ["slot_name"]},
            slots={
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, **SLOT_SPEC},
            },
            exclusive={"type": "bool", "default": False},
            record_role={"type": "str"},
            record_slots={"type": "list", "elements": "str", "default": []},
            on_active={"type": "str", "default": "fail", "choices": ["fail", "wait", "terminate"]},
            on_lost={"type": "str", "default": "fail", "choices": ["fail", "recreate"]},
            timeout={"type": "float", "default": 30},
            **SLOT_SPEC,
        ),
        required_one_of=[("name", "slots")],
        mutually_exclusive=[("name", "slots")],
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
