# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Files that are whole or not there, whatever happens meanwhile."""

from __future__ import annotations

import os
from contextlib import suppress


def write_file(path: str, text: str) -> None:
    """Replace a file at once and for good: readers see the old text or the new one, also after a crash."""
    temporary = f"{path}.{os.getpid()}.tmp"
    file = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with open(file, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(temporary, path)
    except BaseException:
        unlink(temporary)
        raise
    sync_directory(os.path.dirname(path))


def sync_directory(path: str) -> None:
    """Make renames and new names in a directory survive a crash."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def make_parents(path: str) -> None:
    """The directories above ``path``, the missing ones with mode 0700."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_parents(parent)
        with suppress(FileExistsError):
            os.mkdir(parent, 0o700)


def unlink(path: str) -> None:
    """Remove a file, if there is one."""
    with suppress(FileNotFoundError):
        os.unlink(path)
