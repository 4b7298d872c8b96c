# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The server of a restored directory: started, asked how far it is, promoted, stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from .._datadir.facts import find_server
from .._errors import ConnectFailed, InvalidInput, PgFleetError, QueryFailed
from .._host.atomic import unlink
from .._host.machine import read_text
from .._postgres.connection import Server, connect
from .._postgres.login import Login
from .._postgres.pid_file import read_pid_file
from .ended import LOG, RecoveryFailed, failure, lacks_limits, shut_down_at_target
from .plan import Running

_POLL_SECONDS = 0.1
_START_SECONDS = 60
_STOP_SECONDS = 60
#: What a socket's address has room for (unix(7)), with the name of the socket.
_PATH_BYTES = 107
_STATE = """
SELECT pg_is_in_recovery() AS in_recovery,
       CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END AS paused
"""
_REACHED = """
SELECT pg_last_wal_replay_lsn()::text AS lsn,
       to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time,
       CASE WHEN pg_is_in_recovery()
            THEN (SELECT greatest(timeline_id, min_recovery_end_timeline) FROM pg_control_checkpoint(), pg_control_recovery())
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline,
       CASE WHEN pg_is_in_recovery() THEN 'paused' ELSE 'promoted' END AS state
"""


@dataclass(frozen=True)
class Restored:
    """A restored directory and how its server is reached. ``doubt``: a segment that the archive lacked."""

    path: str
    bin_dir: str
    superuser: str
    doubt: str = ""

    @property
    def log(self) -> str:
        return os.path.join(self.path, LOG)

    @contextmanager
    def session(self) -> Iterator[Server]:
        found = read_pid_file(self.path)
        if found.port is None or not found.socket_directory:
            raise ConnectFailed(f"No server runs on '{self.path}'.", "Start it.", "not_running")
        login = Login(unix_socket=found.socket_directory, port=found.port, user=self.superuser, connect_timeout=5)
        with connect(login) as server:
            yield server

    def running(self) -> Running | None:
        """What the server says; None where none runs. One that accepts nobody yet is in recovery."""
        if find_server(self.path) is None:
            return None
        try:
            with self.session() as server:
                return Running(**server.row(_STATE))
        except (ConnectFailed, QueryFailed):
            return Running(in_recovery=True)

    def start(self) -> None:
        """Start it and return when it accepts connections, has ended, or takes its time."""
        unlink(self.log)
        command = [
            os.path.join(self.bin_dir, "pg_ctl"),
            "start",
            "--silent",
            f"--pgdata={self.path}",
            f"--log={self.log}",
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "NOTIFY_"))}
        subprocess.run(
            [*command, "--wait", f"--timeout={_START_SECONDS}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", check=False,
            env={**environment, "PG_OOM_ADJUST_FILE": "/proc/self/oom_score_adj"},
        )  # fmt: skip

    def wait_for_end(self, seconds: float) -> Mapping[str, Any]:
        """What was reached; raises RecoveryFailed when the server ends before its target, or needs longer."""
        deadline = time.monotonic() + seconds
        while True:
            running = self.running()
            if running is None:
                return self._ended()
            if running.paused and lacks_limits(read_text(self.log)):
                self.stop()
                raise failure(self.path, read_text(self.log), self.doubt)
            if (running.paused or not running.in_recovery) and (found := self.reached()):
                return found
            if time.monotonic() >= deadline:
                raise RecoveryFailed(
                    f"The server in '{self.path}' still recovers after {seconds:.0f} s.",
                    "It goes on. Run again to wait for its end, or give a longer recovery_timeout.",
                    "recovery_unfinished",
                )
            time.sleep(_POLL_SECONDS)

    def reached(self) -> Mapping[str, Any] | None:
        """Where the recovery ended; None when it just now goes from one state to another."""
        try:
            with self.session() as server:
                return server.row(_REACHED)
        except (ConnectFailed, QueryFailed):
            return None

    def promote(self, seconds: float) -> None:
        with self.session() as server:
            done = server.row("SELECT pg_promote(true, %s) AS done", (max(1, int(seconds)),))["done"]
        if not done:
            raise RecoveryFailed(
                f"The server in '{self.path}' is not promoted after {seconds:.0f} s.",
                f"Look at its log, '{self.log}', then run again.",
                "promotion_unfinished",
            )

    def stop(self) -> None:
        """Stop it, by force where it does not end by itself."""
        for mode in ("fast", "immediate"):
            if find_server(self.path) is None:
                return
            command = [
                os.path.join(self.bin_dir, "pg_ctl"),
                "stop",
                "--silent",
                f"--pgdata={self.path}",
                f"--mode={mode}",
            ]
            subprocess.run(
                [*command, "--wait", f"--timeout={_STOP_SECONDS}"], check=False, cwd="/",
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        if find_server(self.path) is not None:
            raise PgFleetError(
                f"The server in '{self.path}' does not stop.", "Look at its log.", "server_action_failed"
            )

    def _ended(self) -> Mapping[str, Any]:
        log = read_text(self.log)
        if shut_down_at_target(log):
            return {"lsn": None, "time": None, "timeline": None, "state": "shut_down"}
        raise failure(self.path, log, self.doubt)


def refuse_used_socket(folder: str, port: int) -> None:
    """Refuse a socket whose name is too long, or which another server has."""
    path = os.path.join(folder, f".s.PGSQL.{port}")
    if len(path.encode()) > _PATH_BYTES:
        raise InvalidInput(
            f"The path of the socket, '{path}', is longer than {_PATH_BYTES} bytes.", "Give a shorter socket_directory."
        )
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        raise PgFleetError(
            f"A server listens on '{path}'.", "Give another server_port or socket_directory.", "port_in_use"
        )
