# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(fleet_forget): the generated secrets go with their fleet, and only with theirs."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.secret_files import forget_secrets

SPEC: dict[str, Any] = {
    "secrets_directory": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
}


class ActionModule(ActionBase):
    """Remove the directory, or leave it and say whose it is."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        directory, nodes = options["secrets_directory"], options["nodes"]
        try:
            found = forget_secrets(directory, nodes, task_vars["hostvars"], write=not self._task.check_mode)
        except PgFleetError as error:
            return {**result, "failed": True, **error.as_result()}
        return {**result, **found}
