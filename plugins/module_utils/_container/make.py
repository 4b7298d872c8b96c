# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Carrying out a plan: machines made beside their place and renamed, started together, stopped, removed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from .._machine.plan import CREATED, FENCED, REBUILT, REMOVED, RESTARTED, STARTED
from .files import File
from .host import Places, running
from .machine import Machine
from .plan import FROZE, POWER_CUT, POWERED_OFF, THAWED, Plan, Step
from .run import Runner, freeze, thaw


@dataclass(frozen=True)
class Workshop:
    """``files`` are those of each machine's upper layer, by the machine's name."""

    runner: Runner
    fleet: str
    stop_timeout: float
    files: Mapping[str, Mapping[str, File]]

    @property
    def places(self) -> Places:
        return self.runner.places

    def apply(self, plan: Plan) -> None:
        self.places.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        for name in (step.name for step in plan.steps):
            for remains in (self.places.making(name), self.places.removing(name)):
                shutil.rmtree(remains, ignore_errors=True)
        steps = [step for step in plan.steps if step.action in self._ways()]
        with ThreadPoolExecutor(max(len(steps), 1)) as pool:
            list(pool.map(lambda step: self._ways()[step.action](step), steps))

    def _ways(self) -> dict[str, Callable[[Step], None]]:
        return {
            CREATED: self._recreate, REBUILT: self._recreate, STARTED: self._start, RESTARTED: self._restart,
            THAWED: self._thaw, REMOVED: self._remove, FENCED: self._fence, FROZE: self._freeze,
            POWERED_OFF: lambda step: self.runner.power_off(step.name, self.stop_timeout),
            POWER_CUT: lambda step: self.runner.cut_power(step.name),
        }  # fmt: skip

    def _recreate(self, step: Step) -> None:
        self._remove(step)
        beside = self.places.making(step.name)
        for name in ("upper", "work", "root"):
            (beside / name).mkdir(parents=True)
        for path, file in self.files[step.name].items():
            _write(beside / "upper", path, file)
        beside.chmod(0o711)
        self._record(beside / "machine.json", step.wanted)
        beside.rename(self.places.of(step.name))
        self.runner.start(step.wanted)

    def _record(self, path: Path, machine: Machine) -> None:
        """Renamed when it is whole: without it, a machine is nobody's."""
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps({"fleet": self.fleet, "shape": asdict(machine.shape)}))
        beside.rename(path)

    def _start(self, step: Step) -> None:
        self._record(self.places.record(step.name), step.wanted)
        self.places.fence(step.name).unlink(missing_ok=True)
        self.runner.start(step.wanted)

    def _restart(self, step: Step) -> None:
        self.runner.power_off(step.name, self.stop_timeout)
        self._start(step)

    def _remove(self, step: Step) -> None:
        """Out of sight at once; only then file by file."""
        self.runner.cut_power(step.name)
        place = self.places.of(step.name)
        if place.exists():
            removed = self.places.removing(step.name)
            place.rename(removed)
            shutil.rmtree(removed)

    def _fence(self, step: Step) -> None:
        """The mark first: a run that is interrupted leaves a machine that stays off once it is off."""
        self.places.fence(step.name).touch()
        self.runner.cut_power(step.name)

    def _freeze(self, step: Step) -> None:
        freeze(running(self.places)[step.name])

    def _thaw(self, step: Step) -> None:
        thaw(running(self.places)[step.name])


def _write(upper: Path, path: str, file: File) -> None:
    """Directories are root's, as in the tree, but a home and what is in it are its user's."""
    target = upper / path
    for parent in reversed(target.parents):
        if not parent.exists():
            in_home = parent.parts[len(upper.parts) :][:1] == ("home",) and parent != upper / "home"
            parent.mkdir()
            parent.chmod(0o700 if in_home else 0o755)
            os.chown(parent, *((file.owner, file.group) if in_home else (0, 0)))
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(file.text)
    target.chmod(file.mode)
    os.chown(target, file.owner, file.group)
