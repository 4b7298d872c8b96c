# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The way from the machines that a host has to those that are wanted. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence

from .._errors import MachineConflict
from .._machine.plan import (
    CREATED,
    FENCED,
    NONE,
    REBUILT,
    RESTARTED,
    STARTED,
    Kind,
    Policy,
    refuse_changes,
    refuse_foreign,
    refuse_missing,
    remove,
    take_from,
)
from .._machine.plan import Plan as AnyPlan
from .._machine.plan import Step as AnyStep
from .._machine.values import REBUILD, RESTART
from .machine import FROZEN, HOW, STOPPED, Found, Machine

THAWED, POWERED_OFF, POWER_CUT, FROZE = "thawed", "powered_off", "power_cut", "frozen"
CONTAINER = Kind("a container, or a directory,", "that one", "host", "files", "foreign_container")

Step = AnyStep[Machine, Found]
Plan = AnyPlan[Machine, Found]


def plan_machines(wanted: Sequence[Machine], there: Mapping[str, Found], network: str, policy: Policy) -> Plan:
    """Raises MachineConflict, before anything is done, for what cannot be or is not allowed.

    ``network`` is the host's own address on the bridge, with the length of the prefix.
    """
    _refuse_bad_addresses(wanted, there, network)
    refuse_foreign([machine.name for machine in wanted], there, policy.fleet, CONTAINER)
    plan = Plan(tuple(_step(machine, there.get(machine.name), policy) for machine in wanted))
    refuse_changes(plan, policy, CONTAINER)
    return plan


def plan_removal(names: Sequence[str], there: Mapping[str, Found], fleet: str) -> Plan:
    return remove(names, there, fleet, CONTAINER)


# For each state that takes something from a machine: the action, when it is not needed, and what the machine is then.
_FAULTS: dict[str, tuple[str, Callable[[Found], bool], str]] = {
    "powered_off": (POWERED_OFF, lambda found: found.state == STOPPED, STOPPED),
    "power_cut": (POWER_CUT, lambda found: found.state == STOPPED, STOPPED),
    "fenced": (FENCED, lambda found: found.is_kept_off, "fenced"),
    "frozen": (FROZE, lambda found: found.state == FROZEN, FROZEN),
}


def plan_fault(state: str, names: Sequence[str], there: Mapping[str, Found], fleet: str) -> Plan:
    """A fault needs a machine that it happens to."""
    refuse_foreign(names, there, fleet, CONTAINER)
    refuse_missing(names, there, CONTAINER)
    action, is_so, end = _FAULTS[state]
    found = [there[name] for name in dict.fromkeys(names)]
    stopped = [each.name for each in found if state == "frozen" and each.state == STOPPED]
    if stopped:
        raise MachineConflict(
            f"Machine {', '.join(stopped)} does not run, so it cannot be frozen.",
            "Start it first.",
            "machine_not_running",
        )
    return Plan(tuple(take_from(each, action, end, is_so(each)) for each in found))


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
