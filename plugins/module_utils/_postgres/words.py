# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The one line of a server's log that says why it did not start. No I/O."""

from __future__ import annotations

import re

#: Entries of a log: whatever stands before the level is the line prefix. The postmaster writes some with its own name only.
_ENTRY = re.compile(r"^(?:.*?[\s\]:])?(FATAL|PANIC|ERROR|LOG|WARNING|HINT|DETAIL|postgres): +(.*)$")
#: What sessions are told, and what follows from a failure.
_CONSEQUENCES = re.compile(
    r"the database system is|terminating|aborting startup|canceling|could not write external PID file"
)
#: A FATAL that only points to the lines before it.
_POINTERS = re.compile(
    r"configuration file .* contains errors|could not load .*hba|could not create any TCP/IP|could not create any Unix"
)
_CHATTER = re.compile(
    r"skipping missing|starting PostgreSQL|listening on|database system|shutting down|terminating|startup process"
    r"|redirecting log|received |aborting|checkpoint|entering standby|redo |consistent recovery|background worker|all server processes"
)
_MEMORY = re.compile(r"shared memory|huge page|semaphore|out of memory|Cannot allocate memory", re.IGNORECASE)


def reason_of(log: str) -> str:
    """The server's own reason in one line; its last line where none is told by its level, empty for an empty log."""
    entries = [(found.group(1), found.group(2)) for line in log.splitlines() if (found := _ENTRY.match(line))]
    fatal = [
        at
        for at, (level, words) in enumerate(entries)
        if level in ("FATAL", "PANIC") and not _CONSEQUENCES.match(words)
    ]
    if fatal:
        return _explained(entries, fatal[0])
    own = [words for level, words in entries if level in ("postgres", "ERROR") and not _CONSEQUENCES.match(words)]
    lines = [line.strip() for line in log.splitlines() if line.strip() and not _CHATTER.search(line)]
    return (own or lines[-1:] or [""])[0]


def _explained(entries: list[tuple[str, str]], at: int) -> str:
    words = entries[at][1]
    detail = [text for level, text in entries[at + 1 : at + 2] if level == "DETAIL"]
    if _POINTERS.search(words):
        before = [text for level, text in entries[:at] if level in ("LOG", "WARNING") and not _CHATTER.search(text)]
        return "; ".join(before[-3:]) or words
    return " ".join([f"{words}." if detail else words, *detail]).rstrip(".")


def is_about_memory(reason: str) -> bool:
    """Whether it is the machine's memory that did not suffice, which another server may just have taken."""
    return bool(_MEMORY.search(reason))
