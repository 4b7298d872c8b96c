# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The containers of a host, read from its processes and directories: no daemon knows of them, and no file can be stale."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .machine import FROZEN, RUNNING, STOPPED, Found, Shape


@dataclass(frozen=True)
class Process:
    """A running machine: its systemd-nspawn, and the init of the machine (0 while there is none)."""

    supervisor: int
    init: int


@dataclass(frozen=True)
class Places:
    """Where machines lie. A directory is made beside its place and renamed; hidden ones are remains."""

    directory: Path

    def of(self, name: str) -> Path:
        return self.directory / name

    def making(self, name: str) -> Path:
        return self.directory / f".making-{name}"

    def removing(self, name: str) -> Path:
        return self.directory / f".removing-{name}"

    def root(self, name: str) -> Path:
        return self.of(name) / "root"

    def record(self, name: str) -> Path:
        return self.of(name) / "machine.json"

    def fence(self, name: str) -> Path:
        return self.of(name) / "fenced"

    def console(self, name: str) -> Path:
        return self.of(name) / "console"


def running(places: Places) -> dict[str, Process]:
    """The machines of that directory that run in this network namespace, by name."""
    here = _network_namespace("self")
    parents = dict(_parents())
    found = {}
    for pid in parents:
        name = _machine_of(pid, places)
        if name and _network_namespace(str(pid)) == here:
            children = sorted(child for child, parent in parents.items() if parent == pid)
            found[name] = Process(pid, children[0] if children else 0)
    return found


def read_machines(places: Places) -> dict[str, Found]:
    processes = running(places)
    names = {entry.name for entry in places.directory.iterdir()} if places.directory.is_dir() else set()
    names |= set(processes)
    return {name: _found(name, places, processes.get(name)) for name in names if not name.startswith(".")}


def control_group(process: Process) -> Path:
    """The machine's own control group, seen as its supervisor sees it."""
    lines = Path(f"/proc/{process.supervisor}/cgroup").read_text().splitlines()
    path = next(line[3:] for line in lines if line.startswith("0::"))
    own = path[: -len("/supervisor")] if path.endswith("/supervisor") else path
    return Path(f"/proc/{process.supervisor}/root/sys/fs/cgroup{own}")


def is_frozen(process: Process) -> bool:
    try:
        return (control_group(process) / "cgroup.freeze").read_text().strip() == "1"
    except (OSError, StopIteration):
        return False


def _found(name: str, places: Places, process: Process | None) -> Found:
    state = STOPPED if process is None else FROZEN if is_frozen(process) else RUNNING
    try:
        record = json.loads(places.record(name).read_text())
        shape = Shape(**record["shape"])
    except (OSError, ValueError, KeyError, TypeError):
        return Found(name, state)
    return Found(name, state, record["fleet"], shape, places.fence(name).exists())


def _parents() -> Iterator[tuple[int, int]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                status = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            yield int(entry), int(status.rsplit(")", 1)[1].split()[1])


def _machine_of(pid: int, places: Places) -> str:
    """Its name, if the process is the systemd-nspawn of a machine of that directory."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return ""
    if os.path.basename(words[0]) != "systemd-nspawn":
        return ""
    name = next((word.split("=", 1)[1] for word in words if word.startswith("--machine=")), "")
    return name if f"--directory={places.root(name)}" in words else ""


def _network_namespace(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""
