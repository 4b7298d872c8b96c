# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The ansible-playbook process that a task belongs to: who it is, and whether one like it still lives."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

#: Token of the run that started this one as a part of itself.
INHERITED = "PGFLEET_RESERVATION"


@dataclass(frozen=True)
class ControlProcess:
    """A process by its number and its start, as numbers are used again; ``machine`` is where they mean something."""

    machine: str
    pid: int
    start: str

    @property
    def alive(self) -> bool:
        """Whether it runs here; one that only waits to be buried does not."""
        return process_start(self.pid) == self.start

    @property
    def dead(self) -> bool:
        """Known to be dead: it was of this machine and does not run any more."""
        return self.machine == this_machine() and not self.alive

    @property
    def token(self) -> str:
        return f"{platform.node()}-{self.pid}-{self.start}"


def this_machine() -> str:
    """This boot of this machine, and the space in which process numbers are counted (containers have their own)."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def process_start(pid: int) -> str:
    """When a process started, in the system's own unit; empty for one that is not there or has ended."""
    try:
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return "" if os.path.isdir("/proc/self") else _without_proc(pid)
    return "" if state in "ZX" else rest[18]


def _without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"


def control_process() -> ControlProcess:
    """The parent of the worker that runs this task."""
    pid = os.getppid()
    return ControlProcess(this_machine(), pid, process_start(pid))


def began(process: ControlProcess) -> float:
    """When it started, in seconds since the epoch."""
    try:
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        return time.time() - uptime + int(process.start) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return time.time()


def user_name() -> str:
    """Who started the run; sudo tells who that was in truth."""
    with contextlib.suppress(KeyError, OSError, ImportError):
        return os.environ.get("SUDO_USER") or getpass.getuser()
    return str(os.getuid())
