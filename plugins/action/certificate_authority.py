# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(certificate_authority): reads and moves here, while community.crypto makes what has to be made."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import shown
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.authorities import (
    INTRODUCE,
    LAST_DAYS,
    MAKE,
    STATES,
    Authorities,
    AuthorityRefused,
    plan,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.folder import CERTIFICATE, CURRENT, KEY, NEXT, Folder

SPEC: dict[str, Any] = {
    "directory": {"type": "path", "required": True},
    "fleet": {"type": "str", "default": "pgfleet"},
    "state": {"type": "str", "default": STATES[0], "choices": list(STATES)},
    "days": {"type": "int", "default": 3650},
    "passphrase": {"type": "str", "default": "", "no_log": True},
}


class ActionModule(ActionBase):
    """Bring the authorities of a fleet to the wanted state."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        folder = Folder(options["directory"])
        try:
            return {**result, **self._keep(folder, options, task_vars or {})}
        except PgFleetError as error:
            return {**result, "failed": True, **error.as_result()}
        except OSError as error:
            words = f"'{error.filename or folder.path}' on the control machine: {error.strerror}."
            return {**result, "failed": True, "msg": words, "code": "os_error"}

    def _keep(self, folder: Folder, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        check = bool(self._task.check_mode)
        with nullcontext() if check else folder.locked():
            before = folder.read()
            moves = plan(before, options["state"])
            for move in () if check else moves:
                self._do(move, folder, options, task_vars)
            after = folder.read()
            published = folder.publishes(after)
            if not check and not published:
                folder.publish(after)
        return {"changed": bool(moves) or not published, "moves": list(moves), **_facts(after), **_warning(after)}

    def _do(self, move: str, folder: Folder, options: dict[str, Any], task_vars: dict[str, Any]) -> None:
        if move not in (MAKE, INTRODUCE):
            return folder.move(move)
        if not str(self._connection.transport).endswith("local"):
            raise AuthorityRefused(
                "The key of an authority must not leave the control machine, and this task runs on a node.",
                "Give the task delegate_to: localhost.",
                "not_on_control_machine",
            )
        folder.begin()
        self._make(folder.incoming, options, task_vars)
        return folder.take(CURRENT if move == MAKE else NEXT)

    def _make(self, folder: str, options: dict[str, Any], task_vars: dict[str, Any]) -> None:
        """A key and its certificate, which may issue for servers and clients and for no other authority."""
        key = {"privatekey_path": f"{folder}/{KEY}", "privatekey_passphrase": options["passphrase"] or None}
        self._call(
            task_vars, "openssl_privatekey", path=key["privatekey_path"], passphrase=key["privatekey_passphrase"],
            type="ECC", curve="secp256r1", mode="0600",
        )  # fmt: skip
        request = self._call(
            task_vars, "openssl_csr_pipe", **key, organization_name=options["fleet"][:64], common_name=_name(options["fleet"]),
            use_common_name_for_san=False, basic_constraints=["CA:TRUE", "pathlen:0"], basic_constraints_critical=True,
            key_usage=["keyCertSign", "cRLSign"], key_usage_critical=True,
        )  # fmt: skip
        self._call(
            task_vars, "x509_certificate", **key, path=f"{folder}/{CERTIFICATE}", provider="selfsigned", mode="0644",
            csr_content=request["csr"], selfsigned_not_before="-1h", selfsigned_not_after=f"+{options['days']}d",
        )  # fmt: skip

    def _call(self, task_vars: dict[str, Any], module: str, **options: Any) -> dict[str, Any]:
        given = {name: value for name, value in options.items() if value is not None}
        name = f"community.crypto.{module}"
        answer: dict[str, Any] = self._execute_module(module_name=name, module_args=given, task_vars=task_vars)
        if answer.get("failed"):
            words = answer.get("msg") or "no answer"
            raise AuthorityRefused(f"{name}: {words}.", "Nothing was changed.", "authority_not_made")
        return answer


def _name(fleet: str) -> str:
    """No two authorities of a fleet have one name, or a chain could not tell which it belongs to."""
    return f"{fleet[:30]} CA {datetime.now(timezone.utc):%Y-%m-%d} {os.urandom(3).hex()}"


def _warning(have: Authorities) -> dict[str, Any]:
    """In its last year it cannot issue for a full year any more; its end is the end of all that it has issued."""
    if have.current is None or have.next or not have.current.ends_within(LAST_DAYS, datetime.now(timezone.utc)):
        return {}
    end = f"{have.current.not_after:%Y-%m-%d}"
    return {
        "warnings": [
            f"The authority '{shown(have.current.subject)}' ends on {end}: replace it in three steps (role pki)."
        ]
    }


def _facts(have: Authorities) -> dict[str, Any]:
    now, current = datetime.now(timezone.utc), have.current
    about = current.as_result(now) if current else {}
    return {
        "authority": {name: about[name] for name in ("subject", "fingerprint", "not_after", "days_left")}
        if about
        else {},
        "trusted": [shown(each.subject) for each in (have.current, have.next, have.previous) if each],
        "stage": have.stage,
    }
