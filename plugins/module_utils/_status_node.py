# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The status of a node whose server does not let us in: from its data directory, and from the refusal itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ._datadir import DataDir, find_bin_dir, inspect
from ._errors import ConnectFailed, PgFleetError
from ._lsn import format_lsn
from ._postgres import address_of
from ._reasons import Reason, reason
from ._status import ABSENT, PRIMARY, STANDBY, UNKNOWN, Checksums, Lsns, Status, Wal, read_assignments, upstream_of
from ._upstream import parse_conninfo

_SILENT = "unreachable"
#: Words of a server that is there but lets nobody in yet, or not any more.
_PHASES = (
    ("shutting down", "shutting_down"),
    ("Hot standby mode is disabled", "hot_standby_off"),
    ("starting up", "starting_up"),
    ("not yet accepting", "starting_up"),
    ("Consistent recovery state has not been yet reached", "starting_up"),
    ("in recovery mode", "starting_up"),
)


def read_silent(params: Mapping[str, Any], failure: ConnectFailed) -> tuple[Status, tuple[Reason, ...]]:
    """What can be known without a session, and why there is none."""
    address = address_of(dict(params))
    answered = failure.code != _SILENT
    path = params["data_directory"]
    if not path:
        return Status(address, running=answered), (_refusal(failure),)
    try:
        data = inspect(path, params["bin_dir"] or _any_bin_dir())
    except OSError as error:
        unreadable = reason("data_directory_invalid", f"{path} cannot be read: {error.strerror}.")
        return Status(address, running=answered, data_directory=path), (_refusal(failure), unreadable)
    running = answered or data.server_pid is not None
    return _from_directory(address, data, running), (_refusal(failure) if running else _why_not(data, address),)


def _any_bin_dir() -> str:
    """Where pg_controldata may be; a machine without it may still have no data directory, which is truth enough."""
    try:
        return find_bin_dir()
    except PgFleetError:
        return ""


def _refusal(failure: ConnectFailed) -> Reason:
    words = failure.facts.get("server_words", "")
    for saying, code in _PHASES:
        if saying in words:
            return reason(code, failure.message, server_words=words)
    return reason(failure.code, failure.message, failure.remedy, server_words=words)


def _why_not(data: DataDir, address: str) -> Reason:
    if data.vacant:
        found = "is empty" if data.exists else "does not exist"
        return reason("data_directory_missing", f"No server answers at {address}, and {data.path} {found}.")
    if not data.valid:
        found = "an unfinished copy" if data.unfinished else "not a cluster"
        return reason("data_directory_invalid", f"No server answers at {address}, and {data.path} holds {found}.")
    return reason(
        "not_running",
        f"No server runs in {data.path}; its cluster state is '{data.cluster_state}'.",
        cluster_state=data.cluster_state,
    )


def _role(data: DataDir) -> str:
    if data.vacant:
        return ABSENT
    if not data.valid:
        return UNKNOWN
    return STANDBY if data.standby_signal or data.recovery_signal else PRIMARY


def _from_directory(address: str, data: DataDir, running: bool) -> Status:
    role = _role(data)
    written = _auto_conf(data.path)
    position = format_lsn(data.position) if data.valid else None
    conninfo = parse_conninfo(written.get("primary_conninfo", ""))
    return Status(
        address=address,
        running=running,
        role=role,
        system_identifier=data.system_identifier,
        timeline=data.timeline,
        version=str(data.pg_version) if data.pg_version else None,
        cluster_name=written.get("cluster_name"),
        data_directory=data.path,
        cluster_state=data.cluster_state,
        lsn=Lsns(replay=position) if role == STANDBY else Lsns(flush=position),
        upstream=upstream_of(conninfo, written.get("primary_slot_name")) if role == STANDBY else None,
        checksums=Checksums(data.checksums if data.valid else None),
        wal=Wal(os.path.join(data.path, "pg_wal") if data.valid else None),
    )


def _auto_conf(path: str) -> dict[str, str]:
    try:
        with open(os.path.join(path, "postgresql.auto.conf"), encoding="utf-8", errors="replace") as file:
            return read_assignments(file.read())
    except OSError:
        return {}
