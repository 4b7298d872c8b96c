# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Write what a laid out backup needs to recover: settings, signal file, note."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress

from .._datadir.process import run_guarded
from .._errors import PgFleetError
from .._host.atomic import sync_directory, unlink, write_file
from .._host.machine import read_text
from .._postgres.recovery import AUTO_CONF
from .._postgres.settings import drop_settings, read_settings, settings_file, write_settings
from .note import NOTE, Note, read_note
from .settings import MADE, SideOptions, origin_limits, wanted_libraries

RECOVERY, STANDBY = "recovery.signal", "standby.signal"
ORIGIN = ".origin"


def find_note(folder: str, dest: str = "") -> Note | None:
    """The note of the restore that has made this directory, for ``dest`` or where it is; None for any other directory."""
    try:
        inode = os.stat(folder).st_ino
    except FileNotFoundError:
        return None
    return read_note(read_text(os.path.join(folder, NOTE)), dest or folder, inode)


def write_note(folder: str, note: Note) -> None:
    write_file(os.path.join(folder, NOTE), note.text)


def signal(folder: str, name: str) -> None:
    """Let the server start in this way, and in no other: a backup of a standby has the signal of one."""
    for other in (RECOVERY, STANDBY):
        if other != name:
            unlink(os.path.join(folder, other))
    write_file(os.path.join(folder, name), "")


def change_settings(folder: str, settings: Mapping[str, str], dropped: Collection[str] = ()) -> bool:
    """Drop settings of postgresql.auto.conf and give others; its other lines stay. Whether something changed."""
    path = os.path.join(folder, AUTO_CONF)
    before = read_text(path)
    after = write_settings(drop_settings(before, dropped), settings)
    if after != before:
        write_file(path, after)
    return after != before


def set_apart(folder: str, options: SideOptions, recovery: Mapping[str, str]) -> None:
    """Give a side server files of its own; those that came with the backup stay beside them."""
    texts = {**options.files, AUTO_CONF: settings_file(recovery, MADE)}
    for name, text in texts.items():
        path = os.path.join(folder, name)
        found = read_text(path)
        if os.path.lexists(path) and MADE not in found:
            os.rename(path, path + ORIGIN)
        if found != text:
            write_file(path, text)


def origin_libraries(folder: str) -> str:
    """shared_preload_libraries of the files that came with the backup."""
    found = ""
    for name in ("postgresql.conf", AUTO_CONF):
        path = os.path.join(folder, name)
        text = read_text(path)
        text = read_text(path + ORIGIN) if MADE in text else text
        found = read_settings(text).get("shared_preload_libraries", found)
    return found


def loadable_libraries(bin_dir: str, given: Mapping[str, str], origin: str) -> tuple[list[str], list[str]]:
    """Libraries that are on this machine, and those that are not."""
    folder = _library_folder(bin_dir)
    wanted = wanted_libraries(given, origin)
    there = [name for name in wanted if _is_there(folder, name)]
    return there, [name for name in wanted if name not in there]


def _is_there(folder: str, name: str) -> bool:
    path = os.path.join(folder, name.replace("$libdir/", ""))
    return any(os.path.exists(each) for each in (path, f"{path}.so"))


def _library_folder(bin_dir: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [os.path.join(bin_dir, "pg_config"), "--pkglibdir"], capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout.strip()
    return os.path.join(os.path.dirname(bin_dir), "lib")


def limits_of(folder: str, bin_dir: str) -> dict[str, str]:
    """The limits of the server that was backed up."""
    return origin_limits(run_guarded([os.path.join(bin_dir, "pg_controldata"), "-D", folder])[1])


def flush(folder: str, bin_dir: str) -> None:
    """Bring a directory to the disk, its tablespaces too."""
    status, said = run_guarded([os.path.join(bin_dir, "initdb"), "--sync-only", f"--pgdata={folder}"])
    if status:
        raise PgFleetError(f"'{folder}' was not brought to the disk: {' '.join(said.split())[-400:]}", code="os_error")
    sync_directory(os.path.dirname(folder))


def own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
