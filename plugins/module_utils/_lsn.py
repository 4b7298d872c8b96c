# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Log sequence numbers: byte positions in the write-ahead log (manual: pg_lsn Type)."""

from __future__ import annotations

import re

from ._errors import InvalidInput

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


def parse_lsn(text: str) -> int:
    """Byte position of an LSN written as ``16/B374D848``."""
    found = _LSN.fullmatch(text)
    if not found:
        raise InvalidInput(f"'{text}' is not an LSN.", "Write it as two hexadecimal numbers, like '0/3000060'.")
    return (int(found.group(1), 16) << 32) + int(found.group(2), 16)


def format_lsn(position: int) -> str:
    """The usual notation of a byte position."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def lsn_distance(ahead: str | None, behind: str | None) -> int | None:
    """Bytes from ``behind`` to ``ahead``, never negative; None when either is unknown."""
    if ahead is None or behind is None:
        return None
    return max(0, parse_lsn(ahead) - parse_lsn(behind))
