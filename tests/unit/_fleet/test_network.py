"""What a libvirt network is, and whether it is the wanted one."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.network import (
    network_facts,
    network_problem,
    subnet,
)

NAT = """<network><name>default</name><forward mode='nat'><nat><port start='1024' end='65535'/></nat></forward>
<bridge name='virbr0' stp='on' delay='0'/><ip address='192.168.122.1' netmask='255.255.255.0'/></network>"""
PREFIX = """<network><name>two</name><bridge name='virbr1'/><ip family='ipv6' address='fd00::1' prefix='64'/>
<ip address='198.51.100.1' prefix='25'/></network>"""
BRIDGE = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>"


def test_facts():
    assert network_facts(NAT) == {
        "name": "default",
        "mode": "nat",
        "bridge": "virbr0",
        "cidr": "192.168.122.0/24",
        "gateway": "192.168.122.1",
    }
    assert network_facts(PREFIX)["cidr"] == "198.51.100.0/25"
    assert network_facts(PREFIX)["mode"] == "isolated"
    assert network_facts(BRIDGE) == {"name": "lan", "mode": "bridge", "bridge": "br0", "cidr": "", "gateway": ""}


ROWS = {
    "the wanted network": (NAT, "192.168.122.0/24", "", ""),
    "other addresses": (NAT, "192.168.123.0/24", "", "Network default is 192.168.122.0/24, not 192.168.123.0/24"),
    "a part of them": (NAT, "192.168.122.0/25", "", "not 192.168.122.0/25"),
    "a bridge where addresses are wanted": (BRIDGE, "192.0.2.0/24", "", "is a bridge of the host"),
    "the wanted bridge": (BRIDGE, "192.0.2.0/24", "br0", ""),
    "another bridge": (BRIDGE, "192.0.2.0/24", "br1", "it is bridge on br0"),
    "a network where a bridge is wanted": (NAT, "192.168.122.0/24", "br0", "it is nat on virbr0"),
}


@pytest.mark.parametrize(("definition", "cidr", "bridge", "problem"), ROWS.values(), ids=ROWS)
def test_problem(definition, cidr, bridge, problem):
    found = network_problem(definition, cidr, bridge)
    assert problem in found if problem else found == ""


def test_subnet():
    assert subnet("192.168.122.0/24") == {
        "cidr": "192.168.122.0/24",
        "netmask": "255.255.255.0",
        "gateway": "192.168.122.1",
    }


@pytest.mark.parametrize("text", ["", "192.168.122.1/24", "10.0.0.0/33", "192.0.2.0/30", "fd00::/64"])
def test_no_subnet(text):
    with pytest.raises(InvalidInput):
        subnet(text)
