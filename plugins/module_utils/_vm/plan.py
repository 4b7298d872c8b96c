# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The way from the domains that a hypervisor has to the machines that are wanted. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from .refuse import refuse_bad_machines, refuse_copies, refuse_excess
from .values import Domain, Host, Machine, how_to_change

UPDATED = "updated"
STARTS = (CREATED, STARTED, RESTARTED, REBUILT)
DOMAIN = Kind("a domain", "that domain", "hypervisor", "disk", "foreign_domain")

Step = AnyStep[Machine, Domain]
Plan = AnyPlan[Machine, Domain]


def plan_machines(wanted: Sequence[Machine], domains: Mapping[str, Domain], host: Host, policy: Policy) -> Plan:
    """Raises MachineConflict, before anything is done, for what cannot be or is not allowed."""
    refuse_bad_machines(wanted, domains, host)
    refuse_foreign([machine.name for machine in wanted], domains, policy.fleet, DOMAIN)
    refuse_copies(wanted, domains, host)
    plan = Plan(tuple(_step(machine, domains.get(machine.name), policy) for machine in wanted))
    refuse_changes(plan, policy, DOMAIN)
    if not policy.overcommit:
        refuse_excess(*_growth(plan.steps), host)
    return plan


def plan_removal(names: Sequence[str], domains: Mapping[str, Domain], fleet: str) -> Plan:
    return remove(names, domains, fleet, DOMAIN)


def plan_fencing(names: Sequence[str], domains: Mapping[str, Domain], fleet: str) -> Plan:
    """No power, and none by mistake, until it is asked for in so many words."""
    refuse_foreign(names, domains, fleet, DOMAIN)
    refuse_missing(names, domains, DOMAIN)
    there = (domains[name] for name in dict.fromkeys(names))
    return Plan(tuple(take_from(each, FENCED, "fenced", each.is_kept_off) for each in there))


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


def _growth(steps: Sequence[Step]) -> tuple[int, int]:
    """Megabytes of memory and gigabytes of disk that the steps need beside what is in use."""
    memory = disk = 0
    for step in steps:
        if step.machine is None or step.action not in STARTS:
            continue
        wanted, there = step.machine.shape, step.found
        had = there.shape if there and there.complete else None
        memory += wanted.memory_mb - (had.memory_mb if had and there and there.running else 0)
        disk += wanted.disk_gb - (had.disk_gb if had else 0)
    return memory, disk
