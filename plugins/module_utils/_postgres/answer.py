# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a server, or the machine it should be on, answered to a login: one stable word for each truth. No I/O.

A server that answers, even with a refusal, is alive. Only a process that says nothing at all may be treated as dead.
"""

from __future__ import annotations

import re

ACCEPTS = "accepts_connections"
TOO_MANY = "too_many_clients"
HBA = "rejected_by_hba"
AUTHENTICATION = "authentication_failed"
STARTING = "starting_up"
STOPPING = "shutting_down"
CLOSED = "hot_standby_off"
REFUSED = "refused"
FROZEN = "frozen"
NOT_LISTENING = "not_listening"
STOPPED = "stopped"
ABSENT = "absent"
CONNECTION_REFUSED = "connection_refused"
TIMED_OUT = "timed_out"
UNREACHABLE = "unreachable"

#: A server that said so itself.
SPOKEN = frozenset((ACCEPTS, TOO_MANY, HBA, AUTHENTICATION, STARTING, STOPPING, CLOSED, REFUSED))
#: Nothing came back; whether a server is there must be seen in its data directory.
NO_REPLY = frozenset((CONNECTION_REFUSED, TIMED_OUT, UNREACHABLE))
#: These pass by themselves.
PASSING = frozenset((STARTING, STOPPING))

#: The phase in which a server accepts nobody, in its own words; also the codes of the reasons.
_PHASES = (
    ("shutting down", STOPPING),
    ("Hot standby mode is disabled", CLOSED),
    ("starting up", STARTING),
    ("not yet accepting", STARTING),
    ("Consistent recovery state has not been yet reached", STARTING),
    ("in recovery mode", STARTING),
)
_OF_CODE = {
    "too_many_connections": TOO_MANY,
    "no_hba_entry": HBA,
    "wrong_password": AUTHENTICATION,
    "wrong_operating_system_user": AUTHENTICATION,
    "role_missing": AUTHENTICATION,
    "not_accepting_connections": STARTING,
}
_WAYS = (
    (r"timeout expired|timed out|temporarily unavailable", TIMED_OUT),
    (r"Connection refused|No such file or directory|closed the connection|Connection reset", CONNECTION_REFUSED),
)
#: What SQLSTATE says where the words are in another language; a phase is told by postmaster.pid then.
_OF_SQLSTATE = {"53300": TOO_MANY, "28P01": AUTHENTICATION, "28000": HBA, "57P01": STOPPING, "57P03": STARTING}
#: Line 8 of postmaster.pid.
_OF_PHASE = {"starting": STARTING, "stopping": STOPPING}
_OWN_WORDS = re.compile(r".*\b(?:FATAL|PANIC|ERROR):\s+(.*)$")  # the last: libpq tries with and without TLS
#: How tables and sentences say it.
SAID = {
    ACCEPTS: "accepts connections",
    TOO_MANY: "too many clients",
    HBA: "rejected by pg_hba.conf",
    AUTHENTICATION: "authentication failed",
    STARTING: "starting up",
    STOPPING: "shutting down",
    CLOSED: "hot_standby off",
    REFUSED: "refuses connections",
    FROZEN: "frozen",
    NOT_LISTENING: "not listening",
    STOPPED: "stopped",
    ABSENT: "absent",
    CONNECTION_REFUSED: "connection refused",
    TIMED_OUT: "timed out",
    UNREACHABLE: "unreachable",
}


def phase_of(words: str) -> str | None:
    """The phase of a server that accepts nobody now; None when the words are about something else."""
    return next((phase for saying, phase in _PHASES if saying in words), None)


def answer_of(code: str, words: str) -> str:
    """The word for a login that failed with this code of ConnectFailed and in these words."""
    if code == UNREACHABLE:
        return next((way for pattern, way in _WAYS if re.search(pattern, words)), UNREACHABLE)
    if re.search("authentication failed|not permitted to log in", words):
        return AUTHENTICATION
    return phase_of(words) or _OF_CODE.get(code, REFUSED)


def answer_of_sqlstate(sqlstate: str, phase: str) -> str:
    """The word for an error of which only the code can be read; ``phase`` is that of postmaster.pid."""
    told = _OF_SQLSTATE.get(sqlstate, REFUSED)
    return _OF_PHASE.get(phase, CLOSED if phase == "standby" else told) if sqlstate == "57P03" else told


def own_words(text: str) -> str | None:
    """What the server itself said, out of what the client library made of it; None where no server spoke."""
    found = _OWN_WORDS.search(text)
    return found.group(1).strip() if found else None
