# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read what a repository has, for a server or by itself."""

from __future__ import annotations

import time

from .._archive.gaps import Lineage, lineage_of
from .._archive.server import read_server
from .._postgres.connection import connect
from .._postgres.controldata import SEGMENT_BYTES
from .._postgres.login import Login
from .expire import plan_expiry
from .report import Inventory, Report, report
from .repository import Repository, RepositoryFailed, another_cluster


def look(repository: Repository, login: Login | None, max_age: float | None, keep_full: int | None) -> Report:
    """With a login along the timelines of that server, and without along those of the newest one in the archive."""
    lineage, segment_bytes = None, SEGMENT_BYTES
    owner = require_owner(repository)
    if login:
        with connect(login) as session:
            server = read_server(session)
        if server.system_identifier != owner:
            raise another_cluster("The repository", owner, server.system_identifier)
        lineage, segment_bytes = server.lineage, server.segment_bytes
    archived, sets = repository.archived(segment_bytes), repository.sets()
    lineage = lineage or lineage_of(archived.files, archived.histories) or Lineage(1)
    kept = plan_expiry(sets, keep_full).kept if keep_full else sets
    return report(Inventory(owner, sets, kept, archived.files, lineage, segment_bytes), time.time(), max_age)


def require_owner(repository: Repository) -> str:
    """Whose the repository is; raises where there is none."""
    owner = repository.owner()
    if owner is None:
        raise RepositoryFailed(
            "There is no such repository, or it was never made.",
            "Make it (wal_archive with state: initialized), or mount what holds it.",
            "repository_missing",
        )
    return owner
