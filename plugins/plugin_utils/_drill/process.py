# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Start the load of a drill in the background, and end it by its process number."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError

from .load import LOCK, SPEC, Load
from .recording import read_events

PROGRAM = "ansible_collections.pgfleet.cluster.plugins.plugin_utils._drill.load"
LOG = "load.log"
#: Parent of ``ansible_collections``, by the way this collection was found.
IMPORT_ROOT = Path(__file__).absolute().parents[6]
POLL_SECONDS = 0.02


class LoadFailed(PgFleetError):
    """The load did not start, or ended before it was told to."""

    code = "load_failed"


def running_pid(directory: Path) -> int | None:
    """Process of the load that runs in a directory. The lock tells; a stale number counts for nothing."""
    path = directory / LOCK
    if not path.exists():
        return None
    with path.open("r", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read().strip() or 0) or None
    return None


def start_load(directory: Path, load: Load, seconds: float) -> int:
    """Start it in a fresh directory; returns its process once every node is read and rows are written."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    _write_private(directory / SPEC, json.dumps(asdict(load)))
    paths = [str(IMPORT_ROOT), os.environ.get("PYTHONPATH", "")]
    with (directory / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(directory)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )  # fmt: skip
    _wait_until_ready(directory, process, seconds)
    return process.pid


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _wait_until_ready(directory: Path, process: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not any(event.kind == "ready" for event in read_events(directory)):
        if process.poll() is not None:
            raise LoadFailed(
                f"The load ended at once: {_last_words(directory)}",
                "Install what requirements-drills.txt names into the Python that runs ansible-playbook.",
            )
        if time.monotonic() > deadline:
            stop_load(directory)
            raise LoadFailed(
                f"After {seconds:g} s the load could not yet write a row and read every node.",
                f"Its log is {directory / LOG}; try its login by psql. The address it comes from must be in"
                " pg_drill_address.",
            )
        time.sleep(POLL_SECONDS)


def _last_words(directory: Path) -> str:
    lines = (directory / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def ended_early(directory: Path) -> LoadFailed:
    """The failure of a recording that ends before the drill does and shows nothing of the rest of it."""
    return LoadFailed(
        f"The load ended before the drill did: {_last_words(directory)}",
        f"Its log is {directory / LOG}. Raise pg_drill_seconds or lower pg_drill_writes_per_second if they were used up.",
    )


def stop_load(directory: Path, seconds: float = 15) -> bool:
    """End the load of a directory, if one runs, and take the password away; False when none ran."""
    pid = running_pid(directory)
    if pid:
        _end(directory, pid, signal.SIGTERM, seconds) or _end(directory, pid, signal.SIGKILL, 5)
    (directory / SPEC).unlink(missing_ok=True)
    return pid is not None


def stop_all(directory: Path) -> list[str]:
    """End what earlier drills left running below a directory; their names."""
    places = [path.parent for path in sorted(directory.glob(f"*/{LOCK}"))]
    return [place.name for place in places if stop_load(place)]


def _end(directory: Path, pid: int, number: signal.Signals, seconds: float) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + seconds
    while running_pid(directory) == pid and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return running_pid(directory) is None
