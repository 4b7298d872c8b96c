#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: table_counts
short_description: Count the rows of a database and compare them with what should be there
version_added: 1.0.0
description:
  - Counts the rows of the tables of schema C(public) of one database, all in one statement, and names the tables that hold other
    numbers than expected.
  - On a standby it can wait until a position of the primary's WAL is replayed, so that a load is proven where it is read.
  - A database that is not there is an answer, not an error, unless O(fail_on_difference) asks for its rows.
  - Source is the PostgreSQL manual, sections System Catalogs and Recovery Control Functions.
options:
  database:
    description: The database to count in. O(login_db) is where the module connects first, to see whether this one exists.
    type: str
    required: true
  tables:
    description:
      - The tables to count and the number of rows each should have. A partition can be counted by its own name.
      - When not given, every table is counted, a partitioned one once, with all its partitions.
    type: dict
  replayed_lsn:
    description: Count only when a standby has replayed up to this position, for example RV(lsn) of the primary. A primary does not wait.
    type: str
  wait:
    description: Seconds to wait for O(replayed_lsn).
    type: float
    default: 60
  fail_on_difference:
    description: Fail when a table of O(tables) is missing or holds another number of rows.
    type: bool
    default: false
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes.read_only
seealso:
  - module: pgfleet.cluster.replication_status
  - module: community.postgresql.postgresql_query
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: See what a database holds
  pgfleet.cluster.table_counts:
    database: pagila
  become: true
  become_user: postgres
  register: pagila

- name: Fail unless two tables hold what they should
  pgfleet.cluster.table_counts:
    database: pagila
    tables:
      film: 1000
      rental: 16044
    fail_on_difference: true
  become: true
  become_user: postgres

- name: Prove on every standby that it has what the primary has
  pgfleet.cluster.table_counts:
    database: pagila
    tables: "{{ hostvars['primary'].pagila.counts }}"
    replayed_lsn: "{{ hostvars['primary'].pagila.lsn }}"
    wait: 30
    fail_on_difference: true
  become: true
  become_user: postgres
  when: inventory_hostname != 'primary'
"""

RETURN = r"""
exists:
  description: Whether the database is there.
  returned: always
  type: bool
  sample: true
comment:
  description: The comment on the database.
  returned: success
  type: str
  sample: "pgfleet pagila: source=generated scale=1 release=v3.1.0"
counts:
  description: Rows of each table that was counted.
  returned: success
  type: dict
  sample: {"actor": 200, "film": 1000, "payment": 16049, "rental": 16044}
relations:
  description:
    - How many tables, views, sequences and other relations the database has outside the system schemas, in any schema.
      An empty database has V(0).
  returned: success
  type: int
  sample: 44
differences:
  description: The tables of O(tables) that hold another number of rows. RV(ignore:found) is null where there is no such table.
  returned: always
  type: list
  elements: dict
  sample: [{"table": "rental", "expected": 16044, "found": 16043}]
standby:
  description: Whether the server is a standby.
  returned: success
  type: bool
  sample: false
lsn:
  description: Position in the WAL, read before counting. On a primary what is written, on a standby what is replayed.
  returned: success
  type: str
  sample: 0/3F0CB50
waited_seconds:
  description: How long it took until O(replayed_lsn) was replayed.
  returned: success
  type: float
  sample: 0.1
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._counts.plan import compare_counts, expected_rows, refusal
from ansible_collections.pgfleet.cluster.plugins.module_utils._counts.server import (
    count_rows,
    read_database,
    read_position,
    wait_for_replay,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import connect, require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login


def run(params: dict[str, Any]) -> dict[str, Any]:
    name, login = params["database"], Login.from_params(params)
    expected = expected_rows(params["tables"])
    counts: dict[str, int] = {}
    relations = 0
    with connect(login) as server:
        waited = wait_for_replay(server, params["replayed_lsn"], params["wait"])
        position = read_position(server)
        database = read_database(server, name)
        where = str(server)
    if database.exists:
        with connect(login, database=name) as there:
            counts, relations = count_rows(there, expected)
    differences = compare_counts(expected, counts)
    if differences and params["fail_on_difference"]:
        raise refusal(name, database.exists, where, differences)
    return {
        "exists": database.exists,
        "comment": database.comment,
        "counts": counts,
        "relations": relations,
        "differences": [each.as_result() for each in differences],
        "standby": position.standby,
        "lsn": position.lsn,
        "waited_seconds": waited,
        "changed": False,
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            database={"type": "str", "required": True},
            tables={"type": "dict"},
            replayed_lsn={"type": "str"},
            wait={"type": "float", "default": 60},
            fail_on_difference={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, lambda module: run(module.params))


if __name__ == "__main__":
    main()
