# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Debian's start.conf: whether a cluster is started with its machine, by hand, or not at all."""

from __future__ import annotations

import os

from .._host.files import WantedFile
from .._host.files_io import look, user_called, write
from .._host.machine import owner_name
from .plan import start_mode


def read_start(path: str) -> str:
    return start_mode(look(path).text)


def write_start(path: str, mode: str) -> None:
    """As a file of its directory's owner."""
    user = user_called(owner_name(os.stat(os.path.dirname(path)).st_uid))
    write(WantedFile(path, f"{mode}\n", user.pw_name), user)
