# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Look at a former primary and at its source, and make the one a standby of the other by pg_rewind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._datadir.facts import DataDir, find_bin_dir, inspect
from .._datadir.workflow import Look, Workflow
from .._lineage.archive import ServerArchive
from .._lineage.plan import Compared
from .._lineage.wal import Comparison
from .._lsn import format_lsn
from .._postgres.login import Following
from .._postgres.passfile import check_passfile
from .._postgres.replication import check_slot, read_source, replication_session
from .._postgres.source import Source
from .._postgres.standby import make_standby
from .rewind_command import Rewinding, find_diverged, forget, note, noted_phase, recover
from .rewind_plan import (
    IMPOSSIBLE,
    READY,
    REWINDING,
    REWOUND,
    Diverged,
    RewindPlan,
    impossible,
    plan_rewind,
    reconsider,
)

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


@dataclass(frozen=True)
class RewindLook(Look):
    plan: RewindPlan
    diverged: Diverged | None
    bin_dir: str
    archive: ServerArchive


class Rewind(Workflow[RewindLook]):
    """One former primary and the server that it is to follow."""

    def __init__(self, module: AnsibleModule) -> None:
        super().__init__(module)
        self.dest = self.params["data_directory"]
        self.following = Following.from_params(self.params)
        self.login = self.following.login

    def look(self) -> RewindLook:
        """The directory is read before the source, which only moves forward."""
        if self.login.passfile:
            check_passfile(self.login.passfile)
        with replication_session(self.login) as server:
            bin_dir = self.params["bin_dir"] or find_bin_dir(server.major)
            dest = inspect(self.dest, bin_dir)
            source = read_source(server)
            if self.following.slot:
                check_slot(server, self.following.slot)
        plan = plan_rewind(dest, source, noted_phase(self.dest))
        archive = ServerArchive(dest, bin_dir, self.params["config_file"])
        found = self._compare(dest, source, plan, archive)
        plan = reconsider(plan, found, dest, source)
        diverged = None if plan.fork is None else find_diverged(dest, plan.fork, bin_dir)
        if plan.fork is not None and found.overwritten:
            diverged = Diverged(format_lsn(plan.fork))
        return RewindLook(dest, plan, diverged, bin_dir, archive)

    def _compare(self, dest: DataDir, source: Source, plan: RewindPlan, archive: ServerArchive) -> Compared:
        """Whether the WAL bears the plan out."""
        if plan.action == IMPOSSIBLE:
            return Compared()
        comparison = Comparison(self.login, dest, source, archive.bin_dir)
        if plan.fork is not None:
            return comparison.before_rewind(plan.fork, archive)
        if dest.server_pid is not None:
            return replace(comparison.compare(), gone="")
        found = comparison.before_start()
        return Compared() if found.gone and archive.command else found

    def rehearse(self, found: RewindLook) -> RewindLook:
        """What was shut down cleanly can be rehearsed; a recovery would write."""
        plan = found.plan
        if plan.action != REWOUND or plan.finish or plan.recover or not self.params["rewind_user"]:
            return found
        return _rehearsed(found, self._rewinding(found))

    def _rewinding(self, found: RewindLook) -> Rewinding:
        params = self.params
        user = params["rewind_user"] or self.login.user
        login = replace(self.login, user=user, password=params["rewind_password"])
        if params["rewind_ssl_cert"]:
            login = replace(login, ssl_cert=params["rewind_ssl_cert"], ssl_key=params["rewind_ssl_key"])
        return Rewinding(login, self.dest, found.bin_dir, found.archive.rewind_options)

    def settle(self) -> None:
        """An interrupted rewind has a note, which the plan reads; a clone's remains are left to the next clone."""

    def make(self, found: RewindLook) -> RewindLook:
        """What turns out to be impossible is a new plan."""
        plan = found.plan
        if plan.action == REWOUND and not plan.finish:
            if plan.recover:
                recover(found.dest, found.bin_dir, self.params["config_file"])
            rewinding = self._rewinding(found)
            rehearsed = _rehearsed(found, rewinding)
            if not rehearsed.plan.changed:
                return rehearsed
            self.module.log(f"rewind of {self.dest} begins: {plan.sentence}")
            note(self.dest, REWINDING)
            rewinding.rewind()
            note(self.dest, READY)
        make_standby(self.dest, self.following.recovery)
        forget(self.dest)
        return found


def _rehearsed(look: RewindLook, rewinding: Rewinding) -> RewindLook:
    words = rewinding.rehearse()
    if not words:
        return look
    plan = replace(impossible("wal_gone", f"pg_rewind lacks WAL: {words}"), fork=look.plan.fork)
    return replace(look, plan=plan)
