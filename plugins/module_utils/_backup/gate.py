# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The archive of a server's WAL: look at it, make it, wait for it, and fill it up."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from .._archive.gaps import spans
from .._archive.judge import LASTING, Holding, Verdict, failure, judge, not_in_time
from .._archive.server import read_disk, read_server, switch_wal
from .._archive.values import ServerWal
from .._errors import PgFleetError
from .._lsn import format_lsn
from .._postgres.connection import Server
from .._status.reasons import Reason
from .backfill import backfill, lacking, refuse_other_directory
from .holding import read_holding, try_holding
from .repository import Cluster, Repository

REPORTED, INITIALIZED, CONTINUOUS = "reported", "initialized", "continuous"
_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Wish:
    """Options of the module. ``data``: the server's directory, where it is on this machine."""

    state: str = REPORTED
    switch: bool = True
    wait: float = 60
    stale_after: float = 300
    backfill: bool = False
    data: str = ""
    check: bool = False


@dataclass(frozen=True)
class Look:
    """What was found, and what is wrong."""

    server: ServerWal
    holding: Holding
    verdict: Verdict
    findings: tuple[Reason, ...]


class Gate:
    """One archive and the primary that writes to it."""

    def __init__(self, session: Server, repository: Repository, wish: Wish) -> None:
        self.session, self.repository, self.wish = session, repository, wish
        self.made = False
        self.filled: list[str] = []

    def run(self) -> Look:
        """Bring it to the wanted state; raises where that is not reached."""
        server = self._primary()
        if self.wish.state == INITIALIZED:
            self._initialize(server)
        if self.wish.backfill:
            self._fill(server)
        if self.wish.state == CONTINUOUS:
            return self._await_continuous()
        return self.look()

    def look(self, until: int | None = None) -> Look:
        """The server before the archive: what is archived in between is not missing."""
        server = self._primary()
        held = try_holding(self.repository, server)
        verdict = judge(server, held.holding, self.wish.stale_after, until)
        if held.trouble:
            others = tuple(each for each in verdict.findings if each.code != "repository_missing")
            return Look(server, held.holding, verdict, (*others, held.trouble))
        return Look(server, held.holding, verdict, verdict.findings)

    def _primary(self) -> ServerWal:
        server = read_server(self.session)
        if server.standby:
            raise PgFleetError(
                f"{self.session} is a standby: it archives nothing, and its primary's archive is not its own to judge.",
                "Give the login of the primary.",
                "wrong_role",
            )
        return server

    def _initialize(self, server: ServerWal) -> None:
        owner = self.repository.owner()
        self.made = owner is None
        if not self.wish.check or owner not in (None, server.system_identifier):
            cluster = Cluster(server.system_identifier, server.version, server.segment_bytes, server.data_directory)
            self.repository.initialize(cluster)

    def _fill(self, server: ServerWal) -> None:
        refuse_other_directory(self.session, self.wish.data)
        holding = read_holding(self.repository, server)
        look = judge(server, holding, self.wish.stale_after)
        refused = [each for each in look.findings if each.code in ("other_cluster", "repository_missing")]
        if refused and not (self.made and self.wish.check):
            raise failure(refused)
        names = lacking(self.wish.data, server, holding)
        self.filled = names if self.wish.check else backfill(self.repository, self.wish.data, names)

    def _await_continuous(self) -> Look:
        """Everything up to the position of this moment; check mode can only tell what holds now."""
        server = self._primary()
        until = server.position
        if self.wish.check:
            until = until // server.segment_bytes * server.segment_bytes
        elif self.wish.switch:
            until = switch_wal(self.session)
        deadline = time.monotonic() + (0 if self.wish.check else self.wish.wait)
        while True:
            look = self.look(until)
            lasting = [each for each in look.findings if self._lasts(each)]
            late = time.monotonic() >= deadline
            if lasting or (late and look.findings):
                raise failure(lasting or look.findings, **self.as_result(look))
            if not look.verdict.waiting:
                return look
            if late:
                found = (not_in_time(look.server, look.verdict, until, self.wish.wait),)
                raise failure(found, **self.as_result(Look(look.server, look.holding, look.verdict, found)))
            time.sleep(_POLL_SECONDS)

    def _lasts(self, found: Reason) -> bool:
        if self.wish.check and self.filled and found.code == "archive_gap":
            return False
        return found.code in LASTING or found.code.startswith("repository_")

    def as_result(self, look: Look) -> dict[str, Any]:
        """What the module returns, also beside a failure."""
        server, found, size = look.server, look.verdict, look.server.segment_bytes
        ours = look.holding.owner == server.system_identifier
        return {
            "changed": self.made or bool(self.filled),
            "initialized": self.made,
            "backfilled": self.filled,
            "server": server.as_result(),
            "archiving": server.archiving_result(),
            "repository": {"provider": self.repository.provider, "owner": look.holding.owner},
            "archive": spans(look.holding.files, size),
            "since": format_lsn(found.first * size) if ours else None,
            "gaps": [each.as_result(size) for each in found.gaps] if ours else [],
            "histories": [each.as_result() for each in found.histories] if ours else [],
            "disk": self._disk(server),
            "rpo": {"bytes": found.lost_bytes, "seconds": found.lost_seconds} if ours else None,
            "findings": [each.as_result() for each in look.findings],
        }

    def _disk(self, server: ServerWal) -> dict[str, Any] | None:
        return read_disk(os.path.join(self.wish.data, "pg_wal"), server) if self.wish.data else None
