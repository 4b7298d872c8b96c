# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the definition of a libvirt network says, and whether it is the wanted one. No I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass
from xml.etree import ElementTree

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput


@dataclass(frozen=True)
class Network:
    """``cidr`` and ``gateway`` are empty for a bridge of the host, of which libvirt knows no addresses."""

    name: str
    mode: str
    bridge: str
    cidr: str
    gateway: str


def parse_network(definition: str) -> Network:
    root = ElementTree.fromstring(definition)
    forward, bridge = root.find("forward"), root.find("bridge")
    address, cidr = "", ""
    for ip in root.iter("ip"):
        if ip.get("family", "ipv4") == "ipv4" and not cidr:
            address = ip.get("address", "")
            mask = ip.get("prefix") or ip.get("netmask") or "32"
            cidr = str(ipaddress.ip_network(f"{address}/{mask}", strict=False))
    return Network(
        name=root.findtext("name", ""),
        mode=forward.get("mode", "nat") if forward is not None else "isolated",
        bridge=bridge.get("name", "") if bridge is not None else "",
        cidr=cidr,
        gateway=address,
    )


def network_facts(definition: str) -> dict[str, str]:
    return asdict(parse_network(definition))


def network_problem(definition: str, cidr: str, bridge: str = "") -> str:
    """Why an existing network is not the wanted one; empty when it is."""
    found = parse_network(definition)
    if bridge and (found.mode, found.bridge) != ("bridge", bridge):
        return (
            f"Network {found.name} is not one of mode bridge on {bridge}: it is {found.mode} on {found.bridge}."
            " Give kvm_host_network_name a name that is free, or remove that network."
        )
    if not bridge and found.cidr != subnet(cidr)["cidr"]:
        return (
            f"Network {found.name} is {found.cidr or 'a bridge of the host'}, not {cidr}."
            " Give kvm_host_network_cidr its value, or kvm_host_network_name a name that is free."
        )
    return ""


def subnet(cidr: str) -> dict[str, str]:
    """Network, netmask and first address, which is the hypervisor's, of ``192.168.122.0/24``."""
    try:
        network = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise InvalidInput(f"'{cidr}' is not an IPv4 network: {error}.", "Write it as 192.168.122.0/24.") from error
    if network.num_addresses < 8:
        raise InvalidInput(f"'{cidr}' has no room for machines.", "Give a network of at least /29.")
    return {"cidr": str(network), "netmask": str(network.netmask), "gateway": str(network[1])}
