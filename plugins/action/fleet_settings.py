# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(fleet_settings): the settings of one node out of the inventory, before anything is changed."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import settings_file
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.settings import fleet_settings, synchronous_names

SPEC: dict[str, Any] = {
    "own": {"type": "dict", "required": True},
    "given": {"type": "dict", "default": {}},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "synchronous": {"type": "str", "default": "off", "choices": ["off", "on", "quorum"]},
    "synchronous_count": {"type": "int", "default": 1},
    "synchronous_strict": {"type": "bool", "default": False},
    "tls": {"type": "bool", "default": True},
    "certificates": {"type": "bool", "default": False},
    "partial": {"type": "bool", "default": False},
    "reading_archive": {"type": "list", "elements": "str", "default": []},
    "reads_archive": {"type": "bool", "default": False},
    "comment": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Settle the settings, or refuse one by its name."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        strict, nodes = options["synchronous_strict"], options["nodes"]
        streaming = [node for node in nodes if node not in options["reading_archive"]]
        facts = {
            "nodes": nodes,
            "streaming": streaming,
            "strict": strict,
            **{name: options[name] for name in ("tls", "certificates", "partial", "reads_archive")},
        }
        try:
            names = synchronous_names(options["synchronous"], options["synchronous_count"], strict, streaming)
            own = dict(options["own"])
            if not options["partial"] or "synchronous_standby_names" in own:
                own["synchronous_standby_names"] = names
            settings = fleet_settings(own, options["given"], facts)
        except PgFleetError as error:
            refused = error.as_result()
            return {**result, "failed": True, **refused, "msg": f"{refused['msg']} Nothing was changed."}
        text = settings_file(settings, options["comment"])
        return {**result, "changed": False, "settings": settings, "sha256": hashlib.sha256(text.encode()).hexdigest()}
