# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(certificates): asks the node, issues here what it lacks, and brings it back."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.keep import spec_of_certificates
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.sources import Source, source_of

MODULE = "pgfleet.cluster.certificate_files"
SPEC: dict[str, Any] = {
    "authority": {"type": "path"},
    "given": {"type": "path"},
    "fleet": {"type": "str", "default": "pgfleet"},
    "passphrase": {"type": "str", "default": "", "no_log": True},
    "days": {"type": "int", "default": 397},
    "renew_before": {"type": "int", "default": 60},
    "renew": {"type": "bool", "default": False},
    "directory": {"type": "path", "required": True},
    "owner": {"type": "str", "default": "postgres"},
    "certificates": spec_of_certificates(),
}


class ActionModule(ActionBase):
    """Keep the certificates of one node."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            SPEC, mutually_exclusive=[("authority", "given")], required_one_of=[("authority", "given")]
        )
        variables = task_vars or {}
        try:
            return {**result, **self._keep(source_of(options, variables["inventory_hostname"]), options, variables)}
        except PgFleetError as error:
            return {**result, "failed": True, **error.as_result()}
        except OSError as error:
            words = f"'{error.filename}' on the control machine: {error.strerror}."
            return {**result, "failed": True, "msg": words, "code": "os_error"}

    def _keep(self, source: Source, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Two calls where something is to be issued, and one where all is in order."""
        arguments = {
            **{name: options[name] for name in ("directory", "owner", "renew_before", "renew")},
            **source.trust(),
            "certificates": source.wanted(),
        }
        look = self._call(arguments, task_vars)
        if look.get("failed") or self._task.check_mode or not look.get("requests"):
            return look
        issued = source.issue(look["requests"], datetime.now(timezone.utc))
        done = self._call({**arguments, "issued": issued}, task_vars)
        if done.get("failed"):
            return done
        # What the first call has repaired or trusted, the second one finds done.
        return {**done, "changed": True, "actions": look["actions"], "diff": look["diff"]}

    def _call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        answer.pop("invocation", None)
        return answer
