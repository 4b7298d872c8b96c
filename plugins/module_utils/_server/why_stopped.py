# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Why a server does not run: out of the end of its log, its unit, its disk and the links in its directory. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

#: One segment of WAL: with less than that no server can go on.
_TOO_LITTLE_BYTES = 16 * 1024 * 1024
_END = "database system is shut down"
_BEGUN = re.compile("LOG: +(?:starting PostgreSQL|database system is ready to accept)")
_REQUEST = re.compile(r"received (fast|smart|immediate) shutdown request")
_FATAL = re.compile(r"\b(?:FATAL|PANIC):\s+(.*)")
_SAID = re.compile(r"\b(?:LOG|ERROR|DETAIL|HINT|FATAL|PANIC):\s+(.*)")
#: What sessions and helpers die of while the server itself is well. Debian's log_line_prefix names user@database of sessions.
_OF_SESSIONS = re.compile(
    r"\S+@\S+ (?:FATAL|PANIC):|terminating|too many clients|connection slots|authentication failed|pg_hba\.conf"
    r"|the database system is|WAL stream|connect to the primary|(?:role|database) \".*\" does not exist"
)
_RUNNING = ("in production", "in archive recovery", "in crash recovery")


@dataclass(frozen=True)
class Surroundings:
    """What can be seen around a server that does not run; ``unit`` as systemctl shows it, empty without one."""

    cluster_state: str | None = None
    log: Sequence[str] = ()
    unit: str = ""
    unit_state: str | None = None
    unit_result: str = ""
    broken_links: tuple[str, ...] = ()
    free_bytes: int | None = None


@dataclass(frozen=True)
class Cause:
    """A stable word, the sentence and the remedy; no remedy means that of the reason."""

    code: str
    sentence: str
    remedy: str = ""


def causes(around: Surroundings) -> tuple[Cause, ...]:
    """Every cause that can be seen, the one to begin with first."""
    return tuple(_causes(around))


def _causes(around: Surroundings) -> Iterator[Cause]:
    if around.unit_state == "masked":
        yield Cause(
            "unit_masked", f"Its unit {around.unit} is masked.", f"systemctl unmask {around.unit}, then start it."
        )
    for link in around.broken_links:
        yield Cause("directory_missing", f"{link} is not there.", "Mount or restore what belongs there, then start it.")
    if around.free_bytes is not None and around.free_bytes < _TOO_LITTLE_BYTES:
        words = f"Its disk is full ({around.free_bytes // 1024} kB free)."
        yield Cause("disk_full", words, "Make room, then start it; never delete files of pg_wal.")
    words = last_words(around.log)
    if words:
        yield Cause("log", f"Its log ends with: {words.rstrip('.')}.")
    elif around.cluster_state in _RUNNING:
        yield Cause("ended_without_shutdown", "It ended without shutting down: killed, or its machine lost power.")
    if around.unit_state == "failed":
        yield Cause("unit_failed", f"Its unit {around.unit} has failed ({around.unit_result or 'no result'}).")


def last_words(lines: Sequence[str]) -> str:
    """What the log says of the last end, or of a start that failed since; empty when it says nothing of either."""
    ends = [number for number, line in enumerate(lines) if _END in line]
    begins = [number for number, line in enumerate(lines) if _BEGUN.search(line)]
    fatal = _fatal(lines[max([-1, *ends, *begins]) + 1 :])
    if fatal or not ends or (begins and begins[-1] > ends[-1]):
        return fatal
    last = lines[ends[-2] + 1 if len(ends) > 1 else 0 : ends[-1]]
    requests = [found.group(0) for line in last if (found := _REQUEST.search(line))]
    return requests[-1] if requests else _fatal(last)


def _fatal(lines: Sequence[str]) -> str:
    """The last error that ended a server, with the line before it where that has the reason, and its detail."""
    numbers = [number for number, line in enumerate(lines) if _FATAL.search(line) and not _OF_SESSIONS.search(line)]
    if not numbers:
        return ""
    last = numbers[-1]
    first = last - 1 if last and "contains errors" in lines[last] else last
    rest = lines[last + 1 : last + 3]
    chosen = [*lines[first : last + 1], *[line for line in rest if "DETAIL:" in line or "HINT:" in line]]
    found = [said.group(1).strip() for line in chosen if (said := _SAID.search(line))]
    return " ".join(found)


def unit_state(shown: Mapping[str, str]) -> str | None:
    """One word out of what ``systemctl show`` prints: masked, not-found, failed, active, inactive, activating ..."""
    if not shown:
        return None
    load = shown.get("LoadState", "")
    if load == "masked" or shown.get("UnitFileState", "").startswith("masked"):
        return "masked"
    return load if load in ("not-found", "error", "bad-setting") else shown.get("ActiveState") or None
