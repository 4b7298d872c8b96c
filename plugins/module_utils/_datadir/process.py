# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Run programs that fill a data directory so that they end when the module does, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from .._errors import PgFleetError
from .._host.processes import pids, program, words, working_directory

#: Waits for a word; when the module dies instead of sending one, ends the program's whole process group.
_WATCH = 'read -r word || kill -s KILL -- "-$1"'
_PROGRAMS = ("pg_basebackup", "pg_verifybackup", "pg_waldump", "initdb", "postgres")
_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.05


class OrphanRemains(PgFleetError):
    """A program of an earlier run does not end."""

    code = "busy"


@contextmanager
def guarded(
    command: Sequence[str], extra_environment: Mapping[str, str], pass_fds: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A running program with its standard error (and output) to read from; ended when the block or the module ends.

    pg_basebackup forks a process that receives WAL and that would outlive it. So it gets a process group of its
    own, and a watcher outside of that group ends the group as soon as the module is gone.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C", **extra_environment},
        cwd="/",
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=pass_fds,
    )
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "pgfleet-watch", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end_group(process)
        watcher.communicate(b"ended\n")
        if process.stdout:
            process.stdout.close()


def _end_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_guarded(
    command: Sequence[str], extra_environment: Mapping[str, str] | None = None, pass_fds: tuple[int, ...] = ()
) -> tuple[int, str]:
    """Exit status and all output of a program."""
    with guarded(command, extra_environment or {}, pass_fds) as process:
        text, _none = process.communicate()
    return process.returncode, text


def end_orphans(paths: Sequence[str]) -> None:
    """End what earlier runs started and left behind on these directories; the caller holds the lock."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    signalled: set[int] = set()
    while orphans := _users(paths):
        late = time.monotonic() >= deadline
        if time.monotonic() >= deadline + _PATIENCE_SECONDS:
            raise OrphanRemains(
                f"Process {orphans[0]} of an earlier run still works on '{paths[0]}'.", "End it, then run again."
            )
        for pid in orphans:
            if late or pid not in signalled:
                signalled.add(pid)
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(_POLL_SECONDS)


def _users(paths: Sequence[str]) -> list[int]:
    """Processes of our programs whose command line names, or whose working directory is, one of these directories."""
    names = {word for path in paths for word in (path, f"--pgdata={path}")}
    return [
        pid
        for pid in pids()
        if program(pid) in _PROGRAMS and (names & set(words(pid)) or working_directory(pid) in paths)
    ]
