# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(fleet_lock): who asks, whether the others still live, and who keeps the note fresh."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.keeper import start_keeper
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.process import (
    INHERITED,
    ControlProcess,
    began,
    control_process,
    user_name,
)

POLL_SECONDS = 0.3
#: What a run that started earlier is given to end: it may have ended just now.
GRACE_SECONDS = 1.0
RENEWALS_PER_LEASE = 4


class ActionModule(ActionBase):
    """Reserve this node for the run that the task belongs to."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        process = control_process()
        own = {
            "token": os.environ.get(INHERITED) or process.token,
            "user": user_name(),
            "host": platform.node(),
            "machine": process.machine,
            "pid": process.pid,
            "pid_start": process.start,
            "began": began(process),
        }
        answer = self._ask(own, task_vars or {})
        if answer.pop("new", False) and not self._task.check_mode:
            self._keep(process, answer["path"], float(self._task.args.get("lease", 60)))
        return {**result, **answer}

    def _ask(self, own: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The node's answer, once it is ours, or once its holder has been given its time."""
        started = time.monotonic()
        patience = 0.0 if self._task.check_mode else float(self._task.args.get("wait", 10))
        dead: list[str] = []
        while True:
            arguments = {**self._task.args, "reservation": {**own, "operation": ""}, "displaced": dead}
            answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
            holders = answer.get("holders") or []
            found = [each["token"] for each in holders if _is_dead(each) and each["token"] not in dead]
            dead += found
            older = any((each["began"], each["token"]) < (own["began"], own["token"]) for each in holders)
            waited = time.monotonic() - started
            if not holders or (not found and waited >= (min(patience, GRACE_SECONDS) if older else patience)):
                return answer
            time.sleep(0 if found else POLL_SECONDS)

    def _keep(self, process: ControlProcess, path: str, lease: float) -> None:
        note = shlex.quote(path)

        def do(command: str) -> None:
            with contextlib.suppress(Exception):  # the run that would have shown it may have ended
                Display().set_queue(None)  # type: ignore[arg-type]
            self._low_level_execute_command(command)  # type: ignore[no-untyped-call]

        start_keeper(process, lease / RENEWALS_PER_LEASE, lambda: do(f"touch -c {note}"), lambda: do(f"rm -f {note}"))


def _is_dead(holder: dict[str, Any]) -> bool:
    return ControlProcess(holder["machine"], holder["pid"], holder["pid_start"]).dead
