# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Archive what a predecessor has left in pg_wal."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .._archive.backfill import plan_backfill
from .._archive.judge import Holding
from .._archive.values import ServerWal
from .._errors import InvalidInput
from .._host.machine import read_text
from .._postgres.connection import Server
from .repository import Repository

_PID_FILE = "SELECT pg_read_file('postmaster.pid') AS text"


def refuse_other_directory(session: Server, data: str) -> None:
    """Nodes of a fleet may have the same path and port: what the server has in its postmaster.pid is what it has here, or it is another one."""
    if read_text(os.path.join(data, "postmaster.pid")).split() != session.row(_PID_FILE)["text"].split():
        raise InvalidInput(
            f"'{data}' is not the data directory of {session}.",
            "Run the task on the machine of the server, and give its own data_directory.",
        )


def lacking(data: str, server: ServerWal, holding: Holding) -> list[str]:
    """Names of the files in pg_wal that are to be archived."""
    return plan_backfill(os.listdir(os.path.join(data, "pg_wal")), server, holding.files)


def backfill(repository: Repository, data: str, names: Sequence[str]) -> list[str]:
    """Archive them; returns those that were still there."""
    done = []
    for name in names:
        with _steady(os.path.join(data, "pg_wal", name)) as copy:
            if copy:
                repository.push(copy)
                done.append(name)
    return done


@contextmanager
def _steady(path: str) -> Iterator[str]:
    """A copy of a file that the server did not recycle meanwhile, under the same name; empty for one that it did.

    Recycling renames a segment, and then writes new WAL over what may be read here.
    """
    with tempfile.TemporaryDirectory(prefix="pgfleet-wal-") as folder:
        copy = os.path.join(folder, os.path.basename(path))
        try:
            before = os.stat(path)
            shutil.copyfile(path, copy)
            same = os.path.samestat(before, os.stat(path))
        except FileNotFoundError:
            same = False
        yield copy if same else ""
