#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: server_settings
short_description: Give a server its settings, in a file that it can start with
version_added: 1.0.0
description:
  - Writes one file of settings, C(conf.d/pgfleet.conf) beside the server's main configuration file, that holds exactly O(settings).
    Other files are left alone.
  - Before it is written, a second postmaster is started with it, with the server's own control file, in a directory and on a port of
    its own. It reads and checks all settings together, loads libraries, TLS files and C(pg_hba.conf), maps the memory and listens on
    the addresses, and ends before it recovers. It takes about 0.2 s, the server is not touched, and what a server cannot start with is
    refused with the server's own reason.
  - The server then reloads, and a new session reads back what became of every line. What the server refuses is taken back.
  - Until all of it is in force the file of before is kept as C(pgfleet.conf.previous), so that a start that fails, or the run after one
    that was killed, can go back (M(pgfleet.cluster.server)).
  - Sources are the PostgreSQL manual, sections Setting Parameters and pg_file_settings.
options:
  settings:
    description:
      - The settings by name. A value is a text, a number, a boolean or a list, whose elements are joined with commas and quoted where the
        server needs it. A null leaves the setting out. Line ends, quotes and backslashes arrive as they are written here; line ends at
        the end of a value are dropped.
      - Without it the file stays as it is, and the server is tried with what is there.
    type: dict
  comment:
    description: First lines of the file.
    type: str
    default: Owned by pgfleet.cluster. Changes made here are lost.
  data_directory:
    description: Data directory of the server.
    type: path
    required: true
  config_file:
    description: The server's main configuration file, which includes C(conf.d) beside it.
    type: path
    required: true
  bin_dir:
    description: Directory of the server's programs. Default is that of the data directory's version.
    type: path
  state:
    description:
      - V(checked) only tries whether the server could start with the settings, and says which of them would wait for a restart.
      - V(present) writes them and brings those into force that need no restart.
    type: str
    default: present
    choices: [checked, present]
  rehearse:
    description: Whether V(present) tries a start. Not needed after V(checked) for the same settings.
    type: bool
    default: true
requirements:
  - python >= 3.9
  - psycopg2
notes:
  - Run it as the owner of the data directory.
  - On failure RV(ignore:code) is one of C(invalid_setting), C(settings_refused), C(invalid_file), or one of the codes for a login that fails.
extends_documentation_fragment:
  - pgfleet.cluster.attributes
  - pgfleet.cluster.connection
seealso:
  - module: pgfleet.cluster.server
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: See whether a server could start with these settings
  pgfleet.cluster.server_settings:
    data_directory: /var/lib/postgresql/17/main
    config_file: /etc/postgresql/17/main/postgresql.conf
    settings:
      shared_preload_libraries: [pg_stat_statements, auto_explain]
      huge_pages: true
    state: checked
  become: true
  become_user: postgres

- name: Give them to it
  pgfleet.cluster.server_settings:
    data_directory: /var/lib/postgresql/17/main
    config_file: /etc/postgresql/17/main/postgresql.conf
    settings:
      shared_preload_libraries: [pg_stat_statements, auto_explain]
      archive_command: "printf '%s\\n' %f >> /var/tmp/archived"
  become: true
  become_user: postgres
"""

RETURN = r"""
changes:
  description: The settings that differ from those of the file; a null stands for no line.
  returned: success
  type: list
  elements: dict
  sample: [{name: huge_pages, before: null, after: "on"}]
pending:
  description:
    - Settings that wait for a restart, or would; C(setting) is in force, C(wanted) comes with the restart. Empty for a server that is stopped.
  returned: success
  type: dict
  sample: {max_connections: {setting: "100", wanted: "300"}}
overridden:
  description: Settings of the file that another file or the server's command line overrides.
  returned: success
  type: list
  elements: dict
  sample:
    - setting: max_slot_wal_keep_size
      wanted: 1GB
      found: "-1"
      file: /var/lib/postgresql/17/main/postgresql.auto.conf
      line: 3
reloaded:
  description: Whether the server has read its files again.
  returned: success
  type: bool
  sample: true
"""

import os
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import find_server, programs_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files import FoundFile, WantedFile, file_diff
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files_io import (
    look,
    make_directory,
    user_called,
    write,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import changes_between, settings_file
from ansible_collections.pgfleet.cluster.plugins.module_utils._settings.apply import (
    bring_into_force,
    changes_of,
    keep_previous,
    predicted,
    previous_text,
    refuse_what_cannot_start,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._settings.rehearsal import Place
from ansible_collections.pgfleet.cluster.plugins.module_utils._settings.server import judge_now, waiting_settings

OURS = "conf.d/pgfleet.conf"


def run(module: AnsibleModule) -> dict[str, Any]:
    params, login = module.params, Login.from_params(module.params)
    path = os.path.join(os.path.dirname(params["config_file"]), OURS)
    found = look(path)
    wanted = wanted_file(params, path, found)
    place = Place(
        programs_of(params["data_directory"], params["bin_dir"]), params["data_directory"], params["config_file"]
    )
    running = find_server(params["data_directory"]) is not None
    proven = previous_text(path)
    before = found.text if proven is None else proven
    changes = changes_of(before, wanted.text, waiting_settings(login) if running else [])
    checking = params["state"] == "checked"
    if checking or params["rehearse"]:
        refuse_what_cannot_start(place, path, wanted.text, changes, login, running)
    writing = not checking and params["settings"] is not None and not wanted.is_met_by(found)
    result = {
        "changed": writing,
        "changes": [
            {"name": name, "before": texts[0], "after": texts[1]}
            for name, texts in changes_between(found.text, wanted.text).items()
        ],
        "pending": predicted(changes, login) if running else {},
        "overridden": [],
        "reloaded": False,
        "diff": [file_diff(wanted, found)] if writing else [],
    }
    if checking or module.check_mode:
        return result
    if writing:
        if not os.path.isdir(os.path.dirname(path)):
            make_directory(os.path.dirname(path), user_called(wanted.owner))
        keep_previous(path, found, running)
        write(wanted, user_called(wanted.owner))
    if running:
        left = writing or judge_now(login).missing
        in_force = bring_into_force(path, params["data_directory"], login, changes)
        waiting = {
            row["name"]: {"setting": row["setting"], "wanted": row["wanted"] or row["boot_val"]}
            for row in waiting_settings(login)
        }
        result.update(
            pending=waiting,
            overridden=[each.as_result() for each in in_force.overridden],
            reloaded=True,
            changed=bool(left),
        )
    return result


def wanted_file(params: dict[str, Any], path: str, found: FoundFile) -> WantedFile:
    """The file that is asked for; the one that is there where none is."""
    owner = look(params["data_directory"]).owner or look(os.path.dirname(params["config_file"])).owner
    if params["settings"] is None:
        return WantedFile(path, found.text, owner, found.mode or "0644")
    return WantedFile(path, settings_file(params["settings"], params["comment"]), owner)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            settings={"type": "dict"},
            comment={"type": "str", "default": "Owned by pgfleet.cluster. Changes made here are lost."},
            data_directory={"type": "path", "required": True},
            config_file={"type": "path", "required": True},
            bin_dir={"type": "path"},
            state={"type": "str", "default": "present", "choices": ["checked", "present"]},
            rehearse={"type": "bool", "default": True},
        ),
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
