# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The daemons of libvirt on a machine without systemd: who answers on their sockets, start, stop."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass

from .._errors import PgFleetError
from .._host.machine import read_text

RUN_DIRECTORY = "/run/libvirt"
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Daemon:
    """One program, its socket and the file with its process number; below /run/libvirt, so that a private one is enough."""

    program: str
    socket_name: str

    @property
    def socket_path(self) -> str:
        return f"{RUN_DIRECTORY}/{self.socket_name}"

    @property
    def pid_file(self) -> str:
        return f"{RUN_DIRECTORY}/pgfleet-{self.program}.pid"


# In the order of their start: the console logs of machines go through virtlogd.
DAEMONS = (Daemon("virtlogd", "virtlogd-sock"), Daemon("libvirtd", "libvirt-sock"))


def listener(path: str) -> int | None:
    """Process that made the socket of a path listen; None when nobody answers there. 0 for one that cannot be seen."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(path)
        except OSError:
            return None
        size = struct.calcsize("3i")
        return int(struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0])


def is_here(pid: int) -> bool:
    """Whether a process is in our own network namespace; bridges and machines of another one cannot be reached from here."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return False


def refuse_elsewhere(pid: int | None) -> None:
    if pid is not None and not is_here(pid):
        raise PgFleetError(
            f"libvirt runs already, but in another network namespace (process {pid}), so its networks cannot be reached from here.",
            "Run this in that namespace, stop that libvirt, or give this run its own /run/libvirt.",
            "libvirt_elsewhere",
        )


def started_by_us(daemon: Daemon, pid: int) -> bool:
    return read_text(daemon.pid_file).strip() == str(pid)


def start(daemon: Daemon) -> None:
    """Return when the daemon listens: with --daemon the program waits until it does."""
    os.makedirs(RUN_DIRECTORY, mode=0o755, exist_ok=True)
    done = subprocess.run(
        [daemon.program, "--daemon", "--pid-file", daemon.pid_file],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd="/",
    )  # fmt: skip
    if done.returncode or listener(daemon.socket_path) is None:
        raise PgFleetError(
            f"{daemon.program} does not start: {' '.join(done.stdout.split()) or 'it said nothing'}.",
            f"Run '{daemon.program} --verbose' by hand and read what it says.",
            "libvirt_start_failed",
        )


def stop(daemon: Daemon, pid: int) -> None:
    """End the process and wait until it is gone."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while listener(daemon.socket_path) == pid or os.path.exists(f"/proc/{pid}"):
        if time.monotonic() > deadline:
            raise PgFleetError(
                f"{daemon.program} (process {pid}) does not end within {_STOP_SECONDS:.0f} s.",
                "See what it waits for in its log, or end it with SIGKILL.",
                "libvirt_stop_failed",
            )
        time.sleep(0.05)
