# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Processes of this machine as /proc shows them. One that has ended, or may not be looked at, says nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .machine import read_text

STOPPED, WAITING_FOR_DISK = "T", "D"


@dataclass(frozen=True)
class Process:
    """``state`` is the kernel's letter (proc(5), stat)."""

    parent: int
    state: str


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_process(pid: int) -> Process | None:
    """None for one that is not there."""
    fields = read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return Process(int(fields[1]), fields[0]) if len(fields) > 1 else None


def read_processes() -> dict[int, Process]:
    return {pid: process for pid in pids() if (process := read_process(pid))}


def children(parent: int) -> list[int]:
    """The processes that a process has started itself."""
    return [pid for pid, process in read_processes().items() if process.parent == parent]


def family(pid: int, processes: Mapping[int, Process]) -> list[int]:
    """A process, its children, theirs, and so on."""
    members = [pid]
    for member in members:
        members += sorted(child for child, process in processes.items() if process.parent == member)
    return members


def program(pid: int) -> str:
    """The name of what it runs."""
    return read_text(f"/proc/{pid}/comm").strip()


def words(pid: int) -> list[str]:
    """Its command line."""
    return read_text(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")


def working_directory(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""
