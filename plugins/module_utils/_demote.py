# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a primary may be stopped and made a standby of its successor, or be given back its role. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ._datadir import DataDir
from ._datadir_place import DirectoryRefused, not_a_cluster
from ._topology import CLEAN

DEMOTED, RESTORED, KEPT = "demoted", "restored", "kept"
_REMEDY = "Give the data directory of the primary."


@dataclass(frozen=True)
class DemotePlan:
    """What is to be done: stop the server, set up or take away the standby."""

    action: str
    stop: bool
    sentence: str

    @property
    def changed(self) -> bool:
        return self.action != KEPT


def plan_demote(data: DataDir) -> DemotePlan:
    """The way to a stopped directory that starts as a standby; raises DirectoryRefused."""
    _refuse_no_cluster(data)
    if data.standby_signal:
        return DemotePlan(KEPT, False, f"'{data.path}' is a standby already.")
    if data.server_pid is not None:
        return DemotePlan(DEMOTED, True, f"The primary in '{data.path}' stops and becomes a standby.")
    if data.cluster_state != CLEAN:
        raise DirectoryRefused(
            f"The primary in '{data.path}' was not stopped in good order (its state is '{data.cluster_state}'):"
            " what it wrote last may be nowhere else.",
            "Start it and run again, or give it up (failover) and bring it back with pgfleet.cluster.rewind.",
            "primary_crashed",
        )
    return DemotePlan(DEMOTED, False, f"The stopped primary in '{data.path}' becomes a standby.")


def plan_restore(data: DataDir) -> DemotePlan:
    """The way back, for a primary that was stopped for a promotion which did not take place."""
    _refuse_no_cluster(data)
    if not data.standby_signal:
        return DemotePlan(KEPT, False, f"'{data.path}' is a primary already.")
    if data.server_pid is not None or data.cluster_state != CLEAN:
        raise DirectoryRefused(
            f"'{data.path}' has been a standby since (its state is '{data.cluster_state}'); it is no primary any more.",
            "Promote it (pgfleet.cluster.promote) if it is to lead.",
            "not_demoted",
        )
    return DemotePlan(RESTORED, False, f"'{data.path}' becomes the primary again that it was.")


def _refuse_no_cluster(data: DataDir) -> None:
    if data.vacant:
        raise DirectoryRefused(f"There is nothing in '{data.path}'.", _REMEDY, "data_directory_missing")
    problem = not_a_cluster(data, _REMEDY)
    if problem:
        raise problem
