# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a restore notes in the directory that it has made: what was wanted there, and what was reached. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .target import Target

NOTE = "pgfleet_restore.json"
SIDE, FILES, STANDBY = "side", "files", "standby"
MODES = (SIDE, FILES, STANDBY)


@dataclass(frozen=True)
class Note:
    """``inode`` is that of the directory: a copy of it, or a backup, has the file and is another directory.

    ``reached``: where the recovery ended; None until that was seen.
    """

    dest: str
    inode: int
    mode: str
    backup: Mapping[str, Any]
    target: Mapping[str, Any]
    timeline: int
    action: str
    port: int | None = None
    socket_directory: str = ""
    tablespaces: tuple[str, ...] = ()
    doubt: str = ""
    reached: Mapping[str, Any] | None = None

    @property
    def label(self) -> str:
        return str(self.backup.get("label"))

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


@dataclass(frozen=True)
class Wanted:
    """What the options ask for. ``label`` and ``timeline`` are None where any will do."""

    mode: str
    target: Target
    action: str
    label: str | None = None
    timeline: int | None = None
    port: int | None = None
    socket_directory: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def read_note(text: str, dest: str, inode: int) -> Note | None:
    """The note, if it is about this very directory."""
    try:
        found = json.loads(text)
        known = {each.name for each in fields(Note)}
        note = Note(**{name: value for name, value in found.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        return None
    if (note.dest, note.inode) != (dest, inode):
        return None
    return Note(**{**asdict(note), "tablespaces": tuple(note.tablespaces)})


def differences(note: Note, wanted: Wanted) -> list[str]:
    """In which words a directory is another restore than the wanted one. The action at the target may change."""
    pairs: list[tuple[str, Any, Any]] = [
        ("mode", note.mode, wanted.mode),
        ("set", note.label, wanted.label),
        ("timeline", note.timeline, wanted.timeline),
    ]
    pairs += [(f"target {name}", note.target.get(name), value) for name, value in wanted.target.as_noted.items()]
    return [
        f"{name} is {found}, not {value}" for name, found, value in pairs if found != value and not _any(name, value)
    ]


def _any(name: str, value: Any) -> bool:
    return name in ("set", "timeline") and value is None
