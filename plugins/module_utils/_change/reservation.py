# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""One change of a fleet at a time: a note on each node that says who is at work, kept fresh by the run that wrote it.

A note counts for as long as its file was touched within its lease, by the node's own clock. It lies below ``/run``, so a
restart of the machine ends it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from .._errors import PgFleetError

DIRECTORY = "/run/pgfleet"
_NOTE = ".json"
_MUTEX = ".mutex"


class ChangeInProgress(PgFleetError):
    """Another run is changing this fleet."""

    code = "change_in_progress"


class ReservationLost(PgFleetError):
    """The run that acts does not hold the fleet any more."""

    code = "reservation_lost"


@dataclass(frozen=True)
class Reservation:
    """Who changes the fleet. ``began``: start of the run by the clock of its control machine, in seconds since the epoch.

    ``machine``, ``pid`` and ``pid_start`` tell whoever is on that machine whether the run still lives.
    """

    token: str
    operation: str
    user: str = ""
    host: str = ""
    machine: str = ""
    pid: int = 0
    pid_start: str = ""
    began: float = 0
    lease: float = 60
    age: float = 0

    @property
    def ticket(self) -> tuple[float, str]:
        """Of two runs that started at once the one with the lower ticket goes first."""
        return self.began, self.token

    def described(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.began))
        return f"{self.operation}, started by {self.user} on {self.host} at {since} (process {self.pid})"


def note_path(name: str, token: str, directory: str = DIRECTORY) -> str:
    return os.path.join(directory, name, token + _NOTE)


def reserve(
    name: str, wanted: Reservation, displaced: Collection[str], check: bool, directory: str = DIRECTORY
) -> tuple[tuple[Reservation, ...], bool]:
    """Those who hold the node, and whether a new note was (or would be) written, which is so only when nobody does."""
    place = os.path.join(directory, name)
    if check:
        held = _holders(place, wanted.token, displaced)
        return held, not held and not os.path.exists(note_path(name, wanted.token, directory))
    os.makedirs(place, mode=0o755, exist_ok=True)
    with _mutex(place):
        for token in _ended(place, displaced):
            _unlink(os.path.join(place, token + _NOTE))
        held = _holders(place, wanted.token, ())
        return held, not held and _write(note_path(name, wanted.token, directory), wanted)


def release(name: str, token: str, check: bool, directory: str = DIRECTORY) -> bool:
    """Take a note away; whether there was one."""
    path = note_path(name, token, directory)
    found = os.path.exists(path)
    if found and not check:
        _unlink(path)
    return found


def require(path: str) -> None:
    """Refuse to act for a run whose note is gone: its lease ended, and another may be at work."""
    if not os.path.exists(path):
        raise ReservationLost(
            f"This run does not hold the fleet any more: '{path}' is gone, as it gave no sign of life for too long.",
            "Run it again; it looks at the servers as they are then. Nothing was changed by this step.",
        )


def refusal(holders: Sequence[Reservation], nodes: Sequence[str] = ()) -> ChangeInProgress:
    first = min(holders, key=lambda each: each.ticket)
    seen = f" Seen on {', '.join(nodes)}." if nodes else ""
    return ChangeInProgress(
        f"Another run is changing this fleet: {first.described()}.{seen}",
        f"Wait until it has ended, then run again. If its control machine is gone, it counts as ended"
        f" {first.lease:g} s after its last sign of life, {first.age:.0f} s ago. Nothing was changed.",
        holders=[asdict(each) for each in holders],
    )


@contextmanager
def _mutex(place: str) -> Iterator[None]:
    file = os.open(os.path.join(place, _MUTEX), os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _write(path: str, wanted: Reservation) -> bool:
    """A note of this run that is there already is only kept fresh."""
    if os.path.exists(path):
        os.utime(path)
        return False
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(asdict(wanted), file)
    os.chmod(temporary, 0o644)
    os.rename(temporary, path)
    return True


def _notes(place: str) -> Iterator[Reservation]:
    names = sorted(os.listdir(place)) if os.path.isdir(place) else []
    for name in (name for name in names if name.endswith(_NOTE)):
        with suppress(FileNotFoundError):
            yield _read(os.path.join(place, name), name[: -len(_NOTE)])


def _read(path: str, token: str) -> Reservation:
    """A note that cannot be read holds the node as well; nobody knows for whom."""
    age = max(0.0, time.time() - os.stat(path).st_mtime)
    try:
        with open(path, encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
        return replace(Reservation(**found), token=token, age=age)
    except (ValueError, TypeError):
        return Reservation(token, "a run that left an unreadable note", age=age)


def _holders(place: str, own: str, displaced: Collection[str]) -> tuple[Reservation, ...]:
    ended = set(_ended(place, displaced))
    return tuple(note for note in _notes(place) if note.token not in ended and note.token != own)


def _ended(place: str, displaced: Collection[str]) -> list[str]:
    return [note.token for note in _notes(place) if note.age > note.lease or note.token in displaced]


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
