# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""A repository: the WAL archive of a cluster and its backups, whatever program keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .._archive.names import HISTORY, WalFile
from .._errors import PgFleetError
from .sets import BackupSet


class RepositoryFailed(PgFleetError):
    """The repository cannot be read or written; ``code`` says why."""

    code = "repository_failed"


@dataclass(frozen=True)
class Cluster:
    """What a repository must belong to, as the server and its control file say."""

    system_identifier: str
    version: int
    segment_bytes: int
    data_directory: str


@dataclass(frozen=True)
class Archived:
    """What an archive holds of one cluster. ``histories``: the texts of the histories, by timeline."""

    files: frozenset[WalFile] = frozenset()
    histories: Mapping[int, str] = field(default_factory=dict)


class Repository(ABC):
    """What the provider of a repository can do. All of it runs as the user of the server."""

    provider = ""

    @abstractmethod
    def owner(self) -> str | None:
        """The system identifier of the cluster that the repository is for; None where it was never made."""

    @abstractmethod
    def initialize(self, cluster: Cluster) -> None:
        """Make it ready for a cluster; one that is there already stays. Raises ``other_cluster`` for somebody else's."""

    @abstractmethod
    def sets(self) -> Sequence[BackupSet]:
        """All backups of the cluster, the oldest first."""

    @abstractmethod
    def archived(self, segment_bytes: int) -> Archived:
        """What the archive holds."""

    @abstractmethod
    def push(self, path: str) -> None:
        """Archive a file of pg_wal. The same file again is no error; another one under its name is ``history_differs`` or ``archive_conflict``."""

    def incremental_trouble(self) -> PgFleetError | None:
        """Why no incremental backup can be taken of the server; None where it can."""
        return None

    @abstractmethod
    def take(self, kind: str, parent: BackupSet | None = None) -> str:
        """Take a backup and return its label."""

    @abstractmethod
    def tablespaces(self, backup: BackupSet) -> Sequence[str]:
        """The directories of the tablespaces that are in a set, as its cluster had them."""

    @abstractmethod
    def lay_out(self, chain: Sequence[BackupSet], dest: str, tablespaces: Mapping[str, str]) -> None:
        """Write the files of the last set of a chain, which begins with a full one, into a directory that is empty or not there.

        Nothing is written that tells the server to recover: neither a signal file nor a setting. ``tablespaces`` maps their
        directories to those to use here; one that is not named is refused, because a server may be using its own.
        """

    @abstractmethod
    def expire(self, keep_full: int) -> list[str]:
        """Drop what is older than the newest ``keep_full`` full backups, with the WAL that only they need; labels of the dropped."""

    @abstractmethod
    def restore_command(self) -> str:
        """The value of restore_command that reads from the archive."""


def another_cluster(what: str, theirs: str, ours: str) -> RepositoryFailed:
    """For a repository that belongs to somebody else."""
    return RepositoryFailed(
        f"{what} belongs to the cluster with the system identifier {theirs}; this one's is {ours}.",
        "Give this cluster a repository or stanza of its own; nothing was changed.",
        "other_cluster",
        owner=theirs,
        system_identifier=ours,
    )


def conflict(name: str, where: str, kind: str) -> RepositoryFailed:
    """For a file that is not the one that an archive has under its name."""
    code = "history_differs" if kind == HISTORY else "archive_conflict"
    return RepositoryFailed(
        f"'{name}' is in the archive of {where} with other content.",
        "Another server archives there, or did: a second primary, or a copy that was started. Find it and stop its archiving. Nothing was written.",
        code,
        file=name,
    )


def mapped(spaces: Mapping[int, str], tablespaces: Mapping[str, str]) -> dict[int, str]:
    """Where each tablespace goes; raises for one that nobody named."""
    for directory in spaces.values():
        if directory not in tablespaces:
            raise RepositoryFailed(
                f"The set has a tablespace in '{directory}', and nobody says where it goes.",
                "Name it in tablespace_mapping, to itself where no server uses it.",
                "tablespace_unmapped",
                tablespace=directory,
            )
    return {oid: tablespaces[directory] for oid, directory in spaces.items()}
