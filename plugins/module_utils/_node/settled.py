# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What tells whether the rules and the recovery settings of a node are as they should be, without secrets."""

from __future__ import annotations

import glob
import os
from typing import Any

from .._hba.server import NOTE, shown
from .._host.files_io import fingerprint
from .._postgres.recovery import AUTO_CONF, shown_settings
from .._postgres.settings import read_settings
from .._postgres.standby import SIGNAL, read_text


def describe_rules(path: str) -> dict[str, Any]:
    """A pg_hba.conf; nothing of one that is not there. ``unfinished``: a run was killed while the server judged it."""
    found = fingerprint(path)
    if not found:
        return {}
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:
        text = shown(stream.read())
    return {
        "text": text,
        "owner": found["owner"],
        "mode": found["mode"],
        "unfinished": _exists(os.path.realpath(path) + NOTE),
    }


def describe_recovery(data_directory: str) -> dict[str, Any]:
    """What a data directory says of the primary to follow. ``unfinished``: an earlier clone has left something beside it."""
    settings = read_settings(read_text(os.path.join(data_directory, AUTO_CONF)))
    return {
        **shown_settings(settings),
        "signal": _exists(os.path.join(data_directory, SIGNAL)),
        "unfinished": bool(glob.glob(glob.escape(os.path.realpath(data_directory)) + ".incoming*")),
    }


def _exists(path: str) -> bool:
    return os.path.lexists(path)
