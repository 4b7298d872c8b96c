# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What makes a data directory a standby: its recovery settings and its signal file."""

from __future__ import annotations

import os

from .._host.atomic import sync_directory, write_file
from .recovery import AUTO_CONF, Recovery
from .settings import write_settings

SIGNAL = "standby.signal"


def read_text(path: str) -> str:
    """A configuration file, byte for byte; empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def make_standby(path: str, recovery: Recovery) -> None:
    """Let the server of this directory start as a standby. The settings come first: the signal alone leads nowhere."""
    settings = os.path.join(path, AUTO_CONF)
    write_file(settings, write_settings(read_text(settings), recovery.fresh()))
    write_file(os.path.join(path, SIGNAL), "")


def unmake_standby(path: str) -> None:
    """Let it start as a primary again; settings of a standby mean nothing to a primary."""
    os.unlink(os.path.join(path, SIGNAL))
    sync_directory(path)
