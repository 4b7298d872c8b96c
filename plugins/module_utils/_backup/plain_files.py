# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Folders and files of a repository without any tool: what it is for, its archive, its sets."""

from __future__ import annotations

import fcntl
import filecmp
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .._archive.names import HISTORY, SEGMENT, WalFile, parse_wal_name
from .._datadir.process import end_orphans
from .._host.atomic import sync_directory, unlink, write_file
from .copying import DATA, NOTE, SPACES, read_note
from .repository import Archived, Cluster, RepositoryFailed, another_cluster, conflict
from .sets import BackupSet

#: What is not a set yet, and what is not one any more.
INCOMING, GOING = ".incoming", ".going"
_COPIED_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Folders:
    """A repository and what is in it."""

    path: str

    @property
    def about(self) -> str:
        return os.path.join(self.path, "repository.json")

    @property
    def archive(self) -> str:
        return os.path.join(self.path, "archive")

    @property
    def backups(self) -> str:
        return os.path.join(self.path, "backups")

    def of(self, label: str) -> str:
        return os.path.join(self.backups, label)

    def owner(self) -> str | None:
        facts = self.facts()
        return str(facts["system_identifier"]) if facts else None

    def facts(self) -> dict[str, object]:
        """What initialize has written; nothing where there is no repository."""
        try:
            with open(self.about, encoding="utf-8") as file:
                found = json.load(file)
            return {name: found[name] for name in ("system_identifier", "version", "segment_bytes")}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise RepositoryFailed(
                f"'{self.about}' does not say whose the repository is.",
                "Restore that file, or give another repository.",
                "repository_damaged",
            ) from error

    def initialize(self, cluster: Cluster) -> None:
        """Folders first, then the word whose they are; a run that was killed is done again."""
        owner = self.owner()
        if owner not in (None, cluster.system_identifier):
            raise another_cluster(f"The repository '{self.path}'", owner or "", cluster.system_identifier)
        for folder in (self.path, self.archive, self.backups):
            if not os.path.isdir(folder):
                os.mkdir(folder, 0o700)
                sync_directory(os.path.dirname(folder))
        if owner is None:
            facts = {
                "system_identifier": cluster.system_identifier,
                "version": cluster.version,
                "segment_bytes": cluster.segment_bytes,
            }
            write_file(self.about, json.dumps(facts, indent=1) + "\n")

    def sets(self) -> list[BackupSet]:
        found = [self.note(label)[0] for label in self._labels()]
        return sorted(found, key=lambda each: each.stopped)

    def note(self, label: str) -> tuple[BackupSet, dict[int, str]]:
        path = os.path.join(self.of(label), NOTE)
        with open(path, encoding="utf-8") as file:
            return read_note(file.read(), path)

    def _labels(self) -> list[str]:
        if not os.path.isdir(self.backups):
            return []
        names = (name for name in os.listdir(self.backups) if not name.endswith((INCOMING, GOING)))
        return sorted(name for name in names if os.path.isfile(os.path.join(self.of(name), NOTE)))

    def archived(self, segment_bytes: int) -> Archived:
        names = os.listdir(self.archive) if os.path.isdir(self.archive) else []
        files = {name: file for name in names if (file := parse_wal_name(name, segment_bytes))}
        histories = {file.timeline: self._text(name) for name, file in files.items() if file.kind == HISTORY}
        return Archived(frozenset(files.values()), histories)

    def _text(self, name: str) -> str:
        with open(os.path.join(self.archive, name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def push(self, path: str, segment_bytes: int) -> None:
        """Copy beside its place, flush, and link: a name that is taken is never written over."""
        name = os.path.basename(path)
        file = parse_wal_name(name, segment_bytes)
        if file and file.kind == SEGMENT and os.path.getsize(path) != segment_bytes:
            raise RepositoryFailed(
                f"'{path}' has {os.path.getsize(path)} bytes, and a whole segment has {segment_bytes}.", "It is not whole; look where it comes from.",
                "not_a_segment",
            )  # fmt: skip
        final = os.path.join(self.archive, name)
        temporary = os.path.join(self.archive, f"pgfleet.{name}.{os.getpid()}.tmp")
        try:
            if not os.path.lexists(final):
                _copy(path, temporary)
                os.link(temporary, final)
                sync_directory(self.archive)
        except FileExistsError:
            pass
        finally:
            unlink(temporary)
        if not filecmp.cmp(path, final, shallow=False):
            raise conflict(name, f"'{self.path}'", file.kind if file else "")

    def drop(self, label: str) -> None:
        """By a rename first: half a set is never taken for a whole one."""
        os.rename(self.of(label), self.of(label) + GOING)
        sync_directory(self.backups)
        shutil.rmtree(self.of(label) + GOING)

    def drop_wal(self, files: Sequence[WalFile], segment_bytes: int) -> None:
        """The oldest first, so that what is left has no gap when this is killed. Notes of backups go by their own names."""
        wanted = set(files)
        for name in sorted(os.listdir(self.archive)):
            file = parse_wal_name(name, segment_bytes)
            if file in wanted:
                unlink(os.path.join(self.archive, name))

    def sweep(self) -> None:
        """Remove what a killed run has left. The caller holds the lock."""
        names = os.listdir(self.backups) if os.path.isdir(self.backups) else []
        left = [self.of(name) for name in names if name.endswith((INCOMING, GOING))]
        end_orphans([os.path.join(path, DATA) for path in left] or ["/nonexistent"])
        for path in left:
            shutil.rmtree(path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who takes or drops backups."""
        with open(os.path.join(self.path, "backup.lock"), "w", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RepositoryFailed(
                    f"Another run takes or drops backups in '{self.path}'.",
                    "Wait until it has ended, then run again.",
                    "busy",
                ) from error
            yield


def _copy(source: str, dest: str) -> None:
    handle = os.open(dest, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(source, "rb") as reading, open(handle, "wb") as writing:
        shutil.copyfileobj(reading, writing, _COPIED_AT_ONCE)
        writing.flush()
        os.fsync(writing.fileno())


def tree_bytes(path: str) -> int:
    """The size of all files below a directory."""
    folders = os.walk(path)
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _folders, names in folders for name in names)


def relink(data: str, targets: dict[int, str]) -> None:
    """Let the links of a data directory to its tablespaces lead elsewhere."""
    for oid, target in targets.items():
        link = os.path.join(data, "pg_tblspc", str(oid))
        unlink(link)
        os.symlink(target, link)
    if targets:
        sync_directory(os.path.join(data, "pg_tblspc"))


def space_folders(folder: str, spaces: Sequence[int]) -> dict[int, str]:
    """Where a set has its tablespaces."""
    return {oid: os.path.join(folder, SPACES, str(oid)) for oid in spaces}
