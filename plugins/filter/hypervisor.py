# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What roles ask about networks of libvirt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.filter.cluster import speaking
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.network import (
    network_facts,
    network_problem,
    subnet,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "network_facts": speaking(network_facts),
            "network_problem": speaking(network_problem),
            "subnet": speaking(subnet),
        }
