# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Options of roles, converted where they enter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.filter.cluster import speaking
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.options import typed


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"typed": speaking(typed)}
