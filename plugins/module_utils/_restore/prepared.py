# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Put a directory that was restored beside a living one into its place (manual: Recovery Target, recovery_target_action)."""

from __future__ import annotations

import os
from dataclasses import replace

from .._datadir.facts import DataDir
from .._datadir.place import DirectoryRefused, Plan
from .._datadir.swap import commit, finish, new_work
from .._host.atomic import unlink
from .._postgres.recovery import AUTO_CONF
from .layout import ORIGIN, RECOVERY, change_settings, signal, write_note
from .note import FILES, SIDE, STANDBY, Note, Wanted, differences
from .plan import SHUT_DOWN
from .settings import PROMOTE, in_place_recovery
from .target import TARGET_SETTINGS

REPLACED = "replaced"
#: By what the directory is for in its place: what it may have been made as.
_MADE_AS = {FILES: (SIDE, FILES), STANDBY: (STANDBY,)}


def plan_prepared(dest: DataDir, beside: DataDir, note: Note | None, wanted: Wanted) -> Plan:
    """Whether what was recovered beside may take the place of ``dest``. ``note``: of the directory beside."""
    if note is None or note.mode not in _MADE_AS[wanted.mode]:
        raise DirectoryRefused(
            f"'{beside.path}' is no directory that was restored to be put into the place of '{dest.path}'.",
            "Restore it there first, for mode: files with mode: side and action: shutdown.",
            "not_prepared",
        )
    if found := differences(replace(note, mode=wanted.mode), wanted):
        raise DirectoryRefused(
            f"'{beside.path}' is another restore: its {', its '.join(found)}.",
            "Remove it with state: absent, and restore it again.",
            "other_restore",
        )
    if note.mode == SIDE and (note.reached or {}).get("state") != SHUT_DOWN:
        raise DirectoryRefused(
            f"'{beside.path}' is not recovered to its target and shut down there.",
            "Restore it with action: shutdown.",
            "not_prepared",
        )
    for each in (beside, dest):
        if each.server_pid is not None:
            raise DirectoryRefused(
                f"A server runs in '{each.path}', process {each.server_pid}.",
                "Stop it first.",
                "server_running",
                server_pid=each.server_pid,
            )
    if dest.valid and dest.system_identifier != beside.system_identifier:
        raise DirectoryRefused(
            f"'{dest.path}' is of the system {dest.system_identifier}, '{beside.path}' of {beside.system_identifier}.",
            "Give the right data_directory.",
            "other_system",
        )
    return Plan(REPLACED, "prepared", f"'{beside.path}' takes the place of '{dest.path}'.")


def put_into_place(beside: str, dest: str, note: Note, wanted: Wanted, restore_command: str) -> str | None:
    """Rename it, with what is there set aside; where that is kept. A kill at any moment leaves a run to go on with."""
    if note.mode == SIDE:
        note = replace(note, dest=dest, mode=FILES, action=PROMOTE, reached=None, port=None, socket_directory="")
        _of_the_origin(beside)
        recovery = in_place_recovery(wanted.target, note.timeline, PROMOTE, restore_command)
        change_settings(beside, recovery, TARGET_SETTINGS)
        signal(beside, RECOVERY)
        write_note(beside, note)
    elif note.dest != dest:
        write_note(beside, replace(note, dest=dest))
    work = commit(new_work("restore", dest, (), True, True))
    os.rename(beside, work.incoming)
    return finish(work)


def _of_the_origin(folder: str) -> None:
    """The side server's files go, and those that came with the backup are back."""
    for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", AUTO_CONF):
        path = os.path.join(folder, name)
        if os.path.exists(path + ORIGIN):
            os.rename(path + ORIGIN, path)
        elif name != AUTO_CONF:
            unlink(path)
