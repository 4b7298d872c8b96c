# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""postmaster.pid: which process serves a data directory, and where it listens (manual: Database File Layout)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._host.machine import read_text


@dataclass(frozen=True)
class PidFile:
    """Its lines (storage/pidfile.h); empty, and None for a number, where there are none. It may be a leftover.

    ``state`` is starting, ready, standby or stopping.
    """

    pid: int | None = None
    data_directory: str = ""
    port: int | None = None
    socket_directory: str = ""
    listen_address: str = ""
    state: str = ""


def read_pid_file(data_directory: str) -> PidFile:
    return parse_pid_file(read_text(os.path.join(data_directory, "postmaster.pid")))


def parse_pid_file(text: str) -> PidFile:
    lines = [line.strip() for line in text.split("\n")]
    pid, data, _started, port, socket, address, _memory, state = (lines + [""] * 8)[:8]
    number = _number(pid)  # below zero for a server in single-user mode
    return PidFile(None if number is None else abs(number), data, _number(port), socket, address, state)


def _number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdecimal() else None
