# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Start, stop and reload the server of a data directory; ``params`` are options of the module server."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ._datadir import find_server
from ._errors import PgFleetError

LOG_LINES = 15
_KILL_SECONDS = 5.0


def pg_ctl(params: Mapping[str, Any], action: str, bin_dir: str) -> list[str]:
    command = [os.path.join(bin_dir, "pg_ctl"), action, "--silent", f"--pgdata={params['data_directory']}"]
    if action == "reload":
        return command
    command += ["--wait", f"--timeout={params['timeout']}"]
    if action != "start":
        command.append(f"--mode={params['stop_mode']}")
    if action != "stop":
        command += [f"--log={params['log_file']}"] if params["log_file"] else []
        command += ["--options", f"-c config_file={params['config_file']}"] if params["config_file"] else []
    return command


def tail(path: str | None, offset: int) -> str:
    """The last lines that were written to a log after a position."""
    if not path or not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as log:
        log.seek(offset)
        return "".join(log.readlines()[-LOG_LINES:]).strip()


def act(params: Mapping[str, Any], action: str, bin_dir: str) -> None:
    """Do the action with the unit's systemd or with pg_ctl, and wait until it is done."""
    log = params["log_file"]
    offset = os.path.getsize(log) if log and os.path.exists(log) else 0
    command = ["systemctl", action, params["unit"]] if params["unit"] else pg_ctl(params, action, bin_dir)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        cwd="/", env={**os.environ, "PG_OOM_ADJUST_FILE": "/proc/self/oom_score_adj"},
    )  # fmt: skip
    if done.returncode:
        words = " ".join(done.stdout.split())
        raise PgFleetError(
            f"Could not {action} the server of {params['data_directory']}: {words}",
            f"Its log ends with: {tail(log, offset) or 'nothing new'}",
            "server_action_failed",
        )


def kill_server(path: str) -> None:
    """End the server of a data directory and all of its processes; a frozen one hears nothing else."""
    pid = find_server(path)
    if pid is None:
        return
    for each in (pid, *_children(pid)):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    while find_server(path) is not None:
        if time.monotonic() >= deadline:
            raise PgFleetError(f"Process {pid} of '{path}' cannot be killed.", "Restart the machine.", "busy")
        time.sleep(0.02)


def _children(parent: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            if int(file.read().rpartition(")")[2].split()[1]) == parent:
                found.append(int(name))
    return found
