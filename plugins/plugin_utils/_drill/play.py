# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Run a playbook of this collection as the run that asks for it is run, watch its tasks, and kill it where told."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLAYBOOKS = Path(__file__).absolute().parents[3] / "playbooks"
_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?:[\w.]+ : )?(.*?)\] \**$")
_WORKED = re.compile(r"^(?:ok|changed|fatal|failed|included): ")
#: Words of the command line that the other playbook needs, too, by the name of ansible's own option.
_WORDS = {
    "private_key_file": "--private-key", "remote_user": "--user", "connection": "--connection",
    "become_password_file": "--become-password-file", "connection_password_file": "--connection-password-file",
}  # fmt: skip


@dataclass(frozen=True)
class Killing:
    """When to kill the control side: as the n-th task begins, or one whose name matches, and how much later."""

    task: int = 0
    name: str = ""
    delay: float = 0

    def due(self, number: int, name: str) -> bool:
        return number == self.task or bool(self.name and re.search(self.name, name))


@dataclass
class Played:
    """What became of a run. ``worked``: numbers of the tasks, from 1, that some host did not skip."""

    began: float
    tasks: list[tuple[str, float]] = field(default_factory=list)
    worked: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    ended: float = 0
    returncode: int = 0
    killed_at: str = ""

    @property
    def output(self) -> str:
        return "".join(self.lines)


def playbook_command(playbook: str, extra: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    """The command line: ``options`` are those that the asking run was given."""
    words = [sys.executable, "-m", "ansible", "playbook"]
    for inventory in options.get("inventory") or ():
        words += ["-i", inventory]
    for name, word in _WORDS.items():
        if options.get(name):
            words += [word, str(options[name])]
    for vault in options.get("vault_ids") or ():
        words += ["--vault-id", vault]
    for variables in [*(options.get("extra_vars") or ()), *extra]:
        words += ["-e", variables]
    return [*words, str(PLAYBOOKS / f"{playbook}.yml")]


@contextmanager
def secret_file(text: str | None) -> Iterator[list[str]]:
    """Words that hand over a password that was typed; the file is for us alone and gone afterwards."""
    if not text:
        yield []
        return
    with tempfile.NamedTemporaryFile("w", prefix="pgfleet-", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        yield ["--become-password-file", file.name]


def play(command: Sequence[str], environment: Mapping[str, str], killing: Killing | None, seconds: float) -> Played:
    """Run it to its end, or to the moment of its killing; it never outlives us, nor its time."""
    played = Played(time.monotonic())
    process = subprocess.Popen(
        list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, env={**os.environ, **environment},
    )  # fmt: skip
    timers = [threading.Timer(seconds, _kill, [process])]
    timers[0].start()
    try:
        _watch(process, played, killing, timers)
        played.returncode = process.wait()
    finally:
        for timer in timers:
            timer.cancel()
        _kill(process)
    played.ended = time.monotonic()
    return played


def _watch(
    process: subprocess.Popen[str], played: Played, killing: Killing | None, timers: list[threading.Timer]
) -> None:
    for line in process.stdout or ():
        played.lines.append(line)
        if _WORKED.match(line) and played.worked[-1:] != [len(played.tasks)]:
            played.worked.append(len(played.tasks))
        if not (found := _TASK.match(line)):
            continue
        played.tasks.append((found[1], time.monotonic()))
        if killing and not played.killed_at and killing.due(len(played.tasks), found[1]):
            played.killed_at = found[1]
            timers.append(threading.Timer(killing.delay, _kill, [process]))
            timers[-1].start()


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
