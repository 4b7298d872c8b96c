# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Work on a repository as the user of the server, and name what the operating system refuses."""

from __future__ import annotations

import errno
from functools import partial

from .._host.server_user import as_server_user
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
#: A context in which files of a repository are read and written.
permitted = partial(
    as_server_user,
    RepositoryFailed,
    "A repository must not have files of root: the server could neither archive beside them nor remove them.",
    _CODES,
)
