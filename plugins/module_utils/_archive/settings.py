# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How a server archives its WAL and gets it back, as settings (manual: Continuous Archiving and Point-in-Time Recovery). No I/O."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: A newly promoted server archives what the old primary had not: it must still have that WAL.
_KEPT = "256MB"


@dataclass(frozen=True)
class StanzaArchive:
    """The archive of a stanza, which pgBackRest keeps as its configuration file says."""

    config_file: str
    stanza: str

    @property
    def command(self) -> list[str]:
        return ["pgbackrest", f"--config={self.config_file}", f"--stanza={self.stanza}"]

    @property
    def settings(self) -> dict[str, str]:
        return {"archive_command": f'{in_command(*self.command)} archive-push "%p"'}

    @property
    def restore_command(self) -> str:
        return f'{in_command(*self.command)} archive-get %f "%p"'


@dataclass(frozen=True)
class PlainArchive:
    """A directory, which PostgreSQL itself writes to; before 15, which has no basic_archive, through a script."""

    directory: str
    script: str = ""

    @property
    def settings(self) -> dict[str, str]:
        if not self.script:
            return {"archive_library": "basic_archive", "basic_archive.archive_directory": self.directory}
        return {"archive_command": f'{in_command(self.script)} "%p" {in_command(self.directory)} %f'}

    @property
    def restore_command(self) -> str:
        where = f"{in_command(self.directory)}/%f"
        return f'test -f {where} && cp {where} "%p"'


def archive_of(repository: Mapping[str, Any]) -> StanzaArchive | PlainArchive:
    """The archive that options of the backup modules name."""
    if repository["provider"] == "plain":
        return PlainArchive(f"{repository['repository']}/archive", str(repository.get("script", "")))
    return StanzaArchive(repository["config_file"], repository["stanza"])


def archive_settings(archive: StanzaArchive | PlainArchive, timeout: int) -> dict[str, str]:
    """Settings of every node: only a primary archives, and any node may be one. ``timeout``: seconds."""
    return {
        "archive_mode": "on",
        **archive.settings,
        "archive_timeout": f"{timeout}s",
        "restore_command": archive.restore_command,
        "wal_keep_size": _KEPT,
    }


def in_command(*words: str) -> str:
    """Words of a shell command in which PostgreSQL reads a percent sign as its own."""
    return shlex.join(words).replace("%", "%%")
