# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Work on a repository as the user of the server, and name what the operating system refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from .repository import RepositoryFailed

_UNREACHABLE = ("repository_unreachable", "Check the disk or the mount of the repository.")
_FULL = ("repository_full", "Make room in the repository, or enlarge it; old backups go by keep_full.")
_CODES = {
    errno.EACCES: ("not_permitted", "Run the task as the user of the server (become_user), and give that user the repository."),
    errno.EPERM: ("not_permitted", "Run the task as the user of the server (become_user), and give that user the repository."),
    errno.EROFS: ("not_permitted", "The file system of the repository is mounted read-only; mount it for writing."),
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EIO: _UNREACHABLE,
    errno.ESTALE: _UNREACHABLE,
    errno.ENOTCONN: _UNREACHABLE,
    errno.EHOSTDOWN: _UNREACHABLE,
    errno.ETIMEDOUT: _UNREACHABLE,
}  # fmt: skip


@contextmanager
def permitted() -> Iterator[None]:
    """Refuse to work as root, whose files the server could not archive over; errors of the system become ours."""
    if os.geteuid() == 0:
        raise RepositoryFailed(
            "A repository must not have files of root: the server could neither archive beside them nor remove them.",
            "Run the task as the operating-system user of the server (become_user: postgres).",
            "run_as_root",
        )
    try:
        yield
    except OSError as error:
        code, remedy = _CODES.get(error.errno or 0, ("os_error", "The system's own words say why."))
        raise RepositoryFailed(f"The operating system refused: {error}.", remedy, code) from error
