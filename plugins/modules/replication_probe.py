#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_probe
short_description: Prove replication by a row, and read-only standbys by a refusal
version_added: 1.0.0
description:
  - V(write) commits one row on the primary and measures, by the primary's own clock, how long each standby takes to replay it.
  - V(read) waits on a standby until that row can be read there, then tries to write and expects the refusal of SQLSTATE 25006.
  - V(remove) drops the probe's schema C(pgfleet_probe) again.
  - Source is the PostgreSQL manual, sections Hot Standby and pg_stat_replication.
options:
  action:
    description: What to do.
    type: str
    required: true
    choices: [write, read, remove]
  token:
    description: The row's content. Give the same to V(write) and V(read).
    type: str
  standbys:
    description: Names (C(application_name)) of the standbys that must replay the row. Used by V(write).
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait for the standbys, or on a standby for the row.
    type: float
    default: 10
extends_documentation_fragment:
  - pgfleet.cluster.connection
attributes:
  check_mode:
    description:
      - Fails with the same errors as a real run. V(write) and V(remove) roll back what they do, so RV(delays_ms) is of the WAL that was there.
        V(read) does not wait for a row that no other task has written.
    support: full
  diff_mode:
    description: There is nothing to show; the probe removes what it makes.
    support: none
  idempotent:
    description: V(write) writes a row each time.
    support: partial
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Write a row on the primary and wait for two standbys
  pgfleet.cluster.replication_probe:
    action: write
    token: "{{ inventory_hostname }}-1"
    standbys: [node1, node2]
  become: true
  become_user: postgres

- name: See it on a standby, and see a write refused there
  pgfleet.cluster.replication_probe:
    action: read
    token: primary-1
  become: true
  become_user: postgres
"""

RETURN = r"""
lsn:
  description: Position of the row's commit. Returned by V(write).
  returned: success
  type: str
  sample: 0/50003B8
delays_ms:
  description: Milliseconds from the commit until each standby had replayed it. Returned by V(write).
  returned: success
  type: dict
  sample: {node1: 1.6, node2: 1.6, node3: 3.1}
refused_with:
  description: SQLSTATE of the refused write. Returned by V(read).
  returned: success
  type: str
  sample: "25006"
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError, QueryFailed
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import (
    Server,
    connect,
    require_psycopg2,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login

READ_ONLY_TRANSACTION = "25006"
POLL_SECONDS = 0.002


WRITE = """INSERT INTO pgfleet_probe.probe VALUES (%s)
    ON CONFLICT (token) DO UPDATE SET token = excluded.token"""


@contextmanager
def only_tried(server: Server, check: bool) -> Iterator[None]:
    """In check mode the statements of the block meet every refusal that they would meet, and are rolled back."""
    if check:
        server.rows("BEGIN")
    yield
    if check:
        server.rows("ROLLBACK")


def write(server: Server, params: dict[str, Any], check: bool) -> dict[str, Any]:
    with only_tried(server, check):
        server.rows("CREATE SCHEMA IF NOT EXISTS pgfleet_probe")
        server.rows("CREATE TABLE IF NOT EXISTS pgfleet_probe.probe (token text PRIMARY KEY)")
        server.rows(WRITE, (params["token"],))
    started = time.monotonic()
    lsn = server.row("SELECT pg_current_wal_flush_lsn()::text AS lsn")["lsn"]
    return {"changed": True, "lsn": lsn, "delays_ms": replay_delays(server, lsn, started, params)}


def replay_delays(server: Server, lsn: str, started: float, params: dict[str, Any]) -> dict[str, float]:
    """Milliseconds after which each standby had replayed the position."""
    delays: dict[str, float] = {}
    missing = set(params["standbys"])
    while missing:
        rows = server.rows("SELECT application_name FROM pg_stat_replication WHERE replay_lsn >= %s::pg_lsn", (lsn,))
        elapsed = time.monotonic() - started
        for name in sorted(missing & {row["application_name"] for row in rows}):
            delays[name] = round(elapsed * 1000, 1)
            missing.remove(name)
        if missing and elapsed > params["wait"]:
            raise PgFleetError(
                f"Standbys {', '.join(sorted(missing))} had not replayed {lsn} after {params['wait']} s.",
                "See replication_status on the primary and on these standbys.",
                "not_replayed",
                delays_ms=delays,
            )
        time.sleep(POLL_SECONDS)
    return {name: delays[name] for name in params["standbys"]}


def read(server: Server, params: dict[str, Any], check: bool) -> dict[str, Any]:
    if not server.row("SELECT pg_is_in_recovery() AS standby")["standby"]:
        raise PgFleetError(f"{server} is not a standby.", "Read its status with replication_status.", "wrong_role")
    if check:
        return {"changed": False, "refused_with": READ_ONLY_TRANSACTION}
    wait_for_row(server, params)
    try:
        server.rows("INSERT INTO pgfleet_probe.probe VALUES ('refused')")
    except QueryFailed as error:
        if error.facts.get("sqlstate") == READ_ONLY_TRANSACTION:
            return {"changed": False, "refused_with": READ_ONLY_TRANSACTION}
        raise
    raise PgFleetError(
        f"{server} took a write, so it is not a standby.", "Read its status with replication_status.", "wrong_role"
    )


def wait_for_row(server: Server, params: dict[str, Any]) -> None:
    deadline = time.monotonic() + params["wait"]
    while not has_row(server, params["token"]):
        if time.monotonic() > deadline:
            raise PgFleetError(
                f"The row '{params['token']}' was not seen on {server} within {params['wait']} s.",
                "See replication_status on this standby.",
                "not_replayed",
            )
        time.sleep(POLL_SECONDS)


def has_row(server: Server, token: str) -> bool:
    if server.row("SELECT to_regclass('pgfleet_probe.probe') IS NULL AS missing")["missing"]:
        return False
    return bool(server.rows("SELECT 1 FROM pgfleet_probe.probe WHERE token = %s", (token,)))


def remove(server: Server, _params: dict[str, Any], check: bool) -> dict[str, Any]:
    there = bool(server.rows("SELECT 1 FROM pg_namespace WHERE nspname = 'pgfleet_probe'"))
    if there:
        with only_tried(server, check):
            server.rows("DROP SCHEMA pgfleet_probe CASCADE")
    return {"changed": there}


def run(module: AnsibleModule) -> dict[str, Any]:
    with connect(Login.from_params(module.params)) as server:
        return ACTIONS[module.params["action"]](server, module.params, module.check_mode)


ACTIONS = {"write": write, "read": read, "remove": remove}


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            action={"type": "str", "required": True, "choices": list(ACTIONS)},
            token={"type": "str", "no_log": False},
            standbys={"type": "list", "elements": "str", "default": []},
            wait={"type": "float", "default": 10},
        ),
        required_if=[("action", "write", ["token"]), ("action", "read", ["token"])],
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
