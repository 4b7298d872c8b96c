# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What lies at a path: a data directory, of which system, in which state. Only reads."""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import PgFleetError
from .._host.machine import read_text
from .._host.processes import program
from .._lsn import parse_lsn
from .._postgres.controldata import SEGMENT_BYTES, ControlData, History, parse_controldata, parse_history
from .._postgres.pid_file import read_pid_file

INCOMING = ".incoming"
MARKER = ".incoming.pgfleet"
#: What notes, beside a directory, that a rewind of it is under way.
REWIND_NOTE = ".rewind.pgfleet"
_BIN_DIRS = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin")


class ProgramsMissing(PgFleetError):
    """The programs of PostgreSQL are not where they should be."""

    code = "programs_missing"


class NotReadable(PgFleetError):
    """The directory is there but may not be looked into."""

    code = "not_readable"


@dataclass(frozen=True)
class DataDir:
    """Facts about a path. Those of the control file are None or False unless ``valid``."""

    path: str
    exists: bool = False
    empty: bool = False
    is_directory: bool = False
    is_mount_point: bool = False
    pg_version: int | None = None
    valid: bool = False
    system_identifier: str | None = None
    timeline: int | None = None
    history: History | None = None
    cluster_state: str | None = None
    checkpoint_lsn: str | None = None
    min_recovery_lsn: str | None = None
    checksums: bool = False
    wal_log_hints: bool = False
    redo_lsn: str | None = None
    wal_segment_bytes: int = SEGMENT_BYTES
    standby_signal: bool = False
    recovery_signal: bool = False
    backup_label: bool = False
    server_pid: int | None = None
    stale_pid_file: bool = False
    unfinished: bool = False
    incoming: str | None = None
    incoming_kind: str | None = None
    incoming_there: bool = False

    @property
    def foreign(self) -> bool:
        """There are files, but they are not those of a cluster, not even of an unfinished one."""
        return self.exists and not self.empty and self.pg_version is None and not self.valid

    @property
    def vacant(self) -> bool:
        """Nothing is there that could be lost."""
        return not self.exists or self.empty

    @property
    def position(self) -> int:
        """The furthest position that the control file vouches for."""
        known = [parse_lsn(lsn) for lsn in (self.checkpoint_lsn, self.min_recovery_lsn) if lsn]
        return max(known, default=0)


def inspect(path: str, bin_dir: str) -> DataDir:
    """The facts about ``path``. ``bin_dir`` has the pg_controldata to use, unless the directory is of another version.

    ``unfinished`` tells a copy or an initdb that did not come to its end; ``incoming`` is the phase of our own one
    beside the directory (``copying`` or ``swapping``), ``incoming_kind`` what it is to become (``clone`` or ``cluster``);
    both are None when there is none. ``incoming_there``: it is still beside the directory, whose place it has yet to take.
    """
    incoming = _incoming(path)
    if not os.path.lexists(path):
        return DataDir(path, **incoming)
    if not os.path.isdir(path):
        return DataDir(path, exists=True, **incoming)
    if not os.access(path, os.R_OK | os.X_OK):
        raise NotReadable(
            f"'{path}' cannot be read by user {os.geteuid()}.", "Run the task as its owner (become_user)."
        )
    version = _pg_version(path)
    control = _control_data(path, _controldata_bin(bin_dir, version))
    server_pid = find_server(path)
    return DataDir(
        path,
        exists=True,
        empty=not os.listdir(path),
        is_directory=True,
        is_mount_point=os.path.ismount(path),
        pg_version=version,
        standby_signal=_has(path, "standby.signal"),
        recovery_signal=_has(path, "recovery.signal"),
        backup_label=_has(path, "backup_label"),
        server_pid=server_pid,
        stale_pid_file=server_pid is None and _has(path, "postmaster.pid"),
        unfinished=_has(path, "backup_manifest.tmp") or (version is not None and not _has(path, "global/pg_control")),
        **incoming,
        **_control_facts(path, control),
    )


def find_bin_dir(version: int | None = None, places: Sequence[str] = _BIN_DIRS) -> str:
    """Where the programs of this major version are, or those of the newest one."""
    patterns = [pattern.format("*" if version is None else version) for pattern in places]
    found = [path for pattern in patterns for path in glob.glob(pattern) if _has(path, "pg_controldata")]
    if found:
        return max(found, key=lambda path: int("".join(re.findall(r"\d+", path)) or 0))
    told = _pg_config_bin_dir(version)
    if told:
        return told
    wanted = "PostgreSQL" if version is None else f"PostgreSQL {version}"
    raise ProgramsMissing(
        f"The server programs of {wanted} were found neither below /usr/lib/postgresql nor by pg_config.",
        "Install them, or give bin_dir.",
        needed=version,
    )


def programs_of(path: str, given: str | None = None) -> str:
    """Where the programs of a data directory's own version are; of the newest one where nothing is there yet."""
    return given or find_bin_dir(_pg_version(path))


def bin_dir_version(bin_dir: str) -> int:
    """Major version of the programs in a directory."""
    found = re.search(r"\(PostgreSQL\) (\d+)", _output([os.path.join(bin_dir, "pg_controldata"), "--version"]))
    if not found:
        raise ProgramsMissing(f"There is no pg_controldata that runs in '{bin_dir}'.", "Give the right bin_dir.")
    return int(found.group(1))


def find_server(path: str) -> int | None:
    """The process of the live server of a data directory, None when there is none.

    postmaster.pid may be a leftover whose number now belongs to another process: the process must be a postgres
    whose working directory this is; where that may not be read, the directory named in postmaster.pid decides.
    """
    found = read_pid_file(path)
    return found.pid if found.pid is not None and _serves(found.pid, path, found.data_directory) else None


def _serves(pid: int, path: str, written: str) -> bool:
    if program(pid) not in ("postgres", "postmaster"):
        return False
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", path)
    except FileNotFoundError:
        return False
    except PermissionError:
        return os.path.realpath(written) == os.path.realpath(path)


def read_marker(dest: str) -> dict[str, Any] | None:
    """What our own unfinished work beside ``dest`` noted about itself; None when there is no such note of ours."""
    path = dest + MARKER
    try:
        if os.lstat(path).st_uid not in (0, os.stat(os.path.dirname(dest)).st_uid, os.geteuid()):
            return None
        noted = json.loads(read_text(path))
    except (OSError, ValueError):
        return None
    return noted if isinstance(noted, dict) and noted.get("dest") == dest else None


def _incoming(dest: str) -> dict[str, Any]:
    path = os.path.realpath(dest)
    noted = read_marker(path)
    if noted is None:
        return {}
    there = os.path.lexists(path + INCOMING)
    return {
        "incoming": noted.get("phase", "copying"),
        "incoming_kind": noted.get("kind"),
        "incoming_there": there,
    }


def _pg_version(path: str) -> int | None:
    text = read_text(os.path.join(path, "PG_VERSION")).strip()
    return int(text) if text.isdigit() else None


def _controldata_bin(bin_dir: str, version: int | None) -> str:
    """The control file's layout differs between versions: prefer the programs of the directory's own version."""
    if version is not None and str(version) not in re.findall(r"\d+", bin_dir):
        try:
            return find_bin_dir(version)
        except ProgramsMissing:
            pass
    return bin_dir


def _control_data(path: str, bin_dir: str) -> ControlData | None:
    if not _has(path, "global/pg_control"):
        return None
    return parse_controldata(_output([os.path.join(bin_dir, "pg_controldata"), "-D", path]))


def _control_facts(path: str, control: ControlData | None) -> dict[str, Any]:
    if control is None:
        return {}
    return {
        "valid": True,
        "system_identifier": control.system_identifier,
        "timeline": control.timeline,
        "history": _history(path, control.timeline),
        "cluster_state": control.cluster_state,
        "checkpoint_lsn": control.checkpoint_lsn,
        "min_recovery_lsn": control.min_recovery_lsn,
        "checksums": control.checksums,
        "wal_log_hints": control.wal_log_hints,
        "redo_lsn": control.redo_lsn,
        "wal_segment_bytes": control.wal_segment_bytes,
    }


def _history(path: str, timeline: int) -> History | None:
    """The timelines before this one; None when the directory does not have the file that tells."""
    if timeline == 1:
        return ()
    return parse_history(read_text(os.path.join(path, "pg_wal", f"{timeline:08X}.history"))) or None


def _pg_config_bin_dir(version: int | None) -> str | None:
    told = _output(["pg_config", "--bindir"]).strip()
    if not told or not _has(told, "pg_controldata"):
        return None
    return told if version in (None, bin_dir_version(told)) else None


def _output(command: list[str]) -> str:
    """Standard output and error of a program in English; empty when it cannot be run or fails."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def _has(folder: str, name: str) -> bool:
    return os.path.exists(os.path.join(folder, name))
