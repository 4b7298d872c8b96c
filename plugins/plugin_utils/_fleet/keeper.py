# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A process in the background that does something again and again while another process lives, and something else once it has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from .process import ControlProcess

POLL_SECONDS = 0.2


def start_keeper(process: ControlProcess, every: float, renew: Callable[[], object], end: Callable[[], object]) -> None:
    """Start it, detached from whoever waits for this process, its session and its output."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            _detach(process)
            keep(process, every, renew, end)
    finally:
        os._exit(0)


def _detach(process: ControlProcess) -> None:
    """Nobody who reads the output of the run may wait for us."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    outputs = {_target(f"/proc/{process.pid}/fd/{stream}") for stream in (0, 1, 2)} - {"", os.devnull}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and _target(f"/proc/self/fd/{name}") in outputs:
                with contextlib.suppress(OSError):
                    os.close(int(name))


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def keep(process: ControlProcess, every: float, renew: Callable[[], object], end: Callable[[], object]) -> None:
    """What goes wrong once may go right the next time; nobody could be told."""
    due = time.monotonic() + every
    while process.alive:
        time.sleep(POLL_SECONDS)
        if time.monotonic() >= due:
            with contextlib.suppress(Exception):
                renew()
            due = time.monotonic() + every
    with contextlib.suppress(Exception):
        end()
