# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(drill_event)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.action import DrillAction
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.recording import note_event


class ActionModule(DrillAction):
    """Note that something happens now."""

    spec = {  # noqa: RUF012
        "kind": {"type": "str", "default": "fault", "choices": ["fault", "repair", "note"]},
        "text": {"type": "str", "required": True},
        "after": {"type": "float", "default": 0},
    }

    def act(self, directory: Path, params: dict[str, Any]) -> dict[str, Any]:
        if not self.only_check:
            time.sleep(params["after"])
            note_event(directory, params["kind"], params["text"])
        return {"changed": False}
