# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a drill wrote down while it ran: writes, reads, events. One JSON document a line, only ever appended to.

All times are seconds of the control machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

WRITES = "writes.jsonl"
READS = "reads.jsonl"
EVENTS = "events.jsonl"
STEPS = "steps.jsonl"


@dataclass(frozen=True)
class Write:
    """One numbered row: when it was sent, when the server acknowledged it (None: never), and which node did."""

    number: int
    sent: float
    acked: float | None = None
    node: str = ""
    error: str = ""


@dataclass(frozen=True)
class Read:
    """One query of one node; ``role`` and ``standbys`` (those that stream from it) are what it answered."""

    node: str
    sent: float
    done: float
    error: str = ""
    role: str = ""
    last_row: int = 0
    standbys: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True)
class Event:
    """Something that the drill did. ``kind`` is a word for programs: fault, command, recovered."""

    at: float
    kind: str
    text: str


@dataclass(frozen=True)
class Step:
    """A playbook that ran during the drill, with its tasks: each a name and the moment it began."""

    name: str
    began: float
    ended: float
    tasks: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Recording:
    """Everything that was written down."""

    writes: tuple[Write, ...] = ()
    reads: tuple[Read, ...] = ()
    events: tuple[Event, ...] = ()
    steps: tuple[Step, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def started(self) -> float:
        return min([write.sent for write in self.writes] + [read.sent for read in self.reads], default=0.0)

    @property
    def ended(self) -> float:
        acked = [write.acked or write.sent for write in self.writes]
        return max(acked + [read.done for read in self.reads], default=0.0)


def note_event(directory: Path, kind: str, text: str, at: float | None = None) -> Event:
    """Append an event to the recording."""
    event = Event(time.monotonic() if at is None else at, kind, text)
    _append(directory / EVENTS, event)
    return event


def note_step(directory: Path, step: Step) -> None:
    """Append a step to the recording."""
    _append(directory / STEPS, step)


def _append(path: Path, line: Event | Step) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(line)) + "\n")


def read_recording(directory: Path, nodes: Iterable[str]) -> Recording:
    """The recording in a directory. A last line that was cut off by a kill does not count."""
    return Recording(
        fold_writes(_lines(directory / WRITES)),
        tuple(Read(**{**line, "standbys": tuple(line.get("standbys", ()))}) for line in _lines(directory / READS)),
        read_events(directory),
        tuple(Step(**{**line, "tasks": tuple(map(tuple, line["tasks"]))}) for line in _lines(directory / STEPS)),
        tuple(nodes),
    )


def read_events(directory: Path) -> tuple[Event, ...]:
    """What has happened so far, in its order."""
    return tuple(sorted((Event(**line) for line in _lines(directory / EVENTS)), key=lambda event: event.at))


def fold_writes(lines: Iterable[Mapping[str, Any]]) -> tuple[Write, ...]:
    """One write for each number, from the lines that say it was sent and how it ended."""
    known: dict[int, dict[str, Any]] = {}
    for line in lines:
        known.setdefault(line["number"], {}).update(line)
    return tuple(Write(**facts) for _number, facts in sorted(known.items()) if "sent" in facts)


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]
