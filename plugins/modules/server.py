#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: server
short_description: Start, stop, restart or reload the server of one data directory, and say whether it starts with the machine
version_added: 1.0.0
description:
  - Uses systemd where a unit is given, and C(pg_ctl) otherwise, so it serves with and without systemd.
  - Waits until the server accepts connections, and says with the end of its log why it does not.
  - Source is the PostgreSQL manual, sections pg_ctl and Shutting Down the Server.
options:
  data_directory:
    description: Data directory of the server.
    type: path
    required: true
  state:
    description:
      - V(started) and V(stopped) change nothing when the server is in that state. A server that is still stopping is not V(started); it
        comes to its end first.
      - V(restarted) starts a server that is stopped. V(reloaded) needs one that runs.
    type: str
    default: started
    choices: [started, stopped, restarted, reloaded]
  unit:
    description: Unit of systemd that runs the server, for example V(postgresql@17-main). Empty means C(pg_ctl). With a unit, run the task as C(root).
    type: str
    default: ""
  bin_dir:
    description: Directory of the server's programs. Default is that of the data directory's version.
    type: path
  config_file:
    description: The server's main configuration file, where that is not in the data directory.
    type: path
  log_file:
    description: File for the server's output. Required where O(unit) is empty and the server is started or restarted.
    type: path
  settings_file:
    description:
      - The file that M(pgfleet.cluster.server_settings) writes. A server that does not start with it starts with the file of before, which
        lies beside it as long as it is needed; where there is none, with the values that were in force before it was stopped. The task
        fails all the same, with C(settings_refused) and the server's own reason.
    type: path
  stop_mode:
    description: How to stop. V(fast) ends sessions, V(smart) waits for them, V(immediate) leaves recovery to the next start.
    type: str
    default: fast
    choices: [fast, smart, immediate]
  timeout:
    description: Seconds to wait for C(pg_ctl), for a server that is still stopping, and before O(kill).
    type: int
    default: 60
  start:
    description:
      - Who may start the server, as C(start.conf) of Debian's packages says it. V(auto) is the boot of the machine too, V(manual) only
        C(pg_ctlcluster) and the unit, V(disabled) neither. Written before the server is started or stopped.
      - Without it the file stays as it is. A missing file means V(auto).
    type: str
    choices: [auto, manual, disabled]
  start_conf:
    description: That file, for example C(/etc/postgresql/17/main/start.conf). Required by O(start).
    type: path
  kill:
    description:
      - Kill a server that has not stopped in O(timeout), with all of its processes. For one that must not write any more, such as a frozen
        primary that is being replaced. The next start recovers.
    type: bool
    default: false
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Start the server, where systemd runs the machine and where it does not
  pgfleet.cluster.server:
    data_directory: /var/lib/postgresql/17/main
    config_file: /etc/postgresql/17/main/postgresql.conf
    log_file: /var/log/postgresql/postgresql-17-main.log
  become: true
  become_user: postgres

- name: Stop it
  pgfleet.cluster.server:
    data_directory: /var/lib/postgresql/17/main
    unit: postgresql@17-main
    state: stopped
  become: true

- name: Fence a primary that is being replaced
  pgfleet.cluster.server:
    data_directory: /var/lib/postgresql/17/main
    state: stopped
    start: disabled
    start_conf: /etc/postgresql/17/main/start.conf
    timeout: 5
    kill: true
  become: true
  become_user: postgres
"""

RETURN = r"""
before:
  description: State before. One of V(running) and V(stopped).
  returned: success
  type: str
  sample: stopped
after:
  description: State afterwards; in check mode the state that would be reached.
  returned: success
  type: str
  sample: running
start:
  description: Who may start it, now or after the change. Null without O(start_conf).
  returned: success
  type: str
  sample: auto
pid:
  description: Process of the server now.
  returned: success
  type: int
  sample: 20131
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 0.118
"""

import time
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import inspect, programs_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.control import (
    ServerControl,
    act,
    await_end,
    is_stopping,
    refuse_no_log,
    stop,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.plan import ACTIONS, plan_server
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.start import start_or_go_back
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.start_conf import read_start, write_start


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    bin_dir = programs_of(params["data_directory"], params["bin_dir"])
    control = ServerControl.from_params(params, bin_dir)
    started = time.monotonic()
    pid = inspect(params["data_directory"], bin_dir).server_pid
    before = "running" if pid else "stopped"
    stopping = bool(pid) and is_stopping(params["data_directory"])
    action, after = plan_server(params["state"], bool(pid), stopping)
    if action in ("start", "restart"):
        refuse_no_log(control)
    start = read_start(params["start_conf"]) if params["start_conf"] else None
    allowed = params["start"] or start
    if allowed and allowed != start and not module.check_mode:
        write_start(params["start_conf"], allowed)
    if action and not module.check_mode:
        if action == "start" and stopping:
            await_end(params["data_directory"], params["timeout"])
        if action == "stop":
            stop(control, params["kill"])
        elif action in ("start", "restart"):
            start_or_go_back(control, action)
        else:
            act(control, action)
        pid = inspect(params["data_directory"], bin_dir).server_pid
    return {
        "changed": action is not None or allowed != start,
        "before": before,
        "after": after,
        "start": allowed,
        "pid": pid,
        "seconds": round(time.monotonic() - started, 3),
        "diff": {"before": {"state": before, "start": start}, "after": {"state": after, "start": allowed}},
    }


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "data_directory": {"type": "path", "required": True},
            "state": {"type": "str", "default": "started", "choices": list(ACTIONS)},
            "unit": {"type": "str", "default": ""},
            "bin_dir": {"type": "path"},
            "config_file": {"type": "path"},
            "log_file": {"type": "path"},
            "settings_file": {"type": "path"},
            "stop_mode": {"type": "str", "default": "fast", "choices": ["fast", "smart", "immediate"]},
            "timeout": {"type": "int", "default": 60},
            "start": {"type": "str", "choices": ["auto", "manual", "disabled"]},
            "start_conf": {"type": "path"},
            "kill": {"type": "bool", "default": False},
        },
        required_by={"start": ["start_conf"]},
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
