# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Start, stop and reload the server of a data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .._datadir.facts import find_server
from .._errors import InvalidInput, PgFleetError
from .._host.processes import children
from .._postgres.pid_file import read_pid_file
from .._postgres.words import reason_of

LOG_LINES = 15
_LOG_BYTES = 65536
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class ServerControl:
    """How the server of a data directory is started and stopped: by its unit where there is one, else by pg_ctl."""

    data_directory: str
    bin_dir: str
    unit: str = ""
    config_file: str | None = None
    log_file: str | None = None
    settings_file: str | None = None
    stop_mode: str = "fast"
    timeout: int = 60
    more_options: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any], bin_dir: str) -> ServerControl:
        """As the options of the module server say."""
        names = ("data_directory", "unit", "config_file", "log_file", "settings_file", "stop_mode", "timeout")
        return cls(bin_dir=bin_dir, **{name: params[name] for name in names})


def pg_ctl(control: ServerControl, action: str) -> list[str]:
    command = [os.path.join(control.bin_dir, "pg_ctl"), action, "--silent", f"--pgdata={control.data_directory}"]
    if action == "reload":
        return command
    command += ["--wait", f"--timeout={control.timeout}"]
    if action != "start":
        command.append(f"--mode={control.stop_mode}")
    if action != "stop":
        refuse_no_log(control)
        command.append(f"--log={control.log_file}")
        command += ["--options", f"-c config_file={control.config_file}"] if control.config_file else []
        command += ["--options", control.more_options] if control.more_options else []
    return command


def refuse_no_log(control: ServerControl) -> None:
    """A server that pg_ctl starts without a log keeps the output of whoever started it, and holds it open."""
    if not control.unit and not control.log_file:
        raise InvalidInput(
            f"log_file is missing: pg_ctl is to start the server of '{control.data_directory}', whose output needs a file.",
            "Give log_file, or the systemd unit that runs the server.",
            "log_file_missing",
        )


def tail(path: str | None, offset: int) -> str:
    """The last lines that were written to a log after a position."""
    if not path or not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as log:
        log.seek(offset)
        return "".join(log.readlines()[-LOG_LINES:]).strip()


def new_text(path: str | None, offset: int) -> str:
    """What was written to a log after a position, the end of it when that is much."""
    if not path or not os.path.exists(path):
        return ""
    with open(path, "rb") as log:
        log.seek(max(offset, os.path.getsize(path) - _LOG_BYTES))
        return log.read().decode(errors="replace")


def act(control: ServerControl, action: str) -> None:
    """Do the action with the unit's systemd or with pg_ctl, and wait until it is done."""
    log = control.log_file
    offset = os.path.getsize(log) if log and os.path.exists(log) else 0
    command = ["systemctl", action, control.unit] if control.unit else pg_ctl(control, action)
    # A unit's own patience may be an hour.
    patience = control.timeout if control.unit and action == "stop" else None
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            cwd="/", env={**os.environ, "PG_OOM_ADJUST_FILE": "/proc/self/oom_score_adj"}, timeout=patience,
        )  # fmt: skip
        failed, words = bool(done.returncode), " ".join(done.stdout.split())
    except subprocess.TimeoutExpired:
        failed, words = True, f"{control.unit} has not done so after {patience} s"
    if failed:
        told = reason_of(new_text(log, offset)) if action in ("start", "restart") else ""
        raise PgFleetError(
            f"Could not {action} the server of {control.data_directory}: {told or words}",
            f"Its log ends with: {tail(log, offset) or 'nothing new'}",
            "server_action_failed",
            reason=told or words,
        )


def refuse_running(path: str, unit: str) -> None:
    """A unit that did not start the server says that it is stopped, whatever runs."""
    pid = find_server(path)
    if pid is not None:
        raise PgFleetError(
            f"The server of {path} still runs, process {pid}, although {unit or 'pg_ctl'} was told to stop it.",
            "Stop it in the way it was started.",
            "server_action_failed",
        )


def stop(control: ServerControl, kill: bool) -> None:
    """Stop the server, which is then gone; one that does not listen is killed where that is allowed."""
    try:
        act(control, "stop")
        refuse_running(control.data_directory, control.unit)
    except PgFleetError:
        if not kill:
            raise
        kill_server(control.data_directory)


def is_stopping(path: str) -> bool:
    """Whether the server of a data directory was told to stop and has not come to its end (line 8 of postmaster.pid)."""
    return read_pid_file(path).state == "stopping"


def await_end(path: str, seconds: float) -> None:
    """Wait until the server of a data directory, which was told to stop, has come to its end."""
    pid = _left_after(path, seconds)
    if pid is not None:
        raise PgFleetError(
            f"The server of {path}, process {pid}, was told to stop and has not come to its end after {seconds} s.",
            "Its log says what it waits for; a standby that is frozen holds it up for wal_sender_timeout.",
            "busy",
        )


def _left_after(path: str, seconds: float) -> int | None:
    """Wait until no server runs in a data directory any more; its process when one still does in the end."""
    deadline = time.monotonic() + seconds
    while (pid := find_server(path)) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return pid


def kill_server(path: str) -> None:
    """End the server of a data directory and all of its processes; a frozen one hears nothing else."""
    pid = find_server(path)
    if pid is None:
        return
    for each in (pid, *children(pid)):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    if _left_after(path, _KILL_SECONDS) is not None:
        raise PgFleetError(f"Process {pid} of '{path}' cannot be killed.", "Restart the machine.", "busy")
