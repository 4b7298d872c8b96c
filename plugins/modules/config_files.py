#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Write the small files of one server in one call
version_added: 1.0.0
description:
  - Makes directories and files with the given content, owner and mode, all in one call.
    A task for each file costs more than starting the server.
  - All files are validated before the first is written, and each is renamed into its place.
  - For files that nobody else writes to. Rules of C(pg_hba.conf) are for M(pgfleet.cluster.hba_rules).
options:
  owner:
    description: User, and its primary group, that everything belongs to.
    type: str
    default: postgres
  directories:
    description: Directories to make where they are missing. Those that are there stay as they are.
    type: list
    elements: path
    default: []
  directory_mode:
    description: Mode of directories that are made.
    type: str
    choices: ["0755", "0750", "0700"]
    default: "0755"
  files:
    description: The files. Each has either O(files[].content) or O(files[].secret_content).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file lies.
        type: path
        required: true
      content:
        description: The text of the file.
        type: str
      secret_content:
        description: The text of a file that is never shown, neither in the difference nor in a log.
        type: str
      mode:
        description: Mode as an octal number in quotes. Default is V(0644), and V(0600) for a secret.
        type: str
      keep:
        description: Leave a file alone that is there already, whatever is in it.
        type: bool
        default: false
      validate:
        description:
          - Command, as a list of words, that must succeed on the new content before anything is written.
            C(%s) stands for a temporary file that holds the content.
        type: list
        elements: str
        default: []
requirements:
  - python >= 3.9
notes:
  - On failure RV(ignore:code) is one of C(invalid_input), C(invalid_file), C(no_such_user), C(os_error).
extends_documentation_fragment:
  - pgfleet.cluster.attributes
seealso:
  - module: pgfleet.cluster.hba_rules
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Configure the server
  pgfleet.cluster.config_files:
    directories:
      - /etc/postgresql/17/main/conf.d
    files:
      - path: /etc/postgresql/17/main/conf.d/fleet.conf
        content: |
          work_mem = '8MB'
        validate: [/usr/lib/postgresql/17/bin/postgres, -C, port, -D, /, --config-file=%s]
      - path: /etc/postgresql/17/main/replication.pgpass
        secret_content: "192.168.122.100:5432:replication:replicator:{{ password }}\n"
"""

RETURN = r"""
written:
  description: Directories that were made and files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/postgresql/15/main/conf.d/pgfleet.conf]
"""

import os
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files import WantedFile, file_diff, files_to_write
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files_io import (
    look,
    make_directory,
    user_called,
    validate,
    write,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    wanted = [WantedFile.from_params(options, params["owner"]) for options in params["files"]]
    found = {file.path: look(file.path) for file in wanted}
    directories = [path for path in params["directories"] if not os.path.isdir(path)]
    files = files_to_write(wanted, found)
    for file in files:
        validate(file)
    if (files or directories) and not module.check_mode:
        user = user_called(params["owner"])
        for path in directories:
            make_directory(path, user, params["directory_mode"])
        for file in files:
            write(file, user)
    written = directories + [file.path for file in files]
    return {
        "changed": bool(written),
        "written": written,
        "diff": [file_diff(file, found[file.path]) for file in files],
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "default": "postgres"},
            "directories": {"type": "list", "elements": "path", "default": []},
            "directory_mode": {"type": "str", "default": "0755", "choices": ["0755", "0750", "0700"]},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str"},
                    "secret_content": {"type": "str", "no_log": True},
                    "mode": {"type": "str"},
                    "keep": {"type": "bool", "default": False},
                    "validate": {"type": "list", "elements": "str", "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
