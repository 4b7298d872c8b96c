# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How a recovery ended, out of the server's log. No I/O."""

from __future__ import annotations

import re

from .._errors import PgFleetError
from .._postgres.words import reason_of

#: Words of the server's log, code, remedy.
_ENDS = (
    (
        r"recovery ended before configured recovery target was reached",
        "target_not_reached",
        "The target is not in the archived WAL of this timeline: look at it again, or wait until the WAL is archived.",
    ),
    (
        r"requested recovery stop point is before consistent recovery point",
        "target_before_backup",
        "Give an older set, or a later target.",
    ),
    (
        r"insufficient parameter settings",
        "origin_limits",
        "The origin has raised one of its limits since the backup: give at least that much in settings.",
    ),
    (
        r"requested timeline \d+ (is not a child|does not contain)|recovery target timeline \d+ does not exist",
        "other_timeline",
        "Give the timeline that the set and the target are on.",
    ),
    (r"No space left on device", "not_enough_space", "Free space; run again, and it goes on."),
)
_SHUT_DOWN = "shutdown at recovery target"


class RecoveryFailed(PgFleetError):
    """The server of a restored directory did not come to the end of its recovery."""

    code = "recovery_failed"


def shut_down_at_target(log: str) -> bool:
    return _SHUT_DOWN in log


def lacks_limits(log: str) -> bool:
    return "insufficient parameter settings" in log


def failure(path: str, log: str, doubt: str = "") -> RecoveryFailed:
    """Why the server ended. ``doubt``: a segment that the archive lacked, behind which the target may lie."""
    words = reason_of(log) or "it ended without a word"
    code, remedy = next(
        ((code, remedy) for pattern, code, remedy in _ENDS if re.search(pattern, log)),
        (RecoveryFailed.code, "Its own words say why."),
    )
    if code == "target_not_reached" and doubt:
        code, remedy = (
            "archive_gap",
            f"The archive lacks {doubt}, which lies before the target: bring it there, and run again.",
        )
    return RecoveryFailed(
        f"The server in '{path}' did not recover to its target: {words.rstrip('.')}.",
        f"{remedy} The directory stays as it is; its log is '{path}/{LOG}'.",
        code,
        server_words=words,
    )


LOG = "pgfleet_restore.log"
