# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A small disk for a server's WAL: the steps that plan_disk names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable

from .._datadir.facts import inspect
from .._errors import PgFleetError
from .wal_disk import WalDisk

SEGMENT_BYTES = 16 * 1024 * 1024


class Disk:
    """The places, and the steps by their names."""

    def __init__(self, data_directory: str, free_mb: int, roomy_mb: int) -> None:
        self.data = data_directory
        self.wal = os.path.join(self.data, "pg_wal")
        self.aside = self.data + ".wal_aside"
        self.incoming = self.data + ".wal_incoming"
        self.free_mb = free_mb
        self.roomy_mb = roomy_mb

    def read(self, bin_dir: str) -> WalDisk:
        return WalDisk(
            running=bool(inspect(self.data, bin_dir).server_pid),
            link=os.path.islink(self.wal),
            mounted=os.path.ismount(self.wal),
            aside=os.path.isdir(self.aside),
            incoming=os.path.isdir(self.incoming),
            empty=not os.path.isdir(self.wal) or not os.listdir(self.wal),
        )

    def do(self, steps: Iterable[str]) -> None:
        for step in steps:
            getattr(self, step)()

    def set_aside(self) -> None:
        os.rename(self.wal, self.aside)

    def mount(self) -> None:
        owner = os.stat(self.data)
        os.mkdir(self.wal, mode=0o700)
        used = int(call("du", "--summarize", "--block-size=1M", self.aside).split()[0])
        options = f"size={used + self.free_mb}m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
        call("mount", "-t", "tmpfs", "-o", options, "pgfleet_drill", self.wal)

    def fill(self) -> None:
        call("cp", "--archive", self.aside + "/.", self.wal)

    def enlarge(self) -> None:
        call("mount", "-o", f"remount,size={self.roomy_mb}m", self.wal)

    def segments(self) -> int:
        facts = os.statvfs(self.wal)
        return facts.f_blocks * facts.f_frsize // SEGMENT_BYTES

    def copy_back(self) -> None:
        shutil.rmtree(self.incoming, ignore_errors=True)
        call("cp", "--archive", self.wal, self.incoming)
        call("sync", "--file-system", self.incoming)

    def unmount(self) -> None:
        call("umount", self.wal)

    def take_copy(self) -> None:
        self.put_in_place(self.incoming)

    def put_back(self) -> None:
        self.put_in_place(self.aside)

    def put_in_place(self, source: str) -> None:
        if os.path.isdir(self.wal):
            os.rmdir(self.wal)  # empty, or this is not what we made
        os.rename(source, self.wal)

    def forget(self) -> None:
        shutil.rmtree(self.aside, ignore_errors=True)


def call(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PgFleetError(
            f"{' '.join(command)} failed: {' '.join(done.stderr.split())}",
            "The drill needs root and a kernel that lets it mount (not every container may).",
            "command_failed",
        )
    return done.stdout
