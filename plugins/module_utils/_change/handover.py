# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How the old primary tells its successor where its WAL ends: by the name of a replication session there. No I/O.

The successor waits inside its own module meanwhile, so nothing that is slow lies between the last write of the one
and the first write of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Name of the session that is there from before the shutdown until all is done.
BEGUN = "pgfleet handover"
_ENDED = re.compile(re.escape(BEGUN) + r" ([0-9A-F]+/[0-9A-F]+)")


def name_of(lsn: str) -> str:
    """Name of the session that says where the record of the shutdown checkpoint begins."""
    return f"{BEGUN} {lsn}"


@dataclass(frozen=True)
class Handover:
    """What the sessions of the old primary say; ``lsn`` is None until it has stopped."""

    alive: bool
    lsn: str | None = None


def read_handover(names: Iterable[str]) -> Handover:
    """The handover that these sessions belong to; not alive when the old primary is not, or no more, there."""
    listed = list(names)
    ended = [found.group(1) for name in listed if (found := _ENDED.fullmatch(name))]
    return Handover(bool(ended) or BEGUN in listed, ended[-1] if ended else None)
