# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The way from the domains that a hypervisor has to the machines that are wanted. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import MachineConflict
from .refuse import refuse_bad_machines, refuse_copies, refuse_excess, refuse_foreign
from .values import REBUILD, RESTART, Domain, Host, Machine, how_to_change, result_of

NONE, CREATED, STARTED, RESTARTED = "none", "created", "started", "restarted"
REBUILT, REMOVED, UPDATED, FENCED = "rebuilt", "removed", "updated", "fenced"
STARTS = (CREATED, STARTED, RESTARTED, REBUILT)


@dataclass(frozen=True)
class Policy:
    """``rebuild`` recreates every machine; ``on_change`` is fail, restart or rebuild.

    ``start_fenced``: give machines their power back that were fenced.
    """

    fleet: str
    rebuild: bool = False
    on_change: str = "fail"
    overcommit: bool = False
    start_fenced: bool = False


@dataclass(frozen=True)
class Step:
    """What happens to one machine; ``domain`` is the one that is there, ``machine`` the one that will be."""

    action: str
    name: str
    machine: Machine | None = None
    domain: Domain | None = None
    changes: tuple[str, ...] = ()

    @property
    def before(self) -> dict[str, Any]:
        if self.domain is None:
            return result_of(None, "absent")
        return result_of(self.domain.shape, self.domain.state)

    @property
    def after(self) -> dict[str, Any]:
        if self.domain and (self.left_off or self.action == FENCED):
            return result_of(self.domain.shape, "fenced")
        return result_of(self.machine.shape, "running") if self.machine else result_of(None, "absent")

    @property
    def left_off(self) -> bool:
        """Whether it stays without power because it was fenced."""
        return self.action == NONE and self.domain is not None and self.domain.is_kept_off


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...]

    @property
    def changed(self) -> bool:
        return any(step.action != NONE for step in self.steps)

    def of(self, *actions: str) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action in actions)

    def diff(self) -> dict[str, Any]:
        """Of a rebuilt machine both sides show the disk, because that differs even where nothing else does."""
        sides: dict[str, dict[str, Any]] = {"before": {}, "after": {}}
        for step in self.steps:
            rebuilt = step.action == REBUILT
            sides["before"][step.name] = {**step.before, **({"disk": "as it is"} if rebuilt else {})}
            sides["after"][step.name] = {**step.after, **({"disk": "new"} if rebuilt else {})}
        return sides


def plan_machines(wanted: Sequence[Machine], domains: Mapping[str, Domain], host: Host, policy: Policy) -> Plan:
    """Raises MachineConflict, before anything is done, for what cannot be or is not allowed."""
    refuse_bad_machines(wanted, domains, host)
    refuse_foreign([machine.name for machine in wanted], domains, policy.fleet)
    refuse_copies(wanted, domains, host)
    steps = tuple(_step(machine, domains.get(machine.name), policy) for machine in wanted)
    _refuse_changes(steps, policy)
    if not policy.overcommit:
        refuse_excess(*_growth(steps), host)
    return Plan(steps)


def plan_removal(names: Sequence[str], domains: Mapping[str, Domain], fleet: str) -> Plan:
    """Removing needs neither room nor network, only that the machines are ours."""
    refuse_foreign(names, domains, fleet)
    unique = dict.fromkeys(names)
    return Plan(tuple(Step(REMOVED if name in domains else NONE, name, None, domains.get(name)) for name in unique))


def plan_fencing(names: Sequence[str], domains: Mapping[str, Domain], fleet: str) -> Plan:
    """No power, and none by mistake, until it is asked for in so many words."""
    refuse_foreign(names, domains, fleet)
    unknown = [name for name in names if name not in domains]
    if unknown:
        raise MachineConflict(
            f"There is no machine {', '.join(unknown)} on this hypervisor.",
            "Name the hypervisor that it is on.",
            "machine_missing",
        )
    there = (domains[name] for name in dict.fromkeys(names))
    return Plan(tuple(Step(NONE if each.is_kept_off else FENCED, each.name, None, each) for each in there))


def _step(machine: Machine, domain: Domain | None, policy: Policy) -> Step:
    name = machine.name
    if domain is None or domain.shape is None or not domain.complete:
        return Step(CREATED, name, machine, domain)
    if domain.is_kept_off and not (policy.start_fenced or policy.rebuild):
        return Step(NONE, name, machine, domain)
    changes = domain.shape.changes_to(machine.shape)
    way = how_to_change(domain.shape, machine.shape)
    if policy.rebuild or way == REBUILD:
        return Step(REBUILT, name, machine, domain, changes)
    if way == RESTART:
        return Step(RESTARTED, name, machine, domain, changes)
    if not domain.running:
        return Step(STARTED, name, machine, domain, changes)
    return Step(UPDATED if way or domain.fenced else NONE, name, machine, domain, changes)


def _refuse_changes(steps: Sequence[Step], policy: Policy) -> None:
    """What a restart or a rebuild would change stays as it is unless that is allowed."""
    if policy.rebuild or policy.on_change == REBUILD:
        return
    allowed = (RESTARTED,) if policy.on_change == RESTART else ()
    refused = [step for step in steps if step.action in (RESTARTED, REBUILT) and step.action not in allowed]
    if refused:
        needed = REBUILD if any(step.action == REBUILT for step in refused) else RESTART
        price = " (that throws its disk away)" if needed == REBUILD else ""
        raise MachineConflict(
            "; ".join(_what_differs(step) for step in refused) + ".",
            f"Set on_change to '{needed}' to apply it{price}, or ask for what is there.",
            "machine_differs",
            diff=Plan(tuple(steps)).diff(),
        )


def _what_differs(step: Step) -> str:
    before, after = step.before, step.after
    words = ", ".join(f"{name} is {before[name]}, {after[name]} was asked for" for name in step.changes)
    needed = "recreating it" if step.action == REBUILT else "a restart"
    return f"Machine '{step.name}' differs, and the change needs {needed}: {words}"


def _growth(steps: Sequence[Step]) -> tuple[int, int]:
    """Megabytes of memory and gigabytes of disk that the steps need beside what is in use."""
    memory = disk = 0
    for step in steps:
        if step.machine is None or step.action not in STARTS:
            continue
        wanted, there = step.machine.shape, step.domain
        had = there.shape if there and there.complete else None
        memory += wanted.memory_mb - (had.memory_mb if had and there and there.running else 0)
        disk += wanted.disk_gb - (had.disk_gb if had else 0)
    return memory, disk
