# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read what a repository has of the cluster of a server."""

from __future__ import annotations

from dataclasses import dataclass

from .._archive.judge import Holding
from .._archive.values import ServerWal
from .._status.reasons import Reason
from .repository import Repository, RepositoryFailed
from .window import since


@dataclass(frozen=True)
class Held:
    """``trouble``: why nothing could be read."""

    holding: Holding
    trouble: Reason | None = None


def read_holding(repository: Repository, server: ServerWal) -> Holding:
    """Of somebody else's repository only whose it is."""
    owner = repository.owner()
    if owner != server.system_identifier:
        return Holding(owner)
    archived = repository.archived(server.segment_bytes)
    return Holding(owner, archived.files, archived.histories, since(repository.sets(), server.lineage))


def try_holding(repository: Repository, server: ServerWal) -> Held:
    """The same for whoever reports what is wrong instead of ending with it."""
    try:
        return Held(read_holding(repository, server))
    except RepositoryFailed as error:
        return Held(Holding(), Reason(error.code, error.message, error.remedy))
