# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(drill_report)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill import report as reporting
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.action import DrillAction
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.analysis import judge
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.args import LOAD_SPEC, load_from
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.recording import read_recording
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.text import table

ABOUT: dict[str, Any] = {
    "drill": {"type": "str", "required": True},
    "title": {"type": "str", "required": True},
    "shows": {"type": "str", "required": True},
    "began": {"type": "str", "required": True},
    "version": {"type": "str", "default": ""},
    "synchronous": {"type": "str", "default": "async"},
    "bystanders": {"type": "list", "elements": "str", "default": []},
    "may_lose": {"type": "bool", "default": False},
    "undisturbed": {"type": "bool", "default": False},
    "problems": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(DrillAction):
    """Compare, judge, write."""

    spec = {"primary": {"type": "str", "required": True}, **ABOUT, **LOAD_SPEC}  # noqa: RUF012

    def act(self, directory: Path, params: dict[str, Any]) -> dict[str, Any]:
        if self.only_check:
            return {"changed": True}
        load = load_from(params)
        recording = reporting.since_ready(read_recording(directory, load.nodes))
        tables, problems = reporting.read_tables(load)
        verdict = judge(recording, tables, params["primary"])
        about = reporting.About(**{name: params[name] for name in ABOUT})
        document = reporting.result_of(recording, verdict, about, problems, load.writes_per_second)
        files = reporting.write_report(directory.parent, document, recording, verdict)
        return {"changed": True, "result": document, "table": table(document), "files": files}
