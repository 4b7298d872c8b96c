# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(drill_load)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.action import DrillAction
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.args import LOAD_SPEC, load_from
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.process import (
    ended_early,
    start_load,
    stop_all,
    stop_load,
)


class ActionModule(DrillAction):
    """Start the load, or end it."""

    spec = {  # noqa: RUF012
        "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
        "wait": {"type": "float", "default": 20},
        "quiet": {"type": "float", "default": 0},
        "must_run": {"type": "bool", "default": False},
        **LOAD_SPEC,
    }

    def act(self, directory: Path, params: dict[str, Any]) -> dict[str, Any]:
        if self.only_check:
            return {"changed": params["state"] == "started"}
        if params["state"] == "started":
            pid = start_load(directory, load_from(params), params["wait"])
            time.sleep(params["quiet"])
            return {"changed": True, "pid": pid}
        time.sleep(params["quiet"])
        ended = [directory.name] if stop_load(directory) else []
        if params["must_run"] and not ended:
            raise ended_early(directory)
        ended += stop_all(directory)
        return {"changed": bool(ended), "ended": ended}
