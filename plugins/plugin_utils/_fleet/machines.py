# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The machines of an inventory, over all its hypervisors. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput, MachineConflict

_NUMBERS = ("memory_mb", "vcpus", "disk_gb")
_BOOLEANS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


def fleet_machines(
    nodes: Iterable[str],
    variables: Mapping[str, Mapping[str, Any]],
    hypervisors: Iterable[str],
    defaults: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """What each node shall be, from its variables ``ansible_host`` and ``kvm_vm_*`` or the defaults.

    Raises for what no hypervisor alone would see: one address twice, and a hypervisor that is none.
    """
    known = list(hypervisors)
    machines = [_machine(node, variables[node], known, defaults) for node in nodes]
    holders: dict[str, str] = {}
    for machine in machines:
        other = holders.setdefault(machine["address"], machine["name"])
        if other != machine["name"]:
            raise MachineConflict(
                f"Machines '{other}' and '{machine['name']}' have the same address {machine['address']}.",
                "Give each its own ansible_host.",
                "duplicate_address",
            )
    return machines


def _machine(node: str, own: Mapping[str, Any], hypervisors: list[str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    def option(name: str) -> Any:
        return own.get(f"kvm_vm_{name}", defaults[name])

    hypervisor = option("hypervisor")
    if hypervisor not in hypervisors:
        raise InvalidInput(
            f"Node '{node}' lives on '{hypervisor}' (kvm_vm_hypervisor), which is not in the group hypervisors"
            f" ({', '.join(hypervisors)}).",
            "Name one of the group.",
        )
    if not own.get("ansible_host"):
        raise InvalidInput(f"Node '{node}' has no address.", "Set its ansible_host.")
    numbers = {name: _number(node, name, option(name)) for name in _NUMBERS}
    autostart = _BOOLEANS.get(str(option("autostart")).lower())
    if autostart is None:
        raise InvalidInput(f"kvm_vm_autostart of node '{node}' is neither true nor false.", "Give one of them.")
    return {"name": node, "address": own["ansible_host"], "hypervisor": hypervisor, **numbers, "autostart": autostart}


def _number(node: str, name: str, value: Any) -> int:
    try:
        return int(str(value))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"kvm_vm_{name} of node '{node}', '{value}', is not a number.", "Give one.") from error


def machines_report(result: Mapping[str, Any]) -> list[str]:
    """A line for each machine that something was done to."""
    lines = []
    for machine in result["machines"]:
        if machine["action"] != "none":
            changed = f" ({', '.join(machine['changes'])})" if machine["changes"] else ""
            ready = f", ready after {machine['ready_s']:g} s" if machine["ready_s"] is not None else ""
            lines.append(
                " ".join(filter(None, (machine["name"], machine["address"], machine["action"]))) + changed + ready
            )
    return lines
