# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A session with the server that runs on a data directory of this machine, found by its postmaster.pid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .._errors import ConnectFailed
from .connection import Server, connect
from .login import Login
from .pid_file import read_pid_file


@contextmanager
def local_session(path: str, user: str = "postgres") -> Iterator[Server]:
    """As ``user``, over the server's own socket (manual: postmaster.pid)."""
    found = read_pid_file(path)
    if found.port is None:
        raise ConnectFailed(f"No server runs on '{path}'.", "Start it.", "not_running")
    login = Login(unix_socket=found.socket_directory, port=found.port, user=user)
    with connect(login) as server:
        yield server
