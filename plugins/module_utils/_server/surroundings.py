# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read what lies around a server that does not run: its log, its unit, its links, its disk. Only reads."""

from __future__ import annotations

import os

from .._host.machine import output_of, service_manager
from .why_stopped import Surroundings, unit_state

_LOG_BYTES = 64 * 1024
_SHOWN = "LoadState,ActiveState,UnitFileState,Result"


def look_around(data_directory: str, cluster_state: str | None, log_file: str | None, unit: str | None) -> Surroundings:
    """What can be seen; what may not be read is not there."""
    shown = show_unit(unit)
    return Surroundings(
        cluster_state=cluster_state,
        log=end_of(log_file),
        unit=unit or "",
        unit_state=unit_state(shown),
        unit_result=shown.get("Result", ""),
        broken_links=tuple(_broken_links(data_directory)),
        free_bytes=free_bytes(data_directory),
    )


def show_unit(unit: str | None) -> dict[str, str]:
    """What systemd says of a unit; empty without one."""
    if not unit or service_manager() != "systemd":
        return {}
    pairs = (line.partition("=") for line in output_of("systemctl", "show", "--property", _SHOWN, unit))
    return {name: value for name, equals, value in pairs if equals}


def end_of(path: str | None) -> list[str]:
    """The last lines of a log."""
    try:
        with open(path or "", "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return lines[1:] if size > _LOG_BYTES else lines


def _broken_links(data: str) -> list[str]:
    """Tablespaces, and a WAL directory of its own, that lead nowhere."""
    tablespaces = os.path.join(data, "pg_tblspc")
    try:
        names = sorted(os.listdir(tablespaces))
    except OSError:
        names = []
    links = [os.path.join(data, "pg_wal"), *(os.path.join(tablespaces, name) for name in names)]
    return [f"{link} -> {os.readlink(link)}" for link in links if os.path.islink(link) and not os.path.isdir(link)]


def free_bytes(data: str) -> int | None:
    """What a data directory, or its WAL elsewhere, has left; None when it cannot be seen."""
    try:
        found = [os.statvfs(path) for path in (data, os.path.join(data, "pg_wal")) if os.path.isdir(path)]
    except OSError:
        return None
    return min((each.f_frsize * each.f_bavail for each in found), default=None)
