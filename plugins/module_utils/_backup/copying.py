# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Command lines of the programs that take and lay out backups without any other tool. No I/O."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._lsn import parse_lsn
from .._postgres.recovery import make_conninfo
from .repository import RepositoryFailed
from .sets import BackupSet

DATA, SPACES, NOTE, MANIFEST = "data", "tablespaces", "backup.json", "backup_manifest"
#: From this version on pg_basebackup takes incremental backups (release notes of PostgreSQL 17).
FIRST_INCREMENTAL = 17


@dataclass(frozen=True)
class Range:
    """WAL that a backup needs."""

    timeline: int
    start: int
    stop: int


def take_command(
    bin_dir: str, conninfo: Mapping[str, str], folder: str, label: str, spaces: Mapping[int, str], parent: str = ""
) -> list[str]:
    """pg_basebackup into a folder; ``parent``: the folder of the set that an incremental one builds on."""
    words = [
        os.path.join(bin_dir, "pg_basebackup"),
        f"--pgdata={os.path.join(folder, DATA)}",
        f"--dbname={make_conninfo(conninfo)}",
        "--format=plain",
        "--wal-method=stream",
        "--checkpoint=fast",
        f"--label={label}",
        "--no-password",
        "--verbose",
    ]
    words += [f"--incremental={os.path.join(parent, DATA, MANIFEST)}"] if parent else []
    return words + [
        f"--tablespace-mapping={_escaped(directory)}={_escaped(os.path.join(folder, SPACES, str(oid)))}"
        for oid, directory in sorted(spaces.items())
    ]


def copy_command(source: str, dest: str) -> list[str]:
    """cp of what is in a directory; file systems that can share the blocks do."""
    return ["cp", "--archive", "--reflink=auto", "--", os.path.join(source, "."), dest]


def combine_command(bin_dir: str, folders: Sequence[str], dest: str, spaces: Mapping[str, str]) -> list[str]:
    """pg_combinebackup of a chain, the full backup first. ``spaces``: directories in the last folder, and where they go."""
    words = [os.path.join(bin_dir, "pg_combinebackup"), f"--output={dest}"]
    words += [f"--tablespace-mapping={_escaped(old)}={_escaped(new)}" for old, new in sorted(spaces.items())]
    return [*words, *(os.path.join(folder, DATA) for folder in folders)]


def _escaped(path: str) -> str:
    return path.replace("=", "\\=")


def wal_ranges(manifest: str) -> list[Range]:
    """The WAL that a backup needs, from (the end of) its manifest (manual: Backup Manifest Format)."""
    found = re.findall(r'"Timeline": (\d+), "Start-LSN": "([^"]+)", "End-LSN": "([^"]+)"', manifest)
    if not found:
        raise RepositoryFailed("The manifest of the backup names no WAL.", "Take it again.", "verification_failed")
    return [Range(int(timeline), parse_lsn(start), parse_lsn(stop)) for timeline, start, stop in found]


def note_of(backup: BackupSet, spaces: Mapping[int, str]) -> str:
    """The file beside the data that says what the set is."""
    facts = {**vars(backup), "tablespaces": {str(oid): directory for oid, directory in sorted(spaces.items())}}
    return json.dumps(facts, indent=1, sort_keys=True) + "\n"


def read_note(text: str, path: str) -> tuple[BackupSet, dict[int, str]]:
    """The set and its tablespaces, as ``note_of`` wrote them."""
    try:
        facts: dict[str, Any] = json.loads(text)
        spaces = {int(oid): str(directory) for oid, directory in facts.pop("tablespaces").items()}
        return BackupSet(**facts), spaces
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RepositoryFailed(
            f"'{path}' is not what a backup has noted about itself.",
            "Move that backup out of the repository.",
            "repository_damaged",
        ) from error
