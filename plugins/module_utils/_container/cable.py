# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The cable of a machine, on the bridge's side: plugged in or not, slow, losing packets."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._errors import MachineFailed
from .host import Process

_UP = 1
_NET = Path("/sys/class/net")


@dataclass(frozen=True)
class Cable:
    """Delay and loss are those of what the machine is sent; what it sends is not held up."""

    plugged: bool = True
    delay_ms: int = 0
    loss_percent: int = 0

    def as_result(self) -> dict[str, Any]:
        return asdict(self)


def cable_of(flags: str, queues: str) -> Cable:
    """From an interface's flags as sysfs says them, and from what ``tc -json qdisc show`` says."""
    queue: dict[str, Any] = next((each for each in json.loads(queues or "[]") if each.get("kind") == "netem"), {})
    options = queue.get("options", {})
    return Cable(
        plugged=bool(int(flags, 16) & _UP),
        delay_ms=round(options.get("delay", {}).get("delay", 0) * 1000),
        loss_percent=round(options.get("loss-random", {}).get("loss", 0) * 100),
    )


def commands(interface: str, before: Cable, after: Cable) -> list[list[str]]:
    """What leads from one to the other."""
    done: list[list[str]] = []
    if before.plugged != after.plugged:
        done.append(["ip", "link", "set", "dev", interface, "up" if after.plugged else "down"])
    if (before.delay_ms, before.loss_percent) != (after.delay_ms, after.loss_percent):
        queue = ["tc", "qdisc", "replace", "dev", interface, "root", "netem"]
        queue += ["delay", f"{after.delay_ms}ms", "loss", f"{after.loss_percent}%"]
        clear = ["tc", "qdisc", "delete", "dev", interface, "root"]
        done.append(queue if after.delay_ms or after.loss_percent else clear)
    return done


def interface_of(process: Process) -> str:
    """The other end of the machine's host0, which has a name of systemd-nspawn's choice."""
    index = Path(f"/proc/{process.init}/root/sys/class/net/host0/iflink").read_text()
    return next(each.name for each in _NET.iterdir() if (each / "ifindex").read_text() == index)


def read_cable(interface: str) -> Cable:
    return cable_of((_NET / interface / "flags").read_text(), _run(["tc", "-json", "qdisc", "show", "dev", interface]))


def set_cable(interface: str, before: Cable, after: Cable) -> None:
    for command in commands(interface, before, after):
        _run(command)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise _trouble(command, done.stderr)
    return done.stdout


def _trouble(command: list[str], words: str) -> MachineFailed:
    if "netem" in command and "qdisc kind is unknown" in words:
        return MachineFailed(
            "The kernel of this host has no netem (module sch_netem), so packets can be neither delayed nor lost.",
            "Load that module, or use a kernel that has it. The cable can be pulled without it.",
            "netem_missing",
        )
    return MachineFailed(
        f"'{' '.join(command)}' failed: {words.strip().rstrip('.')}.", "Correct that.", "machine_failed"
    )
