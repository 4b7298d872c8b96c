# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Starting and ending machines. What runs one outlives the module: a transient unit, or a detached process without systemd."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .._errors import MachineFailed
from .._machine.ssh import answers
from .host import Places, Process, control_group, running
from .machine import Machine

POLL_SECONDS = 0.1
GRACE_SECONDS = 3  # until a started machine must have its process
# systemd as a machine's init powers off in order: SIGRTMIN+4.
POWER_OFF = signal.SIGRTMIN + 4

# Runs in a mount namespace of its own, so the overlay goes with the machine. Each machine needs a control group of its own:
# without it, stopping a unit in one reaches the processes of another. The shell stays outside of it to remove it in the end.
# systemd-nspawn ends with 133 when its machine reboots.
_SCRIPT = """
set -eu
mount -t overlay overlay -o "lowerdir=$TREE,upperdir=$PLACE/upper,workdir=$PLACE/work" "$PLACE/root"
if [ "$KEEP_UNIT" = yes ]; then
    exec systemd-nspawn "$@"
fi
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
group=/sys/fs/cgroup/pgfleet-$GROUP
mkdir -p "$group"
code=133
while [ "$code" = 133 ]; do
    code=0
    ( echo 0 >"$group/cgroup.procs"; exec systemd-nspawn "$@" ) || code=$?
    find "$group" -mindepth 1 -depth -type d -exec rmdir {} +
done
rmdir "$group"
exit "$code"
"""


@dataclass(frozen=True)
class Runner:
    """How this host runs machines."""

    places: Places
    systemd: bool

    def start(self, machine: Machine) -> None:
        name, place = machine.name, self.places.of(machine.name)
        given = {
            "TREE": machine.shape.tree,
            "PLACE": str(place),
            "KEEP_UNIT": "yes" if self.systemd else "no",
            "GROUP": f"{os.stat('/proc/self/ns/net').st_ino}-{name}",
        }
        nspawn = [
            "--quiet", "--boot", "--keep-unit", "--console=pipe", "--settings=no", "--resolv-conf=off", "--timezone=off",
            "--link-journal=no", f"--register={given['KEEP_UNIT']}", f"--network-bridge={machine.shape.bridge}",
            f"--directory={self.places.root(name)}", f"--machine={name}",
        ]  # fmt: skip
        script = ["sh", "-c", _SCRIPT, "sh", *nspawn]
        with self.places.console(name).open("wb") as console:
            if self.systemd:
                self._as_unit(name, given, script)
            else:
                subprocess.Popen(
                    ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc", *script],
                    env={**os.environ, **given}, cwd="/", stdin=subprocess.DEVNULL, stdout=console,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip

    def _as_unit(self, name: str, given: dict[str, str], script: list[str]) -> None:
        """Like systemd-nspawn@.service, with the overlay."""
        properties = [
            "Delegate=yes", "KillMode=mixed", "Slice=machine.slice", "PrivateMounts=yes", "SuccessExitStatus=133",
            "RestartForceExitStatus=133",
            f"StandardOutput=file:{self.places.console(name)}", f"StandardError=file:{self.places.console(name)}",
        ]  # fmt: skip
        command = ["systemd-run", "--quiet", "--collect", f"--unit={unit(name)}"]
        command += [f"--property={each}" for each in properties] + [
            f"--setenv={key}={text}" for key, text in given.items()
        ]
        done = subprocess.run([*command, *script], check=False, capture_output=True, text=True)
        if done.returncode:
            raise MachineFailed(
                f"systemd did not start machine '{name}': {done.stderr.strip()}.", "Correct that.", "machine_died"
            )

    def power_off(self, name: str, seconds: float) -> None:
        """In order, and at once when the time is up."""
        process = running(self.places).get(name)
        if process and process.init:
            thaw(process)
            os.kill(process.init, POWER_OFF)
            if self._gone(name, seconds):
                return
        self.cut_power(name)

    def cut_power(self, name: str) -> None:
        """SIGKILL to the machine's init takes all of it; to systemd-nspawn alone it would leave the machine running."""
        process = running(self.places).get(name)
        if process is None:
            return
        _kill(process.init or process.supervisor)
        if not self._gone(name, 5):
            _kill(process.supervisor)
            if not self._gone(name, 10):
                raise MachineFailed(f"Machine '{name}' does not end.", "Look at its processes.", "machine_failed")

    def _gone(self, name: str, seconds: float) -> bool:
        """Whether it ended within that time, with its control group and mounts."""
        end = time.monotonic() + seconds
        while name in running(self.places):
            if time.monotonic() > end:
                return False
            time.sleep(POLL_SECONDS)
        return True


def unit(name: str) -> str:
    return f"pgfleet-container-{name}.service"


def freeze(process: Process) -> None:
    _freezer(process, "1")


def thaw(process: Process) -> None:
    _freezer(process, "0")


def _freezer(process: Process, text: str) -> None:
    """Takes effect when the kernel says so, which may be later than the write."""
    group = control_group(process)
    (group / "cgroup.freeze").write_text(text)
    end = time.monotonic() + 10
    while f"frozen {text}" not in (group / "cgroup.events").read_text().splitlines() and time.monotonic() < end:
        time.sleep(0.01)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until_ready(machines: list[Machine], places: Places, seconds: float) -> dict[str, float]:
    """Seconds until each lets its user in. Raises MachineFailed as soon as one has died, or when the time is up."""
    start = time.monotonic()
    left = {machine.name: machine for machine in machines}
    ready: dict[str, float] = {}
    while left:
        processes = running(places)
        for name, machine in list(left.items()):
            if _is_ready(machine, processes.get(name)):
                ready[name] = time.monotonic() - start
                del left[name]
        elapsed = time.monotonic() - start
        dead = [name for name in left if name not in processes and elapsed > GRACE_SECONDS]
        if dead or (left and elapsed > seconds):
            raise _trouble(dead, list(left), places, seconds)
        time.sleep(POLL_SECONDS if left else 0)
    return ready


def _is_ready(machine: Machine, process: Process | None) -> bool:
    """sshd runs and greets, and users are no longer turned away because the machine boots.

    The files are asked first: an address that is not there yet is waited for by the kernel.
    """
    if not (process and process.init):
        return False
    run = Path(f"/proc/{process.init}/root/run")
    return (run / "sshd.pid").exists() and not (run / "nologin").exists() and answers(machine.shape.address)


def _trouble(dead: list[str], left: list[str], places: Places, seconds: float) -> MachineFailed:
    words = "died while it booted" if dead else f"was not ready within {seconds:g} seconds"
    return MachineFailed(
        "\n".join(
            f"Machine '{name}' {words}. Its console ({places.console(name)}) ends with:\n{_tail(places.console(name))}"
            for name in dead or left
        ),
        "Run again, or recreate it (state: rebuilt).",
        "machine_died" if dead else "machine_not_ready",
        machines=dead or left,
    )


def _tail(console: Path) -> str:
    try:
        return "\n".join(console.read_text(errors="replace").splitlines()[-15:]) or "(nothing)"
    except OSError:
        return "(nothing)"
