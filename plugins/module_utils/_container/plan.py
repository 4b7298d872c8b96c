# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The way from the machines that a host has to those that are wanted. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import MachineConflict
from .machine import FROZEN, HOW, REBUILD, RESTART, RUNNING, STOPPED, Found, Machine, result_of

NONE, CREATED, STARTED, RESTARTED, REBUILT, THAWED = "none", "created", "started", "restarted", "rebuilt", "thawed"
REMOVED, POWERED_OFF, POWER_CUT, FENCED, FROZE = "removed", "powered_off", "power_cut", "fenced", "frozen"


@dataclass(frozen=True)
class Policy:
    """``rebuild`` recreates every machine; ``on_change`` is fail, restart or rebuild."""

    fleet: str
    rebuild: bool = False
    on_change: str = "fail"
    start_fenced: bool = False


@dataclass(frozen=True)
class Step:
    """What happens to one machine; ``found`` is the one that is there, ``machine`` the one that will be."""

    action: str
    name: str
    machine: Machine | None = None
    found: Found | None = None
    changes: tuple[str, ...] = ()
    end: str = ""

    @property
    def wanted(self) -> Machine:
        """Of a step that ends with a machine that runs."""
        if self.machine is None:
            raise ValueError(f"Nothing is wanted of '{self.name}'.")
        return self.machine

    @property
    def left_off(self) -> bool:
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
        return result_of(self.machine.shape, RUNNING) if self.machine else result_of(None, "absent")


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...]

    @property
    def changed(self) -> bool:
        return any(step.action != NONE for step in self.steps)

    def diff(self) -> dict[str, Any]:
        """Of a rebuilt machine both sides show the disk, because that differs even where nothing else does."""
        sides: dict[str, dict[str, Any]] = {"before": {}, "after": {}}
        for step in self.steps:
            rebuilt = step.action == REBUILT
            sides["before"][step.name] = {**step.before, **({"disk": "as it is"} if rebuilt else {})}
            sides["after"][step.name] = {**step.after, **({"disk": "new"} if rebuilt else {})}
        return sides


def plan_machines(wanted: Sequence[Machine], there: Mapping[str, Found], network: str, policy: Policy) -> Plan:
    """Raises MachineConflict, before anything is done, for what cannot be or is not allowed.

    ``network`` is the host's own address on the bridge, with the length of the prefix.
    """
    _refuse_bad_addresses(wanted, there, network)
    _refuse_foreign([machine.name for machine in wanted], there, policy.fleet)
    steps = tuple(_step(machine, there.get(machine.name), policy) for machine in wanted)
    _refuse_changes(steps, policy)
    return Plan(steps)


def plan_removal(names: Sequence[str], there: Mapping[str, Found], fleet: str) -> Plan:
    _refuse_foreign(names, there, fleet)
    return Plan(
        tuple(Step(REMOVED if name in there else NONE, name, None, there.get(name)) for name in dict.fromkeys(names))
    )


# For each state that takes something from a machine: the action, when it is not needed, and what the machine is then.
_FAULTS: dict[str, tuple[str, Callable[[Found], bool], str]] = {
    "powered_off": (POWERED_OFF, lambda found: found.state == STOPPED, STOPPED),
    "power_cut": (POWER_CUT, lambda found: found.state == STOPPED, STOPPED),
    "fenced": (FENCED, lambda found: found.is_kept_off, "fenced"),
    "frozen": (FROZE, lambda found: found.state == FROZEN, FROZEN),
}


def plan_fault(state: str, names: Sequence[str], there: Mapping[str, Found], fleet: str) -> Plan:
    """A fault needs a machine that it happens to."""
    _refuse_foreign(names, there, fleet)
    _refuse_missing([name for name in names if name not in there])
    action, is_so, end = _FAULTS[state]
    found = [there[name] for name in dict.fromkeys(names)]
    stopped = [each.name for each in found if state == "frozen" and each.state == STOPPED]
    if stopped:
        raise MachineConflict(
            f"Machine {', '.join(stopped)} does not run, so it cannot be frozen.",
            "Start it first.",
            "machine_not_running",
        )
    return Plan(
        tuple(
            Step(NONE, each.name, None, each, end=each.shown_state)
            if is_so(each)
            else Step(action, each.name, None, each, end=end)
            for each in found
        )
    )


def _step(machine: Machine, found: Found | None, policy: Policy) -> Step:
    name = machine.name
    if found is None or found.shape is None:
        return Step(CREATED, name, machine, found)
    if found.is_kept_off and not (policy.start_fenced or policy.rebuild):
        return Step(NONE, name, machine, found)
    changes = found.shape.changes_to(machine.shape)
    ways = {HOW[change] for change in changes}
    if policy.rebuild or REBUILD in ways:
        return Step(REBUILT, name, machine, found, changes)
    if found.state == STOPPED:
        return Step(STARTED, name, machine, found, changes)
    if RESTART in ways:
        return Step(RESTARTED, name, machine, found, changes)
    return Step(THAWED if found.state == FROZEN else NONE, name, machine, found, changes)


def _refuse_missing(missing: Sequence[str]) -> None:
    if missing:
        raise MachineConflict(
            f"There is no machine {', '.join(missing)} on this host.", "Name the host that it is on.", "machine_missing"
        )


def _refuse_foreign(names: Sequence[str], there: Mapping[str, Found], fleet: str) -> None:
    for name in names:
        found = there.get(name)
        if found and not found.is_ours(fleet):
            owner = f"belongs to the fleet '{found.fleet}'" if found.fleet else "was not made by this collection"
            raise MachineConflict(
                f"There is a container, or a directory, '{name}' on the host that {owner}. It is left as it is.",
                "Give the machine another name, or remove that one yourself.",
                "foreign_container",
            )


def _refuse_bad_addresses(wanted: Sequence[Machine], there: Mapping[str, Found], network: str) -> None:
    names = {machine.name for machine in wanted}
    if len(names) < len(wanted):
        raise MachineConflict("One machine is named twice.", "Name each once.", "duplicate_name")
    host = ipaddress.IPv4Interface(network)
    taken = {str(host.ip): "the host"}
    taken.update(
        {each.shape.address: f"'{each.name}'" for each in there.values() if each.shape and each.name not in names}
    )
    for machine in wanted:
        address = machine.shape.address
        if ipaddress.IPv4Address(address) not in host.network:
            raise MachineConflict(
                f"The address {address} of machine '{machine.name}' is not in the bridge's network {host.network}.",
                "Give it another ansible_host, or the bridge another network.",
                "address_outside_network",
            )
        if address in taken:
            raise MachineConflict(
                f"The address {address} of machine '{machine.name}' is that of {taken[address]}.",
                "Give each its own ansible_host.",
                "duplicate_address",
            )
        taken[address] = f"'{machine.name}'"


def _refuse_changes(steps: Sequence[Step], policy: Policy) -> None:
    """What a restart or a rebuild would change stays as it is unless that is allowed."""
    if policy.rebuild or policy.on_change == REBUILD:
        return
    refused = [
        step for step in steps if step.action == REBUILT or (step.action == RESTARTED and policy.on_change != RESTART)
    ]
    if refused:
        needed = REBUILD if any(step.action == REBUILT for step in refused) else RESTART
        price = " (that throws its files away)" if needed == REBUILD else ""
        raise MachineConflict(
            "; ".join(map(_what_differs, refused)) + ".",
            f"Set on_change to '{needed}' to apply it{price}, or ask for what is there.",
            "machine_differs",
            diff=Plan(tuple(steps)).diff(),
        )


def _what_differs(step: Step) -> str:
    words = ", ".join(f"{name} is {step.before[name]}, {step.after[name]} was asked for" for name in step.changes)
    needed = "recreating it" if step.action == REBUILT else "a restart"
    return f"Machine '{step.name}' differs, and the change needs {needed}: {words}"
