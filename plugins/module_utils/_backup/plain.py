# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A repository that needs nothing but PostgreSQL: an archive that its server writes to, and base backups beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._archive.settings import PlainArchive
from .._clone.command import CopyOptions, copy_failure, free_bytes, verify
from .._datadir.facts import bin_dir_version, find_bin_dir
from .._datadir.process import run_guarded
from .._errors import MissingFeature, PgFleetError
from .._host.atomic import make_parents, sync_directory, write_file
from .._postgres.connection import connect
from .._postgres.controldata import SEGMENT_BYTES
from .._postgres.login import Login
from .._postgres.passfile import passfile_line, passing
from .copying import (
    DATA,
    FIRST_INCREMENTAL,
    MANIFEST,
    NOTE,
    combine_command,
    copy_command,
    note_of,
    take_command,
    wal_ranges,
)
from .expire import plan_expiry, wal_to_drop
from .plain_files import INCOMING, Folders, relink, space_folders, tree_bytes
from .repository import Archived, Cluster, Repository, RepositoryFailed, another_cluster, mapped
from .sets import FULL, BackupSet

_MANIFEST_TAIL = 16384
_FACTS = """
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       (SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database) AS database_bytes,
       (SELECT coalesce(json_object_agg(oid, pg_tablespace_location(oid)), '{}') FROM pg_tablespace
         WHERE pg_tablespace_location(oid) <> '') AS spaces,
       current_setting('summarize_wal', true) AS summarize_wal
"""


@dataclass(frozen=True)
class Plain(Repository):
    """``login`` leads to the server whose backups are taken, a primary or a standby; ``bin_dir`` has its programs."""

    path: str
    login: Login
    bin_dir: str = ""
    provider = "plain"

    @property
    def folders(self) -> Folders:
        return Folders(self.path)

    def owner(self) -> str | None:
        return self.folders.owner()

    def initialize(self, cluster: Cluster) -> None:
        make_parents(self.path)
        self.folders.initialize(cluster)

    def sets(self) -> Sequence[BackupSet]:
        return self.folders.sets()

    def archived(self, segment_bytes: int) -> Archived:
        return self.folders.archived(segment_bytes)

    def push(self, path: str) -> None:
        self._require()
        self.folders.push(path, self._segment_bytes())

    def tablespaces(self, backup: BackupSet) -> Sequence[str]:
        return list(self.folders.note(backup.label)[1].values())

    def restore_command(self) -> str:
        return PlainArchive(self.folders.archive).restore_command

    def expire(self, keep_full: int) -> list[str]:
        self._require()
        with self.folders.lock():
            self.folders.sweep()
            plan = plan_expiry(self.sets(), keep_full)
            for each in plan.dropped:
                self.folders.drop(each.label)
            size = self._segment_bytes()
            self.folders.drop_wal(wal_to_drop(self.archived(size).files, plan.kept, size), size)
        return [each.label for each in reversed(plan.dropped)]

    def take(self, kind: str, parent: BackupSet | None = None) -> str:
        owner = self._require()
        with self.folders.lock():
            self.folders.sweep()
            with connect(self.login) as server:
                facts, major = server.row(_FACTS), server.major
            if facts["system_identifier"] != owner:
                raise another_cluster(f"The repository '{self.path}'", owner, facts["system_identifier"])
            if kind != FULL and (trouble := self._trouble(major, facts["summarize_wal"])):
                raise trouble
            return _Taking(self, kind, parent, facts, major).take()

    def incremental_trouble(self) -> PgFleetError | None:
        with connect(self.login) as server:
            summarize = server.row("SELECT current_setting('summarize_wal', true) AS summarize_wal")["summarize_wal"]
            return self._trouble(server.major, summarize)

    def _trouble(self, major: int, summarize: str | None) -> PgFleetError | None:
        if major < FIRST_INCREMENTAL:
            return MissingFeature(
                f"Incremental backups without pgBackRest need PostgreSQL {FIRST_INCREMENTAL} or newer, but {self.login.address} runs {major}.",
                "Take full ones (type: full, or auto), or use the provider pgbackrest.",
                needed=FIRST_INCREMENTAL,
                found=major,
            )
        if summarize != "on":
            return MissingFeature(
                f"{self.login.address} has summarize_wal off, so nobody knows what has changed since the last backup.",
                "Set summarize_wal to on, reload, and take a full backup first.",
                "summarize_wal_off",
            )
        return None

    def lay_out(self, chain: Sequence[BackupSet], dest: str, tablespaces: Mapping[str, str]) -> None:
        spaces = mapped(self.folders.note(chain[-1].label)[1], tablespaces)
        folders = [self.folders.of(each.label) for each in chain]
        own = space_folders(folders[-1], sorted(spaces))
        for target in (dest, *spaces.values()):
            _make_room(target)
        if len(chain) > 1:
            with self.folders.lock():  # no expire meanwhile
                self._run(
                    combine_command(self._bin_dir(chain[-1]), folders, dest, {own[oid]: spaces[oid] for oid in spaces})
                )
        else:
            self._run(copy_command(os.path.join(folders[0], DATA), dest))
            for oid, target in spaces.items():
                self._run(copy_command(own[oid], target))
        relink(dest, spaces)
        os.chmod(dest, 0o700)

    def _run(self, command: Sequence[str]) -> None:
        status, said = run_guarded(command)
        if status:
            words = " ".join(said.split())
            full = "No space left on device" in words
            raise RepositoryFailed(
                f"{os.path.basename(command[0])} failed: {words}.",
                "Make room." if full else "Its own words say why.",
                "not_enough_space" if full else "layout_failed",
            )

    def _bin_dir(self, backup: BackupSet) -> str:
        return self.bin_dir or find_bin_dir(int(backup.server_version))

    def _require(self) -> str:
        """The owner; raises where there is no repository, which may be a mount that is missing."""
        owner = self.owner()
        if owner is None:
            raise RepositoryFailed(
                f"'{self.path}' is no repository: it has no repository.json.",
                "Make it (wal_archive with state: initialized), or mount what holds it.",
                "repository_missing",
            )
        return owner

    def _segment_bytes(self) -> int:
        found = self.folders.facts().get("segment_bytes", SEGMENT_BYTES)
        return int(str(found))


def _make_room(path: str) -> None:
    """An empty directory at a path, for its owner alone."""
    make_parents(path)
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)
    if os.listdir(path):
        raise RepositoryFailed(f"'{path}' is not empty.", "Give an empty directory.", "not_empty")


class _Taking:
    """One backup: made beside its place, verified, and renamed."""

    def __init__(
        self, repository: Plain, kind: str, parent: BackupSet | None, facts: Mapping[str, object], major: int
    ) -> None:
        self.repository, self.kind, self.parent = repository, kind, parent if kind != FULL else None
        if kind != FULL and parent is None:
            raise RepositoryFailed(
                "There is no backup that an incremental one could build on.", "Take a full one first.", "no_backup"
            )
        self.facts, self.major = facts, major
        found = facts["spaces"]
        self.spaces = {int(oid): str(path) for oid, path in found.items()} if isinstance(found, dict) else {}
        self.bin_dir = repository.bin_dir or find_bin_dir(major)
        self.started = time.time()
        self.label = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(self.started))}-{kind}"
        self.folder = repository.folders.of(self.label)
        self.incoming = self.folder + INCOMING

    def take(self) -> str:
        if os.path.lexists(self.folder):
            raise RepositoryFailed(f"There is a backup '{self.label}' already.", "Run again in a second.", "busy")
        if bin_dir_version(self.bin_dir) < self.major:
            raise MissingFeature(
                f"The programs in '{self.bin_dir}' are older than the server ({self.major}).",
                "Give the right bin_dir.",
                "version_mismatch",
            )
        os.mkdir(self.incoming, 0o700)
        try:
            self._copy()
            verify(self.bin_dir, os.path.join(self.incoming, DATA), parse_wal=True)
            backup = self._measure()
            relink(os.path.join(self.incoming, DATA), space_folders(self.folder, sorted(self.spaces)))
            write_file(os.path.join(self.incoming, NOTE), note_of(backup, self.spaces))
            os.rename(self.incoming, self.folder)
            sync_directory(self.repository.folders.backups)
        except BaseException:
            self.repository.folders.sweep()
            raise
        return self.label

    def _copy(self) -> None:
        login = self.repository.login
        pairs = {**login.pairs, "connect_timeout": str(login.connect_timeout)}
        if login.passfile and not login.password:
            pairs["passfile"] = login.passfile
        host = "localhost" if login.place in ("", "/var/run/postgresql") else login.place
        line = passfile_line(host, login.port, login.user, login.password) if login.password else ""
        parent = self.repository.folders.of(self.parent.label) if self.parent else ""
        command = take_command(self.bin_dir, pairs, self.incoming, self.label, self.spaces, parent)
        with passing(line) as (environment, files):
            status, said = run_guarded(command, environment, files)
        if status:
            raise copy_failure(
                CopyOptions(self.bin_dir, pairs, login.address), said.splitlines(), free_bytes([self.incoming])
            )

    def _measure(self) -> BackupSet:
        with open(os.path.join(self.incoming, DATA, MANIFEST), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MANIFEST_TAIL))
            ranges = wal_ranges(file.read().decode(errors="replace"))
        return BackupSet(
            label=self.label,
            kind=self.kind,
            started=self.started,
            stopped=time.time(),
            start_lsn=min(each.start for each in ranges),
            stop_lsn=max(each.stop for each in ranges),
            timeline=max(each.timeline for each in ranges),
            system_identifier=str(self.facts["system_identifier"]),
            server_version=str(self.major),
            database_bytes=int(str(self.facts["database_bytes"])),
            repository_bytes=tree_bytes(self.incoming),
            parent=self.parent.label if self.parent else "",
        )
