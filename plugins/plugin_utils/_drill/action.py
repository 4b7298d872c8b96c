# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the actions of drills share. They run on the control machine, whatever the hosts of the play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError


class DrillAction(ActionBase):
    """Checks the options, does its work in a directory, and reports the collection's own errors."""

    spec: dict[str, Any] = {}  # noqa: RUF012
    rules: dict[str, Any] = {}  # noqa: RUF012

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, params = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            {"directory": {"type": "path", "required": True}, **self.spec}, **self.rules
        )
        try:
            return {**result, **self.act(Path(params["directory"]).absolute(), params)}
        except PgFleetError as error:
            return {**result, "failed": True, **error.as_result()}

    def act(self, directory: Path, params: dict[str, Any]) -> dict[str, Any]:
        """Do it; what it returns is the result."""
        raise NotImplementedError

    @property
    def only_check(self) -> bool:
        return bool(self._task.check_mode)
