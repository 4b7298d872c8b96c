# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The marker in the directory of secrets, on the control machine, and the fleet as this run knows it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.secrets import (
    Owner,
    SecretsRefused,
    is_another,
    parse_owner,
    plan_owner,
)

MARKER = "fleet.json"
#: Backups outlive their fleet, and are nothing without it.
CIPHER = "backup.cipher"


def settle_owner(directory: str, names: Iterable[str], hostvars: Mapping[str, Any], password: str, write: bool) -> None:
    """Refuse the secret of another fleet, and note whose it is. A password from elsewhere is nobody's secret here."""
    directory = os.path.expanduser(directory)
    try:
        if _read(f"{directory}/replication.password") != password:
            return
        noted = _noted(directory)
        owner = plan_owner(noted, *_fleet(names, hostvars), directory)
        if write and owner != noted:
            _write(f"{directory}/{MARKER}", owner.as_text())
    except OSError as error:
        raise _unusable(directory, error) from None


def forget_secrets(directory: str, names: Iterable[str], hostvars: Mapping[str, Any], write: bool) -> dict[str, Any]:
    """Remove the secrets, unless they are another fleet's."""
    directory = os.path.expanduser(directory)
    try:
        noted = _noted(directory)
        if noted and is_another(noted, *_fleet(names, hostvars)):
            return {"changed": False, "msg": f"The secrets in '{directory}' were left: they are those of {noted}."}
        kept = os.path.isfile(f"{directory}/{CIPHER}")
        there = os.path.lexists(directory) if not kept else len(os.listdir(directory)) > 1
        if there and write:
            _remove(directory, kept)
    except OSError as error:
        raise _unusable(directory, error) from None
    said = f"The secrets in '{directory}' were removed." if there else "There were none."
    left = f" Its backups need '{directory}/{CIPHER}', so that was left." if kept else ""
    return {"changed": there, "msg": f"{said}{left}"}


def _fleet(names: Iterable[str], hostvars: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Nodes and system identifiers; what is not known is left out."""
    listed = list(names)
    nodes = [f"{name} {place}" for name in listed if (place := _place(name, hostvars[name]))]
    data = [(hostvars[name].get("pg_server_node") or {}).get("data") or {} for name in listed]
    return nodes, sorted({str(each["system_identifier"]) for each in data if each.get("system_identifier")})


def _place(name: str, facts: Mapping[str, Any]) -> str:
    """Of a node that was not looked at, such as a machine that is gone, the inventory's variables tell it."""
    known = facts.get("pg_server_facts")
    if known:
        return f"{known['address']}:{known['port']}"
    try:
        address = facts.get("pg_server_address", facts.get("ansible_host", name))
        return f"{address}:{facts.get('pg_server_port', 5432)}"
    except AnsibleError:
        return ""


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _noted(directory: str) -> Owner | None:
    text = _read(f"{directory}/{MARKER}")
    return None if text is None else parse_owner(text, f"{directory}/{MARKER}")


def _write(path: str, text: str) -> None:
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def _remove(path: str, keep_cipher: bool = False) -> None:
    if keep_cipher:
        for name in os.listdir(path):
            if name != CIPHER:
                _remove(f"{path}/{name}")
    elif os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _unusable(directory: str, error: OSError) -> SecretsRefused:
    return SecretsRefused(
        f"'{error.filename or directory}' on the control machine: {error.strerror}.",
        "Let the user that runs Ansible read and write there, or give another pg_server_secrets_directory.",
        "secrets_unusable",
    )
