# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a former primary can be brought back without a clone, and what is lost by it. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .._datadir.facts import DataDir
from .._datadir.place import KEPT, DirectoryRefused, Plan, not_a_cluster
from .._lineage.plan import FOREVER, Compared, shared_history
from .._lsn import format_lsn, parse_lsn
from .._postgres.controldata import CLEAN
from .._postgres.source import Source
from .plan import divergence

FOLLOWED, REWOUND, IMPOSSIBLE = "followed", "rewound", "impossible"
REWINDING, READY = "rewinding", "ready"
_STANDBY_STOPPED = "shut down in recovery"
_REMEDY = "A fresh clone with this directory set aside (pgfleet.cluster.basebackup with force: true) is the other way."
_COMMIT = re.compile(
    r"tot\):\s*\d+/\s*(\d+),.*?lsn: ([0-9A-F]+/[0-9A-F]+),.*?"
    r"desc: (?:COMMIT|COMMIT_PREPARED) .*?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^;\n]*)"
)
_END = re.compile(r"(?:error in WAL record at|could not find a valid record after) ([0-9A-F]+/[0-9A-F]+)")


@dataclass(frozen=True)
class RewindPlan(Plan):
    """``recover``: the server must first come to a clean end; ``finish``: only settings are left.

    ``fork``: where the WAL of the two parts company; None where it does not.
    """

    recover: bool = False
    fork: int | None = None

    @property
    def changed(self) -> bool:
        return self.action in (FOLLOWED, REWOUND)


@dataclass(frozen=True)
class Diverged:
    """Transactions that only the directory has. ``transactions`` is None where its WAL cannot be read."""

    from_lsn: str
    to_lsn: str | None = None
    transactions: int | None = None
    first_commit: str | None = None
    last_commit: str | None = None

    def as_result(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def sentence(self) -> str:
        if self.transactions is None:
            return f"What it wrote after {self.from_lsn} cannot be read."
        if not self.transactions:
            return f"It committed nothing after {self.from_lsn}."
        times = f"from {self.first_commit} to {self.last_commit}"
        return f"{self.transactions} transactions after {self.from_lsn} are only here, committed {times}."


def plan_rewind(dest: DataDir, source: Source, noted: str | None) -> RewindPlan:
    """The way to a standby of the source. ``noted``: the phase that an unfinished rewind of this directory left.

    Raises DirectoryRefused for what must be left alone; what a clone could replace is ``impossible``.
    """
    if dest.server_pid is not None:
        return _running(dest, source)
    if noted == READY:
        return RewindPlan(REWOUND, "finish", f"An earlier run has rewound '{dest.path}'.", finish=True)
    if noted == REWINDING:
        return impossible("interrupted", f"An earlier pg_rewind of '{dest.path}' did not come to its end.")
    refusal = _unfit(dest, source)
    if refusal:
        return refusal
    shared = shared_history(dest, source)
    if shared is None:
        return impossible("no_common_timeline", f"'{dest.path}' has no timeline in common with {source.address}.")
    return _plan(dest, source, shared.end)


def reconsider(plan: RewindPlan, found: Compared, dest: DataDir, source: Source) -> RewindPlan:
    """The plan that is left when the WAL itself has been looked at."""
    if found.differs_at is not None:
        shared = shared_history(dest, source)
        timeline = shared.timeline if shared else dest.timeline
        at = format_lsn(found.differs_at)
        what = f"'{dest.path}' and {source.address} both have a timeline {timeline}, but it is not the same one"
        why = f"their WAL differs from {at} on, which pg_rewind does not see"
        if found.overwritten:
            why = f"the checkpoint at {at} is not in their WAL, so it has followed with data of its own"
        return replace(impossible("other_history", f"{what}: {why}."), fork=found.differs_at)
    if found.gone:
        return replace(impossible("wal_gone", found.gone), fork=plan.fork)
    return plan


def _running(dest: DataDir, source: Source) -> RewindPlan:
    if dest.standby_signal and divergence(dest, source) is None:
        return RewindPlan(KEPT, "is_standby", f"A standby of the system at {source.address} runs in '{dest.path}'.")
    raise DirectoryRefused(
        f"A server runs in '{dest.path}', process {dest.server_pid}.",
        "Stop it first, if it is the one whose writes are to be given up.",
        "server_running",
        server_pid=dest.server_pid,
    )


def _unfit(dest: DataDir, source: Source) -> RewindPlan | None:
    if dest.vacant:
        return impossible("nothing_there", f"There is nothing in '{dest.path}'.")
    problem = not_a_cluster(dest, _REMEDY)
    if problem:
        return impossible(problem.code, problem.message)
    if dest.pg_version != source.major or dest.system_identifier != source.system_identifier:
        raise DirectoryRefused(
            f"'{dest.path}' (PostgreSQL {dest.pg_version}, system {dest.system_identifier}) is not of the system"
            f" {source.system_identifier} at {source.address} (PostgreSQL {source.major}).",
            "Give the right data directory.",
            "other_system",
        )
    return None


def _plan(dest: DataDir, source: Source, fork: int) -> RewindPlan:
    clean = dest.cluster_state == CLEAN
    if fork == FOREVER and not dest.standby_signal:
        return RewindPlan(
            FOLLOWED, "not_needed", f"'{dest.path}' is on the timeline of {source.address} and has nothing of its own."
        )
    if clean and dest.checkpoint_lsn and parse_lsn(dest.checkpoint_lsn) < fork:
        return _not_needed(dest, source)
    if dest.standby_signal and divergence(dest, source) is None:
        return RewindPlan(KEPT, "is_standby", f"'{dest.path}' is a standby of the system at {source.address}.")
    if fork == FOREVER:
        return reconsider(_not_needed(dest, source), Compared(source.position), dest, source)
    if not (dest.checksums or dest.wal_log_hints):
        return impossible("no_hints", f"'{dest.path}' has neither checksums nor wal_log_hints, which pg_rewind needs.")
    if dest.standby_signal and dest.cluster_state not in (_STANDBY_STOPPED, CLEAN):
        return impossible("standby_crashed", f"The standby in '{dest.path}' was not shut down cleanly.")
    recover = not clean and dest.cluster_state != _STANDBY_STOPPED
    first = "is recovered to a clean shutdown, then " if recover else ""
    return RewindPlan(
        action=REWOUND,
        reason="diverged",
        sentence=f"'{dest.path}' {first}is rewound to {format_lsn(fork)}, where it diverged from {source.address}.",
        recover=recover,
        fork=fork,
    )


def _not_needed(dest: DataDir, source: Source) -> RewindPlan:
    if dest.standby_signal:
        return RewindPlan(KEPT, "is_standby", f"'{dest.path}' is a standby of the system at {source.address}.")
    return RewindPlan(
        FOLLOWED,
        "not_needed",
        f"'{dest.path}' was shut down cleanly before {source.address} left its timeline: it has nothing of its own.",
    )


def impossible(code: str, sentence: str) -> RewindPlan:
    return RewindPlan(IMPOSSIBLE, code, sentence)


def read_diverged(from_lsn: str, said: str) -> Diverged:
    """What C(pg_waldump --rmgr=Transaction) says of the WAL after the fork; it may have begun a little before."""
    ends = _END.findall(said)
    after = parse_lsn(from_lsn)
    commits = [when for size, lsn, when in _COMMIT.findall(said) if parse_lsn(lsn) + int(size) > after]
    if not ends and not commits:
        return Diverged(from_lsn)
    return Diverged(
        from_lsn,
        ends[-1] if ends else None,
        len(commits),
        commits[0].strip() if commits else None,
        commits[-1].strip() if commits else None,
    )


def read_note(note: Mapping[str, Any] | None, inode: int) -> str | None:
    """The phase that is noted, if the note is about this very directory and not about one that was replaced."""
    return str(note["phase"]) if note and note.get("inode") == inode else None
