# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What happens to machines, step by step, and what is refused whatever runs them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .._errors import MachineConflict
from .values import REBUILD, RESTART, Found, Machine, is_ours, result_of

NONE, CREATED, STARTED, RESTARTED = "none", "created", "started", "restarted"
REBUILT, REMOVED, FENCED = "rebuilt", "removed", "fenced"

M = TypeVar("M", bound=Machine)
F = TypeVar("F", bound=Found)


@dataclass(frozen=True)
class Kind:
    """What refusals call a machine, the one that it is found to be, where it runs, and what it loses when it is recreated."""

    found: str
    noun: str
    host: str
    loses: str
    code: str


@dataclass(frozen=True)
class Policy:
    """``rebuild`` recreates every machine; ``on_change`` is fail, restart or rebuild.

    ``start_fenced``: give machines their power back that were fenced. ``overcommit``: ask for more than the host has.
    """

    fleet: str
    rebuild: bool = False
    on_change: str = "fail"
    start_fenced: bool = False
    overcommit: bool = False


@dataclass(frozen=True)
class Step(Generic[M, F]):
    """What happens to one machine; ``found`` is the one that is there, ``machine`` the one that will be.

    ``end``: the state of a machine from which something is only taken.
    """

    action: str
    name: str
    machine: M | None = None
    found: F | None = None
    changes: tuple[str, ...] = ()
    end: str = ""

    @property
    def wanted(self) -> M:
        """Of a step that ends with a machine that runs."""
        if self.machine is None:
            raise ValueError(f"Nothing is wanted of '{self.name}'.")
        return self.machine

    @property
    def left_off(self) -> bool:
        """Whether a machine that is wanted stays without power because it was fenced."""
        return self.action == NONE and self.machine is not None and self.found is not None and self.found.is_kept_off

    @property
    def before(self) -> dict[str, Any]:
        return result_of(self.found.shape, self.found.shown_state) if self.found else result_of(None, "absent")

    @property
    def after(self) -> dict[str, Any]:
        if self.found and self.machine is None and self.action != REMOVED:
            return result_of(self.found.shape, self.end)
        if self.left_off:
            return self.before
        return result_of(self.machine.shape, "running") if self.machine else result_of(None, "absent")


@dataclass(frozen=True)
class Plan(Generic[M, F]):
    steps: tuple[Step[M, F], ...]

    @property
    def changed(self) -> bool:
        return any(step.action != NONE for step in self.steps)

    def of(self, *actions: str) -> tuple[Step[M, F], ...]:
        return tuple(step for step in self.steps if step.action in actions)

    def diff(self) -> dict[str, Any]:
        """Of a rebuilt machine both sides show the disk, because that differs even where nothing else does."""
        sides: dict[str, dict[str, Any]] = {"before": {}, "after": {}}
        for step in self.steps:
            rebuilt = step.action == REBUILT
            sides["before"][step.name] = {**step.before, **({"disk": "as it is"} if rebuilt else {})}
            sides["after"][step.name] = {**step.after, **({"disk": "new"} if rebuilt else {})}
        return sides


def remove(names: Sequence[str], there: Mapping[str, F], fleet: str, kind: Kind) -> Plan[Any, F]:
    """Removing needs neither room nor network, only that the machines are ours."""
    refuse_foreign(names, there, fleet, kind)
    unique = dict.fromkeys(names)
    return Plan(tuple(Step(REMOVED if name in there else NONE, name, found=there.get(name)) for name in unique))


def take_from(found: F, action: str, end: str, is_so: bool) -> Step[Any, F]:
    """A machine that is only taken something from, such as its power; nothing where that is so already."""
    return Step(NONE if is_so else action, found.name, found=found, end=found.shown_state if is_so else end)


def refuse_missing(names: Sequence[str], there: Mapping[str, F], kind: Kind) -> None:
    missing = [name for name in names if name not in there]
    if missing:
        raise MachineConflict(
            f"There is no machine {', '.join(missing)} on this {kind.host}.",
            f"Name the {kind.host} that it is on.",
            "machine_missing",
        )


def refuse_foreign(names: Sequence[str], there: Mapping[str, F], fleet: str, kind: Kind) -> None:
    """What this fleet did not make is named, and left alone."""
    for name in names:
        found = there.get(name)
        if found and not is_ours(found, fleet):
            owner = f"belongs to the fleet '{found.fleet}'" if found.fleet else "was not made by this collection"
            raise MachineConflict(
                f"There is {kind.found} '{name}' on the {kind.host} that {owner}. It is left as it is.",
                f"Give the machine another name, or remove {kind.noun} yourself.",
                kind.code,
            )


def refuse_changes(plan: Plan[M, F], policy: Policy, kind: Kind) -> None:
    """What a restart or a rebuild would change stays as it is unless that is allowed."""
    if policy.rebuild or policy.on_change == REBUILD:
        return
    refused = plan.of(REBUILT) if policy.on_change == RESTART else plan.of(RESTARTED, REBUILT)
    if refused:
        needed = REBUILD if any(step.action == REBUILT for step in refused) else RESTART
        price = f" (that throws its {kind.loses} away)" if needed == REBUILD else ""
        raise MachineConflict(
            "; ".join(map(_what_differs, refused)) + ".",
            f"Set on_change to '{needed}' to apply it{price}, or ask for what is there.",
            "machine_differs",
            diff=plan.diff(),
        )


def _what_differs(step: Step[M, F]) -> str:
    words = ", ".join(f"{name} is {step.before[name]}, {step.after[name]} was asked for" for name in step.changes)
    needed = "recreating it" if step.action == REBUILT else "a restart"
    return f"Machine '{step.name}' differs, and the change needs {needed}: {words}"
