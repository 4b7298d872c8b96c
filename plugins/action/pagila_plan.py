# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(pagila_plan)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.pagila import Found, Release, Wanted, plan_load

SPEC: dict[str, Any] = {
    "operation": {"type": "str", "default": "load", "choices": ["load", "describe"]},
    "node": {"type": "str", "required": True},
    "found": {"type": "dict", "required": True},
    "release": {
        "type": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "rows": {"type": "dict", "required": True},
            "scaled_rows": {"type": "dict", "required": True},
        },
    },
    "database": {"type": "str", "default": "pagila"},
    "source": {"type": "str", "default": "auto", "choices": ["auto", "upstream", "data", "generated"]},
    "scale": {"type": "int", "default": 1},
    "sha256": {"type": "str", "default": ""},
    "has_upstream_dir": {"type": "bool", "default": False},
    "fetched": {"type": "str", "default": "", "choices": ["", "upstream", "generated"]},
}


class ActionModule(ActionBase):
    """Keep, load or refuse."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        node, told, operation = (options.pop(name) for name in ("node", "found", "operation"))
        found = Found(told.get("comment") or "", told.get("relations") or 0, told.get("counts"))
        result = {**result, "changed": False, "marker": asdict(found.marker) if found.marker else {}}
        if operation == "describe":
            return result
        try:
            plan = plan_load(node, Wanted(**{**options, "release": Release(**options["release"])}), found)
        except PgFleetError as error:
            return {**result, "failed": True, **error.as_result()}
        return {**result, **plan.as_result()}
