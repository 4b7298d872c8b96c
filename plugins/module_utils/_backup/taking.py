# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Take a backup where one is due, see that it can be restored, and let old ones go."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._archive.server import read_server
from .._archive.values import ServerWal
from .._postgres.connection import connect
from .._postgres.login import Login
from .expire import plan_expiry
from .inventory import require_owner
from .plan import Plan, State, plan_backup
from .repository import Repository, RepositoryFailed, another_cluster
from .sets import BackupSet
from .window import is_restorable

_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Due:
    """Options of the module."""

    kind: str
    max_age: float | None
    keep_full: int | None
    wait: float
    check: bool


@dataclass(frozen=True)
class Taken:
    """What was done, or would be."""

    plan: Plan
    backup: BackupSet | None
    expired: Sequence[str]
    restorable: bool | None
    seconds: float | None

    def as_result(self) -> dict[str, Any]:
        parent = self.plan.parent
        return {
            "changed": bool(self.plan.kind or self.expired),
            "type": self.plan.kind or None,
            "reason": self.plan.reason,
            "explanation": self.plan.sentence,
            "parent": parent.label if parent else None,
            "set": self.backup.as_result() if self.backup else None,
            "expired": list(self.expired),
            "restorable": self.restorable,
            "seconds": self.seconds,
        }


def take_due(repository: Repository, login: Login, due: Due) -> Taken:
    """Backups first: nothing is dropped unless the newest one can be restored."""
    with connect(login) as session:
        server = read_server(session)
    owner = require_owner(repository)
    if owner != server.system_identifier:
        raise another_cluster("The repository", owner, server.system_identifier)
    plan = plan_backup(_state(repository, server), due.kind, due.max_age)
    if due.check or not plan.kind:
        return Taken(plan, plan.kept, _expire(repository, due, plan), bool(plan.kept) or None, None)
    began = time.monotonic()
    label = repository.take(plan.kind, plan.parent)
    backup = next(each for each in repository.sets() if each.label == label)
    seconds = round(time.monotonic() - began, 2)
    _await_restorable(repository, server, backup, due.wait)
    return Taken(plan, backup, _expire(repository, due, plan), True, seconds)


def _state(repository: Repository, server: ServerWal) -> State:
    files = repository.archived(server.segment_bytes).files
    trouble = repository.incremental_trouble()
    return State(repository.sets(), server.lineage, files, server.segment_bytes, time.time(), trouble)


def _expire(repository: Repository, due: Due, plan: Plan) -> list[str]:
    """What goes; in check mode as if the new set were there already."""
    if due.keep_full is None:
        return []
    sets = list(repository.sets())
    if due.check and plan.kind == "full":
        newest = max((each.stopped for each in sets), default=0.0)
        sets.append(BackupSet("(new)", "full", newest, newest + 1, 0, 0, 0, "", "", 0, 0))
    dropped = [each.label for each in reversed(plan_expiry(sets, due.keep_full).dropped)]
    return dropped if due.check or not dropped else repository.expire(due.keep_full)


def _await_restorable(repository: Repository, server: ServerWal, backup: BackupSet, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        files = repository.archived(server.segment_bytes).files
        if is_restorable(backup, files, server.lineage, server.segment_bytes):
            return
        if time.monotonic() >= deadline:
            raise RepositoryFailed(
                f"The backup '{backup.label}' is there, but after {wait:g} s the archive has not yet all WAL from its start to its end:"
                " it cannot be restored. Nothing was expired.",
                "See why the primary does not archive: wal_archive says it. On a quiet primary WAL comes after archive_timeout.",
                "archive_stale",
                label=backup.label,
            )
        time.sleep(_POLL_SECONDS)
