# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a hypervisor cannot give, found before anything is made. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from .._errors import MachineConflict
from .values import Domain, Host, Machine


def refuse_bad_machines(wanted: Sequence[Machine], domains: Mapping[str, Domain], host: Host) -> None:
    _refuse_doubles("name", [machine.name for machine in wanted])
    _refuse_doubles("address", [machine.shape.address for machine in wanted])
    taken = {domain.shape.address: domain.name for domain in domains.values() if domain.shape}
    for machine in wanted:
        _refuse_address(machine, host)
        holder = taken.get(machine.shape.address, machine.name)
        if holder not in [other.name for other in wanted]:
            raise MachineConflict(
                f"Address {machine.shape.address} of machine '{machine.name}' is that of machine '{holder}',"
                f" which is on this hypervisor already (fleet '{domains[holder].fleet}').",
                "Give another address, or remove that machine.",
                "address_in_use",
            )
        if machine.shape.disk_gb < host.image_gb:
            raise MachineConflict(
                f"Machine '{machine.name}' has a disk of {machine.shape.disk_gb} GB,"
                f" but its image is one of {host.image_gb:g} GB.",
                "Give it a larger disk.",
                "disk_too_small",
            )


def _refuse_doubles(what: str, values: Sequence[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise MachineConflict(
                f"{values.count(value)} machines have the {what} '{value}'.",
                f"Give each machine its own {what}.",
                f"duplicate_{what}",
            )


def _refuse_address(machine: Machine, host: Host) -> None:
    address = ipaddress.IPv4Address(machine.shape.address)
    network = ipaddress.IPv4Network(host.cidr, strict=False)
    if address not in network or address in (network.network_address, network.broadcast_address):
        raise MachineConflict(
            f"Address {address} of machine '{machine.name}' is not one for a machine in the network"
            f" '{host.network}' ({network}).",
            "Give one of that network, or name the network that it is in.",
            "address_outside_network",
        )
    if str(address) == host.address:
        raise MachineConflict(
            f"Address {address} of machine '{machine.name}' is the hypervisor's own in the network '{host.network}'.",
            "Give another one.",
            "address_in_use",
        )


def refuse_copies(wanted: Sequence[Machine], domains: Mapping[str, Domain], host: Host) -> None:
    """What has no name of ours, but takes the place of a machine."""
    by_uuid = {domain.uuid: domain.name for domain in domains.values()}
    for machine in wanted:
        if by_uuid.get(machine.uuid, machine.name) != machine.name:
            raise MachineConflict(
                f"Domain '{by_uuid[machine.uuid]}' on the hypervisor has the UUID of machine '{machine.name}':"
                " it was renamed.",
                "Give the machine another name, or give that domain its old one.",
                "foreign_domain",
            )
    if host.files:
        raise MachineConflict(
            f"Files are in the way that no machine of this fleet has: {', '.join(sorted(host.files))}.",
            "Move them away, or give another directory.",
            "file_in_the_way",
        )


def refuse_excess(memory_mb: int, disk_gb: int, host: Host) -> None:
    for what, needed, free, unit in (
        ("memory", memory_mb, host.memory_free_mb, "MB"),
        ("disk", disk_gb, host.disk_free_gb, "GB"),
    ):
        if needed > max(free, 0) and needed > 0:
            raise MachineConflict(
                f"The machines need {needed} {unit} of {what} beside what is in use, and the hypervisor has {free} {unit} free.",
                "Make room, ask for smaller or fewer machines, or allow it with overcommit.",
                f"not_enough_{what}",
            )
