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
  - For files that nobody else writes to. Rules of C(pg_hba.conf) are for M(community.postgresql.postgresql_pg_hba).
options:
  owner:
    description: User, and its primary group, that everything belongs to.
    type: str
    default: postgres
  directories:
    description: Directories to make, with mode C(0755), where they are missing. Those that are there stay as they are.
    type: list
    elements: path
    default: []
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
  - module: community.postgresql.postgresql_pg_hba
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
import pwd
import stat
import subprocess
import tempfile
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._files import (
    FoundFile,
    WantedFile,
    digest_of,
    file_diff,
    files_to_write,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._machine import owner_name


class FileRefused(PgFleetError):
    """The content of a file is not accepted by its own check."""

    code = "invalid_file"


def user_called(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise PgFleetError(
            f"This machine has no user '{name}'.", "Install PostgreSQL first, or give another owner.", "no_such_user"
        ) from error


def look(path: str) -> FoundFile:
    """What lies at a path; a link or a directory is found, and is never like a file that is wanted."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return FoundFile()
    content = b""
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            content = file.read()
    owner, mode = owner_name(status.st_uid), f"{stat.S_IMODE(status.st_mode):04o}"
    digest = digest_of(content) if stat.S_ISREG(status.st_mode) else "not a regular file"
    return FoundFile(digest, owner, mode, content.decode(errors="replace"))


def validate(file: WantedFile) -> None:
    """Let the file's own command judge the new content."""
    if not file.validate:
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as draft:
        draft.write(file.text)
        draft.flush()
        command = [word.replace("%s", draft.name) for word in file.validate]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = " ".join(done.stderr.replace(draft.name, file.path).split())
        raise FileRefused(f"The new content of '{file.path}' is not valid: {said}", "Nothing was written.")


def make_directory(path: str, user: pwd.struct_passwd) -> None:
    """Make a directory and the missing ones above it."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_directory(parent, user)
    os.mkdir(path, 0o755)
    os.chmod(path, 0o755)
    os.chown(path, user.pw_uid, user.pw_gid)


def write(file: WantedFile, user: pwd.struct_passwd) -> None:
    """Write a file beside its place and rename it."""
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(file.path), prefix=f".{os.path.basename(file.path)}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(file.text)
            os.fchown(stream.fileno(), user.pw_uid, user.pw_gid)
            os.fchmod(stream.fileno(), int(file.mode, 8))
        os.rename(draft, file.path)
    except BaseException:
        os.unlink(draft)
        raise


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
            make_directory(path, user)
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
    try:
        result = run(module)
    except PgFleetError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}. Nothing else was written.", code="os_error")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
