# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A session with the server that runs on a data directory of this machine, found by its postmaster.pid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ._errors import ConnectFailed
from ._postgres import Server, connect
from ._standby_files import read_text

_PORT_LINE, _SOCKET_LINE = 3, 4


@contextmanager
def local_session(path: str, user: str = "postgres") -> Iterator[Server]:
    """As ``user``, over the server's own socket (manual: postmaster.pid)."""
    lines = read_text(os.path.join(path, "postmaster.pid")).splitlines()
    if len(lines) <= _SOCKET_LINE:
        raise ConnectFailed(f"No server runs on '{path}'.", "Start it.", "not_running")
    options = {
        "login_host": "", "login_unix_socket": lines[_SOCKET_LINE].strip(), "login_port": int(lines[_PORT_LINE]),
        "login_user": user, "login_password": "", "login_db": "postgres", "ssl_mode": "prefer", "ca_cert": None,
        "connect_timeout": 10,
    }  # fmt: skip
    with connect(options) as server:
        yield server
