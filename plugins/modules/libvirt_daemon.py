#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_daemon
short_description: Start and stop libvirt on a machine without systemd
version_added: 1.0.0
description:
  - Starts C(virtlogd) and C(libvirtd) directly, where nothing else runs them, for example in a container or a network namespace.
  - Refuses when a libvirt answers that is in another network namespace, because the networks of that one cannot be reached.
  - Stops only what it has started. Machines go on running without C(libvirtd).
  - Where systemd runs the machine, use M(ansible.builtin.systemd_service).
options:
  state:
    description: V(started) or V(stopped).
    type: str
    default: started
    choices: [started, stopped]
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Start libvirt
  pgfleet.cluster.libvirt_daemon:
  become: true

- name: Stop it again
  pgfleet.cluster.libvirt_daemon:
    state: stopped
  become: true
"""

RETURN = r"""
before:
  description: The daemons that answered, with their process.
  returned: success
  type: dict
  sample: {}
after:
  description: The daemons that answer now; in check mode null stands for the process of one that would be started.
  returned: success
  type: dict
  sample: {virtlogd: 4711, libvirtd: 4712}
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._vm.libvirtd import (
    DAEMONS,
    listener,
    refuse_elsewhere,
    start,
    started_by_us,
    stop,
)


def running() -> dict[str, int]:
    found = {daemon.program: listener(daemon.socket_path) for daemon in DAEMONS}
    return {program: pid for program, pid in found.items() if pid is not None}


def bring_up(check_mode: bool, before: dict[str, int]) -> dict[str, int | None]:
    missing = [daemon for daemon in DAEMONS if daemon.program not in before]
    if check_mode:
        return {**before, **{daemon.program: None for daemon in missing}}
    for daemon in missing:
        start(daemon)
    return {**running()}


def take_down(check_mode: bool, before: dict[str, int]) -> dict[str, int | None]:
    ours = [daemon for daemon in DAEMONS if daemon.program in before and started_by_us(daemon, before[daemon.program])]
    for daemon in reversed(ours if not check_mode else []):
        stop(daemon, before[daemon.program])
    names = {daemon.program for daemon in ours}
    return {program: pid for program, pid in before.items() if program not in names}


def run(module: AnsibleModule) -> dict[str, Any]:
    before = running()
    refuse_elsewhere(before.get("libvirtd"))
    act = bring_up if module.params["state"] == "started" else take_down
    after = act(module.check_mode, before)
    return {
        "changed": set(before) != set(after),
        "before": before,
        "after": after,
        "diff": {"before": {"running": list(before)}, "after": {"running": list(after)}},
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={"state": {"type": "str", "default": "started", "choices": ["started", "stopped"]}},
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
