# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Look around a place where a data directory is wanted, and make the end of earlier runs good."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .._errors import InvalidInput
from .facts import INCOMING, DataDir
from .place import Beside, Place
from .process import end_orphans
from .swap import SWAPPING, clean, finish, outside_directories, read_work


@dataclass(frozen=True)
class Finished:
    """What an earlier run had made ready and this one has put into place."""

    replaces: bool
    replaced_path: str | None


def settle(dest: str) -> Finished | None:
    """Make an earlier run's end good: finish it, or clear away what it left. The caller holds the lock."""
    work = read_work(dest)
    if work:
        end_orphans([move.new for move in work.moves])
    if work and work.phase == SWAPPING:
        return Finished(work.replaces, finish(work))
    clean(dest)
    return None


def look_around(dest: DataDir, wanted: Mapping[str, str]) -> Place:
    """The place of a destination. ``wanted``: directories outside it, with the names of their options."""
    path = os.path.realpath(dest.path)
    used = outside_directories(path).values()
    besides = tuple(
        Beside(
            outside,
            option,
            vacant=_is_vacant(outside),
            is_mount_point=os.path.ismount(outside),
            used_by_dest=outside in used,
            strange_incoming=_is_strange(path, outside),
        )
        for outside, option in wanted.items()
    )
    return Place(dest, _is_strange(path, path), besides)


def check_paths(dest: str, outside: Mapping[str, str | None]) -> None:
    """Refuse relative paths, and directories outside ``dest`` that are inside."""
    for option, path in {"data_directory": dest, **outside}.items():
        if path and not os.path.isabs(path):
            raise InvalidInput(f"{option} '{path}' is not an absolute path.", "Give one that begins with '/'.")
    real = os.path.realpath(dest)
    for option, path in outside.items():
        if path and os.path.commonpath([real, os.path.realpath(path)]) == real:
            raise InvalidInput(
                f"{option} '{path}' is inside data_directory '{dest}'.", "Give a directory outside of it."
            )


def _is_strange(dest: str, path: str) -> bool:
    """Whether what lies at ``<path>.incoming`` is not noted as ours."""
    work = read_work(dest)
    ours = {move.new for move in work.moves} if work else set()
    return path + INCOMING not in ours and not _is_vacant(path + INCOMING)


def _is_vacant(path: str) -> bool:
    return not os.path.lexists(path) or (os.path.isdir(path) and not os.listdir(path))
