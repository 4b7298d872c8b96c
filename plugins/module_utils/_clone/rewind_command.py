# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Run pg_rewind so that an interrupted one is known as such, and read what only the rewound directory has."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress

from .._datadir.facts import REWIND_NOTE, DataDir
from .._datadir.process import run_guarded
from .._errors import PgFleetError
from .._host.atomic import sync_directory, write_file
from .._lineage.plan import PAGE
from .._lineage.wal import LocalWal
from .._lsn import format_lsn
from .._postgres.connection import explain_refusal
from .._postgres.login import Login
from .._postgres.passfile import passfile_line, passing
from .._postgres.recovery import make_conninfo
from .rewind_plan import Diverged, read_diverged, read_note

#: More than any server has: the largest value of wal_keep_size.
ALL_WAL_MB = 2147483647
#: What pg_rewind says when the WAL it needs is gone.
_WAL_GONE = ("could not open file", "could not find", "could not read WAL record", "invalid record length")


class RewindFailed(PgFleetError):
    """pg_rewind, or the recovery before it, failed."""

    code = "rewind_failed"


def noted_phase(dest: str) -> str | None:
    """How far an earlier rewind of this directory has come; None when there is none."""
    try:
        with open(dest + REWIND_NOTE, encoding="utf-8") as file:
            return read_note(json.load(file), os.stat(dest).st_ino)
    except (OSError, ValueError):
        return None


def note(dest: str, phase: str) -> None:
    write_file(dest + REWIND_NOTE, json.dumps({"dest": dest, "phase": phase, "inode": os.stat(dest).st_ino}))


def forget(dest: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(dest + REWIND_NOTE)
        sync_directory(os.path.dirname(dest))


def find_diverged(dest: DataDir, fork: int, bin_dir: str) -> Diverged:
    """What the directory committed after the fork, be that in the middle of a record."""
    said = LocalWal(dest, bin_dir).dump_from(fork // PAGE * PAGE, "--rmgr=Transaction")
    return read_diverged(format_lsn(fork), said)


def recover(dest: DataDir, bin_dir: str, config_file: str | None) -> None:
    """Let a crashed server come to a clean end, without letting anybody in (manual: pg_rewind, single-user mode).

    The checkpoints of its recovery must not remove the WAL since the fork, which pg_rewind is to read.
    """
    words = [os.path.join(bin_dir, "postgres"), "--single", "-D", dest.path, "-c", f"wal_keep_size={ALL_WAL_MB}"]
    words += ["-c", f"config_file={config_file}"] if config_file else []
    status, said = run_guarded([*words, "template1"])
    if status:
        raise RewindFailed(
            f"The server in '{dest.path}' could not recover: {' '.join(said.split())[-800:]}",
            "Its own words say why.",
            "recovery_failed",
        )


class Rewinding:
    """pg_rewind for one directory and one source. ``more``: options that let it read from an archive."""

    def __init__(self, login: Login, dest: str, bin_dir: str, more: Sequence[str] = ()) -> None:
        pairs = {**login.pairs, "dbname": login.database, "connect_timeout": str(login.connect_timeout)}
        host = login.place or "localhost"
        self.password_line = passfile_line(host, login.port, login.user, login.password) if login.password else ""
        self.address = f"{host}:{login.port}"
        self.dest = dest
        self.command = [
            os.path.join(bin_dir, "pg_rewind"),
            f"--target-pgdata={self.dest}",
            f"--source-server={make_conninfo(pairs)}",
            "--no-ensure-shutdown",
            *more,
        ]

    def rehearse(self) -> str | None:
        """Everything but the writing; why it is impossible, or None. Raises RewindFailed for what can be fixed."""
        status, said = self._run("--dry-run")
        if not status:
            return None
        if any(words in said for words in _WAL_GONE) and "connection to server" not in said:
            return said
        raise self._failed(said)

    def rewind(self) -> None:
        status, said = self._run()
        if status:
            raise self._failed(said)

    def _run(self, *more: str) -> tuple[int, str]:
        with passing(self.password_line) as (environment, files):
            status, said = run_guarded([*self.command, *more], environment, files)
        return status, " ".join(said.split())

    def _failed(self, said: str) -> RewindFailed:
        code, remedy = explain_refusal(said)
        if code == "login_refused":
            code, remedy = "rewind_failed", "Its own words say why."
        return RewindFailed(f"pg_rewind of '{self.dest}' from {self.address} failed: {said[-800:]}", remedy, code)
