#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_keys
short_description: Keep the SSH keys of a fleet of machines before there are any machines
version_added: 1.0.0
description:
  - Makes an ed25519 key pair for the user, one for each machine as its host key, and a C(known_hosts) file with these host keys. A machine that
    gets its host key at its first boot is then known to everybody who uses the file, and host key checking can stay on.
  - Keys that are there are never recreated. Private keys are readable by their owner alone.
requirements:
  - C(ssh-keygen)
options:
  state:
    description: V(absent) removes the named machines' keys and, when no other machine's are left, the directory.
    type: str
    default: present
    choices: [present, absent]
  directory:
    description:
      - Directory of the keys. It holds C(id_ed25519), C(known_hosts) and, below C(hosts), a key pair named as each machine.
    type: path
    required: true
  machines:
    description: The machines and their addresses.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the machine.
        type: str
        required: true
      address:
        description: Address by which it is reached, beside its name.
        type: str
        default: ""
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Make keys for two machines
  pgfleet.cluster.ssh_keys:
    directory: ~/.config/pgfleet/lab-machines
    machines:
      - {name: node1, address: 192.168.122.101}
      - {name: node2, address: 192.168.122.102}
"""

RETURN = r"""
made:
  description: Names of the keys that were made; C(id_ed25519) is the user's.
  returned: success
  type: list
  elements: str
  sample: [id_ed25519, node1, node2]
removed:
  description: Names of the machines whose keys were removed.
  returned: success
  type: list
  elements: str
  sample: []
known_hosts:
  description: Path of the file with the host keys.
  returned: success
  type: str
  sample: /home/anna/.config/pgfleet/lab-machines/known_hosts
"""

import os
import re
import subprocess
from contextlib import suppress
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput, PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude

USER_KEY = "id_ed25519"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Keys:
    """The directory. A key pair is there when its public part, which is written last, is."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.known_hosts = os.path.join(directory, "known_hosts")

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name) if name == USER_KEY else os.path.join(self.directory, "hosts", name)

    def has(self, name: str) -> bool:
        return all(os.path.exists(self.path(name) + end) for end in ("", ".pub"))

    def public(self, name: str) -> str:
        """Type and key, without the comment."""
        with open(self.path(name) + ".pub", encoding="utf-8") as file:
            return " ".join(file.read().split()[:2])

    def make(self, name: str) -> None:
        path = self.path(name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self.remove(name)
        incoming = path + ".incoming"
        for end in ("", ".pub"):
            with suppress(FileNotFoundError):
                os.unlink(incoming + end)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"pgfleet {name}", "-f", incoming]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise PgFleetError("ssh-keygen is missing.", "Install OpenSSH's client.", "program_missing") from error
        if done.returncode:
            raise PgFleetError(f"ssh-keygen failed: {done.stderr.strip()}", "", "command_failed")
        os.replace(incoming, path)
        os.replace(incoming + ".pub", path + ".pub")

    def remove(self, name: str) -> None:
        for end in (".pub", ""):
            with suppress(FileNotFoundError):
                os.unlink(self.path(name) + end)

    def host_names(self) -> list[str]:
        with suppress(FileNotFoundError):
            names = os.listdir(os.path.join(self.directory, "hosts"))
            return sorted(name for name in names if name + ".pub" in names)
        return []

    def read_known_hosts(self) -> list[str]:
        with suppress(FileNotFoundError), open(self.known_hosts, encoding="utf-8") as file:
            return file.read().splitlines()
        return []

    def write_known_hosts(self, lines: list[str]) -> None:
        incoming = self.known_hosts + ".incoming"
        with open(incoming, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        os.chmod(incoming, 0o644)
        os.replace(incoming, self.known_hosts)

    def remove_all(self) -> None:
        """What this module has made, and directories that are then empty."""
        self.remove(USER_KEY)
        with suppress(FileNotFoundError):
            os.unlink(self.known_hosts)
        for path in (os.path.join(self.directory, "hosts"), self.directory):
            with suppress(OSError):
                os.rmdir(path)


def known_line(machine: dict[str, Any], public: str) -> str:
    return f"{','.join(filter(None, (machine['name'], machine['address'])))} {public}"


def names_of(line: str) -> set[str]:
    return set(line.split(" ", 1)[0].split(","))


def others(lines: list[str], machines: list[dict[str, Any]]) -> list[str]:
    """Lines of machines that are not named and hold none of their addresses."""
    named = {word for machine in machines for word in (machine["name"], machine["address"]) if word}
    return [line for line in lines if not names_of(line) & named]


def present(keys: Keys, machines: list[dict[str, Any]], check_mode: bool) -> dict[str, Any]:
    missing = [name for name in (USER_KEY, *(machine["name"] for machine in machines)) if not keys.has(name)]
    if missing and check_mode:
        return {"made": missing, "changed": True}
    for name in missing:
        keys.make(name)
    before = keys.read_known_hosts()
    after = sorted(
        [*others(before, machines), *(known_line(machine, keys.public(machine["name"])) for machine in machines)]
    )
    if before != after and not check_mode:
        keys.write_known_hosts(after)
    return {"made": missing, "changed": bool(missing) or before != after, "before": before, "after": after}


def absent(keys: Keys, machines: list[dict[str, Any]], check_mode: bool) -> dict[str, Any]:
    there = keys.host_names()
    removed = [machine["name"] for machine in machines if machine["name"] in there]
    last = set(there) <= set(removed) and (bool(there) or keys.has(USER_KEY))
    before = keys.read_known_hosts()
    after = [] if last else others(before, machines)
    if not check_mode:
        for name in removed:
            keys.remove(name)
        if last:
            keys.remove_all()
        elif before != after:
            keys.write_known_hosts(after)
    return {"removed": removed, "changed": bool(removed) or last or before != after, "before": before, "after": after}


def run(module: AnsibleModule) -> dict[str, Any]:
    machines: list[dict[str, Any]] = module.params["machines"]
    for machine in machines:
        if not _NAME.fullmatch(machine["name"]) or machine["name"] == USER_KEY:
            raise InvalidInput(f"'{machine['name']}' is not a name for a machine.", "Use a host name.")
    keys = Keys(module.params["directory"])
    act = present if module.params["state"] == "present" else absent
    result = act(keys, machines, module.check_mode)
    diff = {side: "".join(f"{line}\n" for line in result.pop(side, [])) for side in ("before", "after")}
    return {"made": [], "removed": [], "known_hosts": keys.known_hosts, "diff": diff, **result}


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "directory": {"type": "path", "required": True},
            "machines": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "default": ""}},
            },
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
