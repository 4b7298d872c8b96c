# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The directory of a fleet's SSH keys."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress

from .._errors import PgFleetError
from .keys import USER_KEY, FoundKeys, KeysPlan


class KeyFiles:
    """A key pair is there when its public part, which is written last, is."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.hosts = os.path.join(directory, "hosts")
        self.known_hosts = os.path.join(directory, "known_hosts")

    def read(self) -> FoundKeys:
        names: list[str] = []
        with suppress(FileNotFoundError):
            names = os.listdir(self.hosts)
        hosts = {name: self._public(name) for name in sorted(names) if name + ".pub" in names}
        known: list[str] = []
        with suppress(FileNotFoundError), open(self.known_hosts, encoding="utf-8") as file:
            known = file.read().splitlines()
        user = all(os.path.exists(self._path(USER_KEY) + end) for end in ("", ".pub"))
        return FoundKeys(user, hosts, tuple(known))

    def apply(self, plan: KeysPlan) -> None:
        for name in plan.make:
            self._make(name)
        for name in plan.remove:
            self._remove(name)
        if plan.all:
            self._remove_all()
        elif plan.writes:
            self._write_known_hosts(plan.after)

    def _path(self, name: str) -> str:
        return os.path.join(self.directory if name == USER_KEY else self.hosts, name)

    def _public(self, name: str) -> str:
        """Type and key, without the comment."""
        with open(self._path(name) + ".pub", encoding="utf-8") as file:
            return " ".join(file.read().split()[:2])

    def _make(self, name: str) -> None:
        path = self._path(name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self._remove(name)
        incoming = path + ".incoming"
        for end in ("", ".pub"):
            with suppress(FileNotFoundError):
                os.unlink(incoming + end)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"pgfleet {name}", "-f", incoming]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise PgFleetError("ssh-keygen is missing.", "Install OpenSSH's client.", "program_missing") from error
        if done.returncode:
            raise PgFleetError(f"ssh-keygen failed: {done.stderr.strip()}", "", "command_failed")
        os.replace(incoming, path)
        os.replace(incoming + ".pub", path + ".pub")

    def _remove(self, name: str) -> None:
        for end in (".pub", ""):
            with suppress(FileNotFoundError):
                os.unlink(self._path(name) + end)

    def _write_known_hosts(self, lines: Iterable[str]) -> None:
        incoming = self.known_hosts + ".incoming"
        with open(incoming, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        os.chmod(incoming, 0o644)
        os.replace(incoming, self.known_hosts)

    def _remove_all(self) -> None:
        """What was made here, and directories that are then empty."""
        self._remove(USER_KEY)
        with suppress(FileNotFoundError):
            os.unlink(self.known_hosts)
        for path in (self.hosts, self.directory):
            with suppress(OSError):
                os.rmdir(path)
