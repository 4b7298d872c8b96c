# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Work on data directories as their owner, and name what the operating system refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from functools import partial

from .._errors import PgFleetError
from .._host.server_user import as_server_user

_CODES = {
    errno.EACCES: ("not_permitted", "Run the task as the owner of the directory (become_user)."),
    errno.EPERM: ("not_permitted", "Run the task as the owner of the directory (become_user)."),
    errno.EROFS: ("not_permitted", "The file system is mounted read-only."),
    errno.ENOSPC: ("not_enough_space", "Free space, or give a data_directory on a larger file system."),
    errno.EXDEV: ("mount_point", "Directories that are renamed must not lie on different file systems."),
}
_RIGHT_OWNER = "Make its parent directory with the right owner, or run the task as its owner (become_user)."


class SystemRefused(PgFleetError):
    """The operating system refused an operation on a file or a program."""

    code = "os_error"


#: A context, and a decorator, in which a data directory is worked on.
as_owner = partial(
    as_server_user,
    SystemRefused,
    "A data directory must not belong to root: no server would start in it.",
    _CODES,
)


def nearest_directory(path: str) -> str:
    """The directory itself, or the nearest one above it that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def refuse_unwritable(paths: Iterable[str], remedy: str = _RIGHT_OWNER) -> None:
    """Refuse work beside these paths that the system would refuse; so check mode finds it out, too."""
    for path in paths:
        parent = nearest_directory(os.path.dirname(path))
        if not os.access(parent, os.W_OK | os.X_OK):
            raise SystemRefused(
                f"User {os.geteuid()} may not write in '{parent}', where '{path}' is to be made.",
                remedy,
                "not_permitted",
            )
