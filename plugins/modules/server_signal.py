#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: server_signal
short_description: Kill, freeze or thaw every process of one PostgreSQL server, for drills, or end its WAL receiver
version_added: 1.0.0
description:
  - Sends a signal to the server of one data directory and to all of its processes, as a crash of the machine or a frozen virtual machine
    would hit them. Processes of other servers are never touched.
  - V(kill) returns when no process is left, so that the server can be started again at once.
  - Source is the PostgreSQL manual, section Shutting Down the Server, which says why nobody does this to a server that matters.
options:
  data_directory:
    description: Data directory of the server.
    type: path
    required: true
  bin_dir:
    description: Directory of the server's programs. Default is that of the data directory's version.
    type: path
  signal:
    description:
      - V(kill) is SIGKILL, V(freeze) is SIGSTOP, V(thaw) is SIGCONT. V(thaw) is content when no server runs.
      - V(end_receiver) is SIGTERM for the WAL receiver of a standby alone, of which the server starts another. For one that hangs while it
        connects; no SQL function reaches it.
    type: str
    required: true
    choices: [kill, freeze, thaw, end_receiver]
  pid:
    description: Process of the WAL receiver that V(end_receiver) is for. Another one is left alone, and nothing changes.
    type: int
extends_documentation_fragment:
  - pgfleet.cluster.attributes
attributes:
  diff_mode:
    description: There is nothing to show.
    support: none
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Kill the server as a crash would
  pgfleet.cluster.server_signal:
    data_directory: /var/lib/postgresql/17/main
    signal: kill
  become: true
  become_user: postgres

- name: End a WAL receiver that hangs
  pgfleet.cluster.server_signal:
    data_directory: /var/lib/postgresql/17/main
    signal: end_receiver
    pid: "{{ status.status.connecting.pid }}"
  become: true
  become_user: postgres
"""

RETURN = r"""
pids:
  description: The processes that were there; the first one is the server itself. With V(end_receiver) only the WAL receiver.
  returned: success
  type: list
  elements: int
  sample: [20131, 20133, 20134, 20136, 20137]
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import inspect, programs_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.processes import (
    STOPPED,
    Process,
    family,
    read_processes,
    words,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude

SIGNALS = {
    "kill": signal.SIGKILL,
    "freeze": signal.SIGSTOP,
    "thaw": signal.SIGCONT,
    "end_receiver": signal.SIGTERM,
}
WAIT_SECONDS = 10


def receivers(pids: Iterable[int], wanted: int | None) -> list[int]:
    """The WAL receiver among the processes of a server."""
    return [
        pid
        for pid in (pids if wanted is None else set(pids) & {wanted})
        if any("walreceiver" in word for word in words(pid))
    ]


def reached(name: str, pids: Iterable[int], processes: Mapping[int, Process]) -> bool:
    """Whether the processes are in the state that the signal leads to."""
    states = [processes[pid].state for pid in pids if pid in processes]
    if name in ("kill", "end_receiver"):
        return not states  # a zombie still has its number, and a new server would take it for a living one
    return all((state == STOPPED) == (name == "freeze") for state in states)


def send(name: str, pids: list[int]) -> None:
    """The server first, so that it starts nothing more, but thawed last."""
    for pid in reversed(pids) if name == "thaw" else pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, SIGNALS[name])
    deadline = time.monotonic() + WAIT_SECONDS
    while not reached(name, pids, read_processes()):
        if time.monotonic() > deadline:
            raise PgFleetError(f"Processes {pids} took no notice of the signal.", "See what holds them.", "still_there")
        time.sleep(0.01)


def run(module: AnsibleModule) -> dict[str, Any]:
    directory = module.params["data_directory"]
    pid = inspect(directory, programs_of(directory, module.params["bin_dir"])).server_pid
    if not pid and module.params["signal"] != "thaw":
        raise PgFleetError(f"No server runs in {directory}.", "Start it first.", "not_running")
    processes = read_processes()
    pids = family(pid, processes) if pid else []
    if module.params["signal"] == "end_receiver":
        pids = receivers(pids, module.params["pid"])
    changed = not reached(module.params["signal"], pids, processes)
    if changed and not module.check_mode:
        send(module.params["signal"], pids)
    return {"changed": changed, "pids": pids}


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "data_directory": {"type": "path", "required": True},
            "bin_dir": {"type": "path"},
            "pid": {"type": "int"},
            "signal": {"type": "str", "required": True, "choices": list(SIGNALS)},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
