# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._container.cable import Cable, cable_of, commands

# What iproute2 6.1 says.
NETEM = """[{"kind":"netem","handle":"8001:","root":true,"refcnt":2,"options":{"limit":1000,
 "delay":{"delay":0.02,"jitter":0,"correlation":0},"loss-random":{"loss":0.02,"correlation":0},"ecn":false,"gap":0}}]"""
NONE = '[{"kind":"noqueue","handle":"0:","root":true,"refcnt":2,"options":{}}]'


@pytest.mark.parametrize(
    ("flags", "queues", "cable"),
    [
        ("0x1103\n", NONE, Cable()),
        ("0x1102\n", NONE, Cable(plugged=False)),
        ("0x1103\n", NETEM, Cable(delay_ms=20, loss_percent=2)),
        ("0x1103\n", "", Cable()),
    ],
    ids=["as it is made", "unplugged", "bad line", "tc says nothing"],
)
def test_cable_of(flags, queues, cable):
    assert cable_of(flags, queues) == cable


@pytest.mark.parametrize(
    ("before", "after", "done"),
    [
        (Cable(), Cable(), []),
        (Cable(), Cable(plugged=False), ["ip link set dev vb down"]),
        (Cable(plugged=False), Cable(), ["ip link set dev vb up"]),
        (Cable(), Cable(delay_ms=20), ["tc qdisc replace dev vb root netem delay 20ms loss 0%"]),
        (Cable(delay_ms=20), Cable(loss_percent=2), ["tc qdisc replace dev vb root netem delay 0ms loss 2%"]),
        (Cable(delay_ms=20, loss_percent=2), Cable(), ["tc qdisc delete dev vb root"]),
        (Cable(delay_ms=20), Cable(plugged=False), ["ip link set dev vb down", "tc qdisc delete dev vb root"]),
    ],
    ids=["nothing to do", "pulled", "plugged in", "slow", "loses instead", "repaired", "pulled and no longer slow"],
)
def test_commands(before, after, done):
    assert [" ".join(command) for command in commands("vb", before, after)] == done
