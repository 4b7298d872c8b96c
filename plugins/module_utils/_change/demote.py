# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a primary may be stopped and made a standby of its successor, or be given back its role. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .._datadir.facts import DataDir
from .._datadir.place import DirectoryRefused, not_a_cluster
from .._postgres.controldata import CLEAN

DEMOTED, RESTORED, KEPT = "demoted", "restored", "kept"
REFUSE, REPLACE = "refuse", "replace"
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


@dataclass(frozen=True)
class Successor:
    """The server that a demoted one follows, as its recovery settings name it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def from_conninfo(cls, pairs: Mapping[str, str]) -> Successor | None:
        """None where nobody is named."""
        host, port = pairs.get("host") or pairs.get("hostaddr"), pairs.get("port") or "5432"
        return cls(host, int(port)) if host and port.isdigit() else None


@dataclass(frozen=True)
class Handing:
    """To whom a primary is to be handed over, and whether that may be another than the one whom it was handed over to."""

    to: Successor
    recorded: Successor | None = None
    on_other: str = REFUSE


def plan_demote(data: DataDir, handing: Handing | None = None) -> DemotePlan:
    """The way to a stopped directory that starts as a standby; raises DirectoryRefused."""
    _refuse_no_cluster(data)
    if data.standby_signal:
        return _plan_standby(data, handing)
    if data.server_pid is not None:
        return DemotePlan(DEMOTED, True, f"The primary in '{data.path}' stops and becomes a standby.")
    if data.cluster_state != CLEAN:
        raise DirectoryRefused(
            f"The primary in '{data.path}' was not shut down cleanly (its state is '{data.cluster_state}'):"
            " what it wrote last may be nowhere else.",
            "Start it and run again, or give it up (failover) and bring it back with pgfleet.cluster.rewind.",
            "primary_crashed",
        )
    return DemotePlan(DEMOTED, False, f"The stopped primary in '{data.path}' becomes a standby.")


def _plan_standby(data: DataDir, handing: Handing | None) -> DemotePlan:
    """A directory that was made a standby already has a successor, and its last WAL belongs to that one."""
    if handing is None or handing.recorded in (None, handing.to):
        return DemotePlan(KEPT, False, f"'{data.path}' is a standby already.")
    if data.server_pid is not None or data.cluster_state != CLEAN or handing.on_other == REFUSE:
        raise DirectoryRefused(
            f"'{data.path}' was handed over to {handing.recorded} and cannot be handed over to {handing.to}.",
            "Another run has changed the primary meanwhile: look who leads (status.yml), then run again. Nothing was changed.",
            "other_successor",
        )
    return DemotePlan(DEMOTED, False, f"'{data.path}', which was to follow {handing.recorded}, follows {handing.to}.")


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


def is_following(data: DataDir, handing: Handing) -> bool:
    """Whether it runs as a standby of this successor already."""
    return data.standby_signal and data.server_pid is not None and handing.recorded in (None, handing.to)


def refuse_promoted(data: DataDir, earlier: Successor, timeline: int | None) -> None:
    """Refuse what was handed over to a server that leads since. ``timeline``: that server's; None of one that is not there."""
    if timeline is not None and timeline > (data.timeline or 0):
        raise DirectoryRefused(
            f"'{data.path}' was handed over to {earlier}, which has been promoted since.",
            "It leads: look at the fleet (status.yml), then run again. Nothing was changed.",
            "other_successor",
        )
