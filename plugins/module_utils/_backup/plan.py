# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a backup is to be taken, and of which kind. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .._archive.gaps import Lineage
from .._archive.names import WalFile
from .._errors import PgFleetError
from .sets import DIFFERENTIAL, FULL, INCREMENTAL, BackupSet
from .window import windows

AUTO = "auto"
_FULLNESS = {FULL: 2, DIFFERENTIAL: 1, INCREMENTAL: 0, AUTO: 0}


@dataclass(frozen=True)
class State:
    """What is there. ``trouble``: why the provider cannot take incremental backups of this server."""

    sets: Sequence[BackupSet]
    lineage: Lineage
    files: Collection[WalFile]
    segment_bytes: int
    now: float
    trouble: PgFleetError | None = None

    @property
    def good(self) -> tuple[BackupSet, ...]:
        """Sets that can be restored, after which the archive has no gap; the oldest first."""
        found = windows(self.sets, self.lineage, self.files, self.segment_bytes)
        return tuple(each for window in found if window.open for each in window.sets)


@dataclass(frozen=True)
class Plan:
    """``kind`` is empty where nothing is to be taken; then ``kept`` is the set that is young enough."""

    kind: str
    reason: str
    sentence: str
    parent: BackupSet | None = None
    kept: BackupSet | None = None


def plan_backup(state: State, kind: str, max_age: float | None) -> Plan:
    """Raises where the wanted kind cannot be taken."""
    good = state.good
    if max_age is not None and (young := _young(state, good, kind, max_age)):
        age = state.now - young.stopped
        return Plan("", "young_enough", f"The {young.kind} backup '{young.label}' is {age:.0f} s old.", kept=young)
    if kind == FULL:
        return Plan(FULL, "wanted", "A full backup was asked for.")
    if state.trouble and kind != AUTO:
        raise state.trouble
    newest = max(state.sets, key=lambda each: each.stopped, default=None)
    if newest is None:
        return Plan(FULL, "no_parent", "There is no backup that another one could build on.")
    if newest not in good:
        why = f"'{newest.label}' is no base: it is damaged, of an abandoned timeline, or the archive has a gap since."
        return Plan(FULL, "parent_unusable", why)
    if state.trouble:
        return Plan(FULL, state.trouble.code, state.trouble.message)
    wanted = INCREMENTAL if kind == AUTO else kind
    bases = [each for each in good if wanted == INCREMENTAL or each.kind == FULL]
    base = bases[-1] if bases else None
    if base is None:
        return Plan(FULL, "no_parent", "There is no full backup that a differential one could build on.")
    return Plan(wanted, "wanted", f"It builds on '{base.label}'.", base)


def _young(state: State, good: Sequence[BackupSet], kind: str, max_age: float) -> BackupSet | None:
    fit = [each for each in good if _FULLNESS[each.kind] >= _FULLNESS[kind] and state.now - each.stopped < max_age]
    return fit[-1] if fit else None
