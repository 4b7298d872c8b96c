# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The directory of a fleet's authorities on the control machine."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.pgfleet.cluster.plugins.module_utils._host.atomic import (
    make_parents,
    sync_directory,
    write_file,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.machine import read_text
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import Certificate, leaf_of

from .authorities import ACTIVATE, Authorities

CURRENT, NEXT, PREVIOUS, RETIRED, INCOMING = "current", "next", "previous", "retired", "incoming"
CERTIFICATE, KEY = "certificate.pem", "key.pem"


@dataclass(frozen=True)
class Folder:
    """Each authority has a directory of its own, and moves by being renamed."""

    path: str

    @property
    def incoming(self) -> str:
        """Where an authority is made; it is nobody's before it is renamed."""
        return f"{self.path}/{INCOMING}"

    def key(self) -> str:
        return f"{self.path}/{CURRENT}/{KEY}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time: hosts work in parallel, and runs may, too."""
        make_parents(f"{self.path}/lock")
        with open(os.open(f"{self.path}/lock", os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def bundle(self) -> str:
        """Those that are trusted now, as the nodes have them: for clients on the control machine."""
        return f"{self.path}/ca.pem"

    def publishes(self, have: Authorities) -> bool:
        return read_text(self.bundle) == have.trusted

    def publish(self, have: Authorities) -> None:
        write_file(self.bundle, have.trusted)

    def read(self) -> Authorities:
        retired = f"{self.path}/{RETIRED}"
        names = sorted(os.listdir(retired)) if os.path.isdir(retired) else []
        gone = [self._certificate(f"{RETIRED}/{name}") for name in names if name.endswith(".pem")]
        current, following, previous = (
            self._certificate(f"{name}/{CERTIFICATE}") for name in (CURRENT, NEXT, PREVIOUS)
        )
        return Authorities(current, following, previous, tuple(each for each in gone if each))

    def _certificate(self, name: str) -> Certificate | None:
        text = read_text(f"{self.path}/{name}")
        return leaf_of(text, f"{self.path}/{name}") if text else None

    def begin(self) -> None:
        shutil.rmtree(self.incoming, ignore_errors=True)
        os.mkdir(self.incoming, 0o700)

    def take(self, name: str) -> None:
        """What was made is an authority of the fleet from now on."""
        for each in (KEY, CERTIFICATE):
            sync_directory(f"{self.incoming}/{each}")
        os.rename(self.incoming, f"{self.path}/{name}")
        sync_directory(self.path)

    def move(self, move: str) -> None:
        """Both can be killed at any moment and are finished by the next run."""
        if move == ACTIVATE:
            if os.path.isdir(f"{self.path}/{CURRENT}"):
                os.rename(f"{self.path}/{CURRENT}", f"{self.path}/{PREVIOUS}")
            os.rename(f"{self.path}/{NEXT}", f"{self.path}/{CURRENT}")
        else:
            self._retire()
        sync_directory(self.path)

    def _retire(self) -> None:
        """Its key goes, its certificate stays: a node that was away is known by it."""
        text = read_text(f"{self.path}/{PREVIOUS}/{CERTIFICATE}")
        os.makedirs(f"{self.path}/{RETIRED}", mode=0o700, exist_ok=True)
        write_file(f"{self.path}/{RETIRED}/{leaf_of(text).fingerprint[:16]}.pem", text)
        shutil.rmtree(f"{self.path}/{PREVIOUS}")
