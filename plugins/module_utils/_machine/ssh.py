# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a machine can be logged in to."""

from __future__ import annotations

import socket

PORT = 22


def answers(address: str) -> bool:
    """Whether an SSH server greets there."""
    try:
        with socket.create_connection((address, PORT), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
