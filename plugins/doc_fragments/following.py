# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_user:
    description: Role to log in as at the server that is to be followed. It needs the REPLICATION attribute. The standby follows as this role, too.
    type: str
    default: replicator
    aliases: [login]
  passfile:
    description: Password file (libpq C(.pgpass)) of the standby, put into C(primary_conninfo). It must be there, with mode 0600.
    type: path
  slot:
    description: Physical replication slot of the standby at the server that is to be followed. It must exist. C(primary_slot_name) is set to it.
    type: str
  application_name:
    description: Name of the standby in C(pg_stat_replication) and C(synchronous_standby_names), put into C(primary_conninfo).
    type: str
notes:
  - The connection options lead to the server that is to be followed.
  - Run the task as the operating-system user of the server (C(become_user)), never as root.
"""
