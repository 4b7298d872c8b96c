# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Waiting until machines are ready, or until one of them says that it never will be."""

from __future__ import annotations

import glob
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

from .._errors import MachineFailed
from .._machine.ssh import answers
from .console import death, has_finished, tail
from .values import Machine

POLL_SECONDS = 0.5


@dataclass
class Watch:
    """A machine that is waited for."""

    machine: Machine
    domain: Any
    console: str
    seconds: float | None = None
    trouble: str = ""

    def read(self) -> str:
        """The console since the machine was started; libvirt starts a new file when one grows large."""
        parts = sorted(glob.glob(glob.escape(self.console) + ".*"), reverse=True)
        return "".join(_text(path) for path in [*parts, self.console])

    def look(self) -> bool:
        """Whether there is nothing more to wait for. Guests are only asked when they have said that they are done."""
        active = bool(self.domain.isActive())
        text = self.read()
        if active and has_finished(text) and answers(self.machine.shape.address):
            return True
        self.trouble = death(text) if active else "it was powered off"
        return bool(self.trouble)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def wait_for(watches: Sequence[Watch], seconds: float) -> None:
    """Raises MachineFailed as soon as one is dead, or when the time is up."""
    start = time.monotonic()
    over = Event()

    def wait(watch: Watch) -> None:
        while not over.is_set():
            if watch.look():
                watch.seconds = time.monotonic() - start
                if watch.trouble:
                    over.set()
                return
            if time.monotonic() - start >= seconds:
                return
            over.wait(POLL_SECONDS)

    with ThreadPoolExecutor(max(len(watches), 1)) as pool:
        list(pool.map(wait, watches))
    _raise_for(
        [watch for watch in watches if watch.trouble],
        "died while it booted: {}",
        "Run again to start it once more, or recreate it (state: rebuilt).",
    )
    _raise_for(
        [watch for watch in watches if watch.seconds is None],
        f"was not ready within {seconds:g} seconds",
        "It goes on booting: run again, or wait longer.",
    )


def _raise_for(watches: Sequence[Watch], words: str, remedy: str) -> None:
    if watches:
        raise MachineFailed(
            "\n".join(
                f"Machine '{watch.machine.name}' {words.format(watch.trouble)}. Its console ({watch.console})"
                f" ends with:\n{tail(watch.read()) or '(nothing)'}"
                for watch in watches
            ),
            remedy,
            "machine_died" if watches[0].trouble else "machine_not_ready",
            machines=[watch.machine.name for watch in watches],
        )
