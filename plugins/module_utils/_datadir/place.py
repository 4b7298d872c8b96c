# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What may be done at a place where a data directory is wanted. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import PgFleetError
from .facts import INCOMING, MARKER, DataDir

KEPT = "kept"
MOVE_AWAY = "Move it away, or give another data_directory."


class DirectoryRefused(PgFleetError):
    """The directory is in a state in which it must be left alone; ``code`` says which."""

    code = "directory_refused"


@dataclass(frozen=True)
class Beside:
    """A directory outside ``dest`` that is needed too: of the WAL, or of a tablespace."""

    path: str
    option: str
    vacant: bool = True
    is_mount_point: bool = False
    used_by_dest: bool = False
    strange_incoming: bool = False


@dataclass(frozen=True)
class Place:
    """A destination and what is around it. ``strange_incoming``: what lies at ``<dest>.incoming`` is not ours."""

    dest: DataDir
    strange_incoming: bool = False
    besides: tuple[Beside, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What is to be done, why, and the same as a sentence. ``finish``: only the renames of an earlier run are left."""

    action: str
    reason: str
    sentence: str
    finish: bool = False

    @property
    def changed(self) -> bool:
        return self.action != KEPT


def why_vacant(dest: DataDir) -> tuple[str, str]:
    """Code and sentence for making a directory where nothing is that could be lost."""
    if dest.incoming:
        return f"unfinished_{dest.incoming_kind}", f"An earlier run that made '{dest.path}' did not come to its end."
    return ("empty", f"'{dest.path}' is empty.") if dest.exists else ("missing", f"'{dest.path}' does not exist.")


def not_a_cluster(dest: DataDir, remedy: str) -> DirectoryRefused | None:
    """Why what is there is not a cluster; None when it is one."""
    if not dest.is_directory:
        return DirectoryRefused(f"'{dest.path}' is not a directory.", MOVE_AWAY, "not_a_directory")
    if dest.unfinished:
        return DirectoryRefused(f"'{dest.path}' holds an unfinished copy that is not ours.", remedy, "unfinished_copy")
    if dest.foreign:
        return DirectoryRefused(
            f"'{dest.path}' has files in it that are not those of a cluster.", remedy, "foreign_files"
        )
    if not dest.valid:
        return DirectoryRefused(f"The control file in '{dest.path}' cannot be read.", remedy, "unreadable_control_file")
    return None


def refuse_obstacles(place: Place, force: bool, remedy: str) -> None:
    """Refuse what stands in the way of making a directory beside its place and renaming it."""
    dest = place.dest
    if dest.exists and not dest.is_directory:
        raise DirectoryRefused(f"'{dest.path}' is not a directory.", MOVE_AWAY, "not_a_directory")
    if dest.is_mount_point:
        raise _mount_point(dest.path, "data_directory")
    if place.strange_incoming:
        raise _strange_incoming(dest.path)
    for beside in place.besides:
        if beside.is_mount_point:
            raise _mount_point(beside.path, beside.option)
        if beside.strange_incoming:
            raise _strange_incoming(beside.path)
        if not (beside.vacant or beside.used_by_dest or force):
            raise DirectoryRefused(
                f"'{beside.path}' ({beside.option}) has files in it that do not belong to '{dest.path}'.",
                remedy,
                "not_empty",
            )


def refuse_swap_under_a_server(dest: DataDir) -> None:
    """Refuse to finish renames that would take its directory away from a server that was started meanwhile."""
    if dest.incoming_there and dest.server_pid is not None:
        raise DirectoryRefused(
            f"'{dest.path}{INCOMING}' is ready to take the place of '{dest.path}', but a server has been started there meanwhile,"
            f" process {dest.server_pid}.",
            f"Stop it to go on. To keep it, remove '{dest.path}{INCOMING}' and '{dest.path}{MARKER}'.",
            "server_running",
            server_pid=dest.server_pid,
        )


def _mount_point(path: str, option: str) -> DirectoryRefused:
    return DirectoryRefused(
        f"'{path}' ({option}) is a mount point: a finished directory cannot be renamed over it.",
        f"Give a directory below it, such as '{path}/data'.",
        "mount_point",
    )


def _strange_incoming(path: str) -> DirectoryRefused:
    return DirectoryRefused(
        f"'{path}.incoming' exists and was not made by this collection.", "Move it away.", "incoming_foreign"
    )
