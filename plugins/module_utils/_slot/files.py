# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The slots of a server that cannot be asked, from its data directory (pg_replslot/NAME/state; replication/slot.h)."""

from __future__ import annotations

import os
import struct

_HEADER = struct.Struct("=IIII")  # magic, checksum, version, length
_MAGIC = 0x1051CA1
_NAME_BYTES = 64
_DATABASE = struct.Struct("=I")


def stored_logical_slots(data_directory: str) -> tuple[str, ...] | None:
    """Names of its logical slots; None where they may not be read."""
    folder = os.path.join(data_directory, "pg_replslot")
    try:
        return tuple(name for name in sorted(os.listdir(folder)) if _is_logical(os.path.join(folder, name, "state")))
    except OSError:
        return None


def _is_logical(path: str) -> bool:
    """Only a logical slot belongs to a database."""
    try:
        with open(path, "rb") as file:
            return is_logical_state(file.read(_HEADER.size + _NAME_BYTES + _DATABASE.size))
    except FileNotFoundError:
        return False


def is_logical_state(content: bytes) -> bool:
    """By the first bytes of a state file: a header, the name, the database's OID."""
    if len(content) < _HEADER.size + _NAME_BYTES + _DATABASE.size or _HEADER.unpack_from(content)[0] != _MAGIC:
        return False
    return bool(_DATABASE.unpack_from(content, _HEADER.size + _NAME_BYTES)[0])
