# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Make a data directory beside its place and put it there, so that a kill at any moment can be made good.

A note (the marker) beside the destination says what is being made and where. While its phase is ``copying`` everything
it names is rubbish; once it is ``swapping`` everything is ready and the renames only have to be done to the end.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .._errors import PgFleetError
from .._host.atomic import make_parents, sync_directory, unlink, write_file
from .facts import INCOMING, MARKER, REWIND_NOTE, read_marker

COPYING, SWAPPING = "copying", "swapping"
_LOCK = ".incoming.lock"


class Busy(PgFleetError):
    """Another run is at work on the same directory."""

    code = "busy"


class SwapFailed(PgFleetError):
    """A finished directory cannot be put into its place."""

    code = "dest_appeared"


@dataclass(frozen=True)
class Move:
    """A directory that goes from ``<final>.incoming`` to ``final``; what is there is set aside."""

    final: str
    aside: str

    @property
    def new(self) -> str:
        return self.final + INCOMING


@dataclass(frozen=True)
class Work:
    """What is being made at ``dest``. ``moves`` end with that of ``dest`` itself; ``note`` is the maker's own."""

    kind: str
    dest: str
    moves: tuple[Move, ...]
    replaces: bool = False
    keep_replaced: bool = True
    phase: str = COPYING
    note: dict[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> Move:
        return self.moves[-1]

    @property
    def incoming(self) -> str:
        return self.main.new


def new_work(kind: str, dest: str, besides: Iterable[str], replaces: bool, keep_replaced: bool) -> Work:
    """Work at ``dest`` and at directories outside it, with dated names for what has to be set aside."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    paths = (*dict.fromkeys(besides), dest)
    moves = tuple(Move(path, _unused(f"{path}.replaced-{stamp}")) for path in paths)
    return Work(kind, dest, moves, replaces, keep_replaced)


def _unused(path: str) -> str:
    tried, number = path, 1
    while os.path.lexists(tried):
        number += 1
        tried = f"{path}-{number}"
    return tried


def read_work(dest: str) -> Work | None:
    """The work that an earlier run left unfinished."""
    noted = read_marker(dest)
    if noted is None:
        return None
    moves = tuple(Move(**move) for move in noted.pop("moves"))
    return Work(moves=moves, **noted)


def is_locked(dest: str) -> bool:
    """Whether a run is at work on ``dest``; for check mode, which must not make a lock file."""
    try:
        with open(dest + _LOCK, encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def refuse_busy(dest: str) -> None:
    if is_locked(dest):
        raise Busy(f"Another run is at work on '{dest}'.", "Wait until it has ended, then run again.")


@contextmanager
def lock(dest: str) -> Iterator[None]:
    """Be the only run that works on ``dest``; the parent directories are made as needed, for the owner alone."""
    make_parents(dest)
    path = dest + _LOCK
    while True:
        file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            refuse_busy(dest)
            continue
        if os.path.exists(path) and os.path.samestat(os.fstat(file), os.stat(path)):
            break
        os.close(file)
    try:
        yield
    finally:
        os.unlink(path)
        os.close(file)


def begin(work: Work) -> None:
    """Note what is going to be made, before any of it is."""
    for move in work.moves:
        make_parents(move.final)
    write_file(work.dest + MARKER, json.dumps(asdict(work), indent=1))


def clean(dest: str) -> None:
    """Remove what an earlier run did not finish; never what has already been put into its place."""
    work = read_work(dest)
    if work is None or work.phase != COPYING:
        return
    for move in work.moves:
        _remove(move.new)
    unlink(dest + MARKER)


def leftover_bytes(dest: str) -> int:
    """The size of what ``clean`` would remove."""
    work = read_work(dest)
    if work is None or work.phase != COPYING:
        return 0
    folders = [folder for move in work.moves for folder in os.walk(move.new)]
    size = 0
    for folder, _folders, names in folders:
        for name in names:
            with suppress(FileNotFoundError):
                size += os.lstat(os.path.join(folder, name)).st_size
    return size


def commit(work: Work, **note: Any) -> Work:
    """Everything is ready: from here on the work is finished, not begun again."""
    ready = replace(work, phase=SWAPPING, note=note)
    write_file(work.dest + MARKER, json.dumps(asdict(ready), indent=1))
    return ready


def finish(work: Work) -> str | None:
    """Do, or do to the end, the renames; returns where the replaced directory is kept, if there was one."""
    _refuse_newcomer(work)
    if os.path.lexists(work.incoming):
        for move in work.moves[:-1]:
            _put(move)
        _relink(_old(work), {move.final: move.aside for move in work.moves[:-1] if os.path.lexists(move.aside)})
        _relink(work.incoming, {move.new: move.final for move in work.moves[:-1]})
        _put(work.main)
    if not work.keep_replaced:
        for move in work.moves:
            _remove(move.aside)
            unlink(move.aside + REWIND_NOTE)
    unlink(work.dest + MARKER)
    return work.main.aside if os.path.lexists(work.main.aside) else None


def _refuse_newcomer(work: Work) -> None:
    """Something came to the destination after the decision was made: nothing may be done to it."""
    occupied = os.path.isdir(work.dest) and os.listdir(work.dest)
    expected = work.replaces and not os.path.lexists(work.main.aside)
    if os.path.lexists(work.incoming) and occupied and not expected:
        raise SwapFailed(
            f"'{work.incoming}' is ready, but '{work.dest}' has meanwhile been filled by something else.",
            f"Move '{work.dest}' away and run again.",
        )


def _put(move: Move) -> None:
    if not os.path.lexists(move.new):
        return
    if os.path.isdir(move.final) and not os.path.islink(move.final) and not os.listdir(move.final):
        os.rmdir(move.final)
    elif os.path.lexists(move.final):
        os.rename(move.final, move.aside)
    if os.path.lexists(move.final + REWIND_NOTE):  # is about what has been set aside
        os.rename(move.final + REWIND_NOTE, move.aside + REWIND_NOTE)
    os.rename(move.new, move.final)
    sync_directory(os.path.dirname(move.final))


def _old(work: Work) -> str:
    return work.main.aside if os.path.lexists(work.main.aside) else work.dest


def outside_directories(path: str) -> dict[str, str]:
    """The links of a data directory to its WAL and its tablespaces, with what they lead to."""
    spaces = os.path.join(path, "pg_tblspc")
    names = sorted(os.listdir(spaces)) if os.path.isdir(spaces) else []
    links = [os.path.join(path, "pg_wal"), *(os.path.join(spaces, name) for name in names)]
    return {link: os.path.realpath(link) for link in links if os.path.islink(link)}


def _relink(path: str, moved: Mapping[str, str]) -> None:
    """Let the links of a data directory lead to where their directories have been moved."""
    for link, target in outside_directories(path).items():
        if target in moved:
            temporary = path + ".link"
            unlink(temporary)
            os.symlink(moved[target], temporary)
            os.rename(temporary, link)
            sync_directory(os.path.dirname(link))


def _remove(path: str) -> None:
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)
