# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What is to be done at a place where a restore is wanted, from what is there. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from .._datadir.facts import DataDir
from .._datadir.place import (
    KEPT,
    MOVE_AWAY,
    DirectoryRefused,
    Place,
    Plan,
    refuse_obstacles,
    refuse_swap_under_a_server,
    why_vacant,
)
from .note import FILES, SIDE, STANDBY, Note, Wanted, differences
from .settings import PAUSE, PROMOTE, SHUTDOWN

RESTORED, RECOVERED, STARTED, PROMOTED, STOPPED, REMOVED = (
    "restored", "recovered", "started", "promoted", "stopped", "removed",
)  # fmt: skip
SHUT_DOWN = "shut_down"
_ANOTHER = "Give another data_directory, or remove it with state: absent first."


@dataclass(frozen=True)
class Running:
    """What a server says that runs in the directory. ``paused``: it has stopped replaying."""

    in_recovery: bool
    paused: bool = False


def plan_present(place: Place, note: Note | None, wanted: Wanted, running: Running | None) -> Plan:
    """What brings the directory to the wanted state; never writes over one that has anything in it."""
    dest = place.dest
    if dest.incoming == "swapping":
        refuse_swap_under_a_server(dest)
        return Plan(RESTORED, "finish_swap", f"A directory of an earlier run waits to become '{dest.path}'.", True)
    if dest.vacant:
        refuse_obstacles(place, False, MOVE_AWAY)
        return Plan(RESTORED, *why_vacant(dest))
    if note is None:
        raise _in_the_way(dest)
    if found := differences(note, wanted):
        raise DirectoryRefused(
            f"'{dest.path}' is another restore: its {', its '.join(found)}.", _ANOTHER, "other_restore"
        )
    if note.mode == STANDBY:
        return _kept("is_restored", f"'{dest.path}' is a standby from set '{note.label}'.")
    if note.mode == FILES:
        return _plan_files(dest, note)
    return _plan_side(dest, note, wanted, running)


def _kept(reason: str, sentence: str) -> Plan:
    return Plan(KEPT, reason, sentence)


def _in_the_way(dest: DataDir) -> DirectoryRefused:
    if dest.exists and not dest.is_directory:
        return DirectoryRefused(f"'{dest.path}' is not a directory.", MOVE_AWAY, "not_a_directory")
    if dest.server_pid is not None:
        return DirectoryRefused(
            f"A server runs in '{dest.path}', process {dest.server_pid}, and no restore has made that directory.",
            "Give another data_directory. pitr moves that of a primary aside first.",
            "live_directory",
            server_pid=dest.server_pid,
        )
    what = f"a cluster of the system {dest.system_identifier}" if dest.valid else "files"
    return DirectoryRefused(
        f"'{dest.path}' is not empty: it has {what}, and no restore has made it.", MOVE_AWAY, "not_empty"
    )


def _plan_files(dest: DataDir, note: Note) -> Plan:
    """Others start it; once it runs, the end of its recovery is awaited and its target taken out of its settings."""
    if note.reached is not None:
        return _kept("is_restored", f"'{dest.path}' is recovered from set '{note.label}'.")
    if dest.server_pid is None and dest.recovery_signal:
        return _kept("not_started", f"'{dest.path}' is laid out from set '{note.label}' and waits for its start.")
    return Plan(RECOVERED, "not_seen_recovered", f"The server of '{dest.path}' recovers, or has recovered.")


def _plan_side(dest: DataDir, note: Note, wanted: Wanted, running: Running | None) -> Plan:
    promoted = not dest.recovery_signal
    if promoted and wanted.action != PROMOTE:
        raise DirectoryRefused(
            f"The side server in '{dest.path}' has been promoted: it cannot {wanted.action} at its target any more.",
            _ANOTHER,
            "already_promoted",
        )
    if running is None:
        return _plan_stopped(dest, note, wanted)
    if (note.port, note.socket_directory) != (wanted.port, wanted.socket_directory):
        raise DirectoryRefused(
            f"The side server in '{dest.path}' runs on port {note.port} in '{note.socket_directory}'.",
            "Give these as server_port and socket_directory, or stop it.",
            "other_restore",
        )
    if note.reached is None or (running.in_recovery and not running.paused):
        return Plan(
            RECOVERED, "unfinished_recovery", f"The side server in '{dest.path}' has not been seen at its target."
        )
    return _plan_paused(dest, wanted) if running.in_recovery else _is_there(dest)


def _plan_stopped(dest: DataDir, note: Note, wanted: Wanted) -> Plan:
    if note.reached is not None and note.reached.get("state") == SHUT_DOWN and wanted.action == SHUTDOWN:
        return _kept("is_restored", f"'{dest.path}' is recovered and shut down.")
    if note.reached is None:
        return Plan(RECOVERED, "unfinished_recovery", f"The recovery in '{dest.path}' did not come to its end.")
    if wanted.action == PROMOTE and note.reached.get("state") != PROMOTED:
        return Plan(PROMOTED, "not_promoted", f"The side server in '{dest.path}' is stopped before its promotion.")
    return Plan(STARTED, "stopped", f"The side server in '{dest.path}' is stopped.")


def _plan_paused(dest: DataDir, wanted: Wanted) -> Plan:
    if wanted.action == PROMOTE:
        return Plan(PROMOTED, "paused", f"The side server in '{dest.path}' is paused at its target.")
    if wanted.action == SHUTDOWN:
        return Plan(STOPPED, "paused", f"The side server in '{dest.path}' is paused at its target.")
    return _is_there(dest)


def _is_there(dest: DataDir) -> Plan:
    return _kept("is_restored", f"The side server in '{dest.path}' is where it is to be.")


def plan_absent(place: Place, note: Note | None) -> Plan:
    """Only a side directory that a restore has made is removed."""
    dest = place.dest
    unfinished = dest.incoming is not None and dest.incoming_kind == "restore"
    if dest.vacant:
        if unfinished:
            return Plan(
                REMOVED, "unfinished_restore", f"An earlier run that made '{dest.path}' did not come to its end."
            )
        return _kept("missing", f"There is nothing at '{dest.path}'.")
    if note is None or note.mode != SIDE:
        why = "no restore has made it" if note is None else f"it was made for another server (mode: {note.mode})"
        raise DirectoryRefused(
            f"'{dest.path}' is not removed: {why}.", "Remove it by hand, if it is to go.", "not_a_side_directory"
        )
    return Plan(REMOVED, "present", f"'{dest.path}' is a side directory from set '{note.label}'.")


__all__ = ["KEPT", "PAUSE", "Running", "plan_absent", "plan_present"]
