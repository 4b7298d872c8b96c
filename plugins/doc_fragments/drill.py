# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  directory:
    description: Directory of the drill's recording, on the control machine, seen from where the command is given.
    type: path
    required: true
attributes:
  check_mode:
    description: Does nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: A drill is something that happens each time.
    support: none
  action:
    description: Runs on the control machine, whatever the hosts of the play. Give it C(run_once).
    support: full
notes:
  - The action group C(pgfleet.cluster.drill) sets O(directory) for all actions of a drill at once.
"""

    LOAD = r"""
options:
  nodes:
    description: Address and port of each node, by its name, as the control machine reaches it. The name is also the C(application_name) of a standby.
    type: dict
    default: {}
  login_user:
    description: Role of the load. It owns O(login_db) and has C(pg_monitor).
    type: str
    default: pgfleet_drill
  login_password:
    description: Its password. It lies in a file with mode 0600 as long as the load runs.
    type: str
    default: ""
  login_db:
    description: Database of the load, of which it is the only user.
    type: str
    default: pgfleet_drill
  ssl_mode:
    description: TLS mode of the connections, as in libpq.
    type: str
    default: prefer
  ca_cert:
    description: File on the control machine with the authorities that the connections trust.
    type: path
  channel_binding:
    description: Whether the login is bound to the server's certificate, as in libpq.
    type: str
  writes_per_second:
    description: Rows that are committed each second, one after the other.
    type: float
    default: 100
  reads_per_second:
    description: Reads of each node each second.
    type: float
    default: 20
  seconds:
    description: The load ends by itself after this time.
    type: float
    default: 900
requirements:
  - psycopg2 on the control machine (C(requirements-drills.txt))
"""
