# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The repository of a pgBackRest stanza. Its configuration file says where that is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._archive.names import HISTORY, WalFile, parse_wal_name
from .._archive.settings import StanzaArchive
from .._datadir.process import run_guarded
from .._host.atomic import unlink
from .._postgres.controldata import SEGMENT_BYTES
from .info import Stanza, newest_label, parse_info, parse_listing, parse_tablespaces
from .repository import Archived, Cluster, Repository, RepositoryFailed, another_cluster, conflict, mapped
from .sets import BackupSet
from .words import failure

_PROGRAM = "pgbackrest"
#: Commands that read or keep one repository of a stanza that may have several; ours is the first.
_OF_ONE = ("info", "repo-ls", "repo-get", "backup", "restore", "expire")
_SIGNALS = ("recovery.signal", "standby.signal")


@dataclass(frozen=True)
class PgBackRest(Repository):
    """``config_file`` and ``stanza`` as every call of pgbackrest gets them."""

    stanza: str
    config_file: str
    provider = "pgbackrest"

    def command(self, verb: str, *more: str) -> list[str]:
        """The command line. No secret is in it: those stand in the configuration file."""
        words = [
            _PROGRAM,
            f"--config={self.config_file}",
            f"--stanza={self.stanza}",
            "--log-level-console=off",
            "--log-level-stderr=warn",
        ]
        words += ["--repo=1"] if verb in _OF_ONE else []
        return [*words, verb, *more]

    def owner(self) -> str | None:
        return self._info().system_identifier or None

    def initialize(self, cluster: Cluster) -> None:
        owner = self.owner()
        if owner not in (None, cluster.system_identifier):
            raise another_cluster(f"The stanza '{self.stanza}'", owner or "", cluster.system_identifier)
        if owner is None:
            self._long("stanza-create")

    def sets(self) -> Sequence[BackupSet]:
        return sorted(self._info().sets, key=lambda each: each.stopped)

    def archived(self, segment_bytes: int) -> Archived:
        files, histories = self._listing(segment_bytes)
        return Archived(
            files, {timeline: self._short("repo-get", path) for timeline, path in sorted(histories.items())}
        )

    def _listing(self, segment_bytes: int) -> tuple[frozenset[WalFile], dict[int, str]]:
        """The files of the archive, and the paths of its histories in the repository."""
        stanza = self._info()
        if not stanza.exists:
            return frozenset(), {}
        folder = f"archive/{self.stanza}/{stanza.archive_id}"
        files, histories = parse_listing(self._short("repo-ls", "--recurse", "--output=json", folder), segment_bytes)
        return files, {timeline: f"{folder}/{path}" for timeline, path in histories.items()}

    def push(self, path: str) -> None:
        """The archive takes a history without a word in place of another one, so that is compared first."""
        file = parse_wal_name(os.path.basename(path), SEGMENT_BYTES)
        if file and file.kind == HISTORY and self._has_history(path, file.timeline):
            return
        self._short("archive-push", "--no-archive-async", path)

    def _has_history(self, path: str, timeline: int) -> bool:
        there = self._listing(SEGMENT_BYTES)[1].get(timeline)
        if there is None:
            return False
        with open(path, encoding="utf-8") as file:
            if file.read() != self._short("repo-get", there):
                raise conflict(os.path.basename(path), f"stanza '{self.stanza}'", HISTORY)
        return True

    def take(self, kind: str, parent: BackupSet | None = None) -> str:  # noqa: ARG002  (it finds the parent itself)
        before = self.sets()
        self._long("backup", f"--type={kind}", "--start-fast", "--no-expire-auto")
        return newest_label(before, self.sets())

    def tablespaces(self, backup: BackupSet) -> Sequence[str]:
        return list(self._spaces(backup.label).values())

    def _spaces(self, label: str) -> dict[int, str]:
        return parse_tablespaces(self._short("info", f"--set={label}", "--output=json"), self.stanza)

    def lay_out(self, chain: Sequence[BackupSet], dest: str, tablespaces: Mapping[str, str]) -> None:
        label = chain[-1].label
        spaces = mapped(self._spaces(label), tablespaces)
        maps = [f"--tablespace-map={oid}={directory}" for oid, directory in spaces.items()]
        self._long("restore", f"--set={label}", f"--pg1-path={dest}", "--type=none", *maps)
        for name in _SIGNALS:  # with --type=none it writes one nevertheless
            unlink(os.path.join(dest, name))

    def expire(self, keep_full: int) -> list[str]:
        before = self.sets()
        self._long("expire", f"--repo1-retention-full={keep_full}")
        left = {each.label for each in self.sets()}
        return [each.label for each in before if each.label not in left]

    def restore_command(self) -> str:
        return StanzaArchive(self.config_file, self.stanza).restore_command

    def _info(self) -> Stanza:
        return parse_info(self._short("info", "--output=json"), self.stanza)

    def _short(self, verb: str, *more: str) -> str:
        """Its standard output alone, which may be JSON or a file."""
        try:
            done = subprocess.run(
                self.command(verb, *more), capture_output=True, text=True, errors="replace", check=False, cwd="/",
                stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"},
            )  # fmt: skip
        except FileNotFoundError as error:
            raise _not_installed() from error
        if done.returncode:
            raise failure(verb, done.returncode, done.stderr or done.stdout)
        return done.stdout

    def _long(self, verb: str, *more: str) -> None:
        """Ended when the module ends."""
        try:
            status, said = run_guarded(self.command(verb, *more))
        except FileNotFoundError as error:
            raise _not_installed() from error
        if status:
            raise failure(verb, status, said)


def _not_installed() -> RepositoryFailed:
    return RepositoryFailed("There is no program pgbackrest.", "Install the package pgbackrest.", "programs_missing")
