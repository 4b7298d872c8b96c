# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Stop a primary so that its successor can take over, and say to it where the WAL ends."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace

from .._datadir.facts import DataDir, inspect
from .._datadir.place import DirectoryRefused
from .._errors import ConnectFailed, PgFleetError, QueryFailed
from .._postgres.connection import Server
from .._postgres.local import local_session
from .._postgres.login import Following, Login
from .._postgres.passfile import check_passfile
from .._postgres.recovery import AUTO_CONF, parse_conninfo
from .._postgres.replication import check_slot, replication_session
from .._postgres.settings import read_settings
from .._postgres.standby import read_text
from .._server.control import ServerControl, act
from .archiver import hanging_command, settle_archive
from .demote import Handing, Successor
from .handover import name_of

POLL_SECONDS = 0.02
HANDOVER_SECONDS = 30.0


def rehearse(following: Following, successor: Server) -> None:
    """Log in at the successor as the standby will; a refusal must come before the shutdown."""
    if following.login.passfile:
        check_passfile(following.login.passfile)
    if following.slot:
        check_slot(successor, following.slot)


def prepare(data: DataDir, archive_wait: float, checkpoint: bool) -> float | None:
    """What keeps the shutdown short, while the server still takes writes; seconds of the checkpoint."""
    with local_session(data.path) as server:
        settle_archive(server, data.path, archive_wait)
        if not checkpoint:
            return None
        began = time.monotonic()
        server.rows("CHECKPOINT")
        return round(time.monotonic() - began, 3)


def stop(data: DataDir, bin_dir: str, timeout: int) -> tuple[DataDir, float]:
    """Stop the server; returns the directory as it was left, which must be shut down cleanly."""
    began = time.monotonic()
    try:
        act(ServerControl(data.path, bin_dir, timeout=timeout), "stop")
    except PgFleetError as error:
        raise _not_stopped(error, data) from error
    seconds = round(time.monotonic() - began, 3)
    left = inspect(data.path, bin_dir)
    if left.server_pid is not None or left.standby_signal:
        raise DirectoryRefused(
            f"Something has started the server in '{data.path}' again, process {left.server_pid}.",
            "Its systemd unit must not have Restart=always.",
            "server_running",
        )
    return left, seconds


def _not_stopped(error: PgFleetError, data: DataDir) -> PgFleetError:
    """The reason that can be seen comes first."""
    waits = hanging_command(data.path)
    if not waits:
        return error
    return PgFleetError(
        f"The primary in '{data.path}' was told to stop and takes no more writes, but does not stop{waits}.",
        "End that process: the server then stops at once, and archives that file when it runs again.",
        "archive_stuck",
    )


def read_handing(path: str, login: Login, on_other: str) -> Handing:
    recorded = read_settings(read_text(os.path.join(path, AUTO_CONF))).get("primary_conninfo", "")
    wanted = Successor.from_conninfo(login.pairs)
    return Handing(wanted or Successor("", 0), Successor.from_conninfo(parse_conninfo(recorded)), on_other)


def timeline_of(successor: Successor, login: Login) -> int | None:
    """The timeline of the successor of an earlier run, which may have been promoted by it; None when it is not there."""
    try:
        with replication_session(replace(login, host=successor.host, port=successor.port, connect_timeout=3)) as server:
            return int(server.row("IDENTIFY_SYSTEM")["timeline"])
    except ConnectFailed as error:
        if error.code != "unreachable":
            raise
        return None


def hand_over(data: DataDir, login: Login, successor: Server) -> float | None:
    """Say where the WAL ends and wait until the successor leads; it may also refuse, which it says itself."""
    began = time.monotonic()
    named = replace(login, session_name=name_of(data.checkpoint_lsn or ""))
    with replication_session(named), suppress(QueryFailed):
        while time.monotonic() < began + HANDOVER_SECONDS:
            if int(successor.row("IDENTIFY_SYSTEM")["timeline"]) > (data.timeline or 0):
                return round(time.monotonic() - began, 3)
            time.sleep(POLL_SECONDS)
    return None
