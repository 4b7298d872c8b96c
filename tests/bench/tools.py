"""What every measurement uses: the clock, commands, the machine."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/bench"
VENV = ROOT / ".venv/bin"
LIMIT_SECONDS = 900
_PROFILE_LINE = re.compile(r"^(\S.*?) -* +([\d.]+)s$", re.MULTILINE)
OWNER = "postgres" if os.geteuid() == 0 else ""


class BenchError(Exception):
    """A measurement that could not be made."""


def run(*command: str | Path, cwd: Path = ROOT, text: str | None = None, **environment: str) -> str:
    """Output of a command; raises with its last words when it fails. It ends when we are interrupted."""
    words = [str(word) for word in command]
    process = subprocess.Popen(
        words, cwd=cwd, env={**os.environ, **environment}, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _none = process.communicate(text, timeout=LIMIT_SECONDS)
    except BaseException:
        end(process)
        raise
    if process.returncode:
        raise BenchError(f"{' '.join(words)} ended with {process.returncode}:\n{output[-3000:]}")
    return output


def end(process: subprocess.Popen[str]) -> None:
    """End a command and its children, politely first."""
    for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def timed(*command: str | Path, cwd: Path = ROOT, **environment: str) -> tuple[float, str]:
    """Seconds and output of a command, with what was written before it already on the disk."""
    run("sync")
    start = time.monotonic()
    output = run(*command, cwd=cwd, **environment)
    return time.monotonic() - start, output


def play(*words: str | Path) -> tuple[float, str]:
    """Seconds and output of ansible-playbook, which ends with the seconds of each task."""
    return timed(VENV / "ansible-playbook", *words, cwd=ROOT, **play_environment())


def play_environment() -> dict[str, str]:
    """With it ansible-playbook ends with the seconds of each task."""
    return {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks",
        "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "all",
        "ANSIBLE_NOCOLOR": "1",
    }


def seconds_by_task(output: str) -> dict[str, float]:
    """The list at the end of a play's output."""
    tasks: dict[str, float] = {}
    for name, seconds in _PROFILE_LINE.findall(output):
        tasks[name] = tasks.get(name, 0) + float(seconds)
    return tasks


def as_root(*command: str | Path) -> list[str | Path]:
    return [*([] if os.geteuid() == 0 else ["sudo", "-n"]), *command]


def as_owner(*command: str | Path) -> list[str | Path]:
    """The command, run by the owner of throwaway servers, which refuse to run as root."""
    return [*(["runuser", "-u", OWNER, "--"] if OWNER else []), *command]


def bin_dir() -> Path:
    """Programs of the newest PostgreSQL on this machine."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    return round(statistics.median(over) / statistics.median(under), 3)
