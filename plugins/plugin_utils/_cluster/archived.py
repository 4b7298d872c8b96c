# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How far a standby is that reads its WAL from an archive, as far as it and its primary tell. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._lsn import lsn_distance, parse_lsn
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import STANDBY, STREAM, STREAMING

from .findings import Finding

#: Seconds that a restore_command, its next attempt and the replay may take after archive_timeout.
GRACE = 30.0


def lag_of(status: Mapping[str, Any], leader: Mapping[str, Any]) -> tuple[int | None, float | None]:
    """Bytes that the primary has written and the standby has not replayed, and how old they are at most.

    Whoever has replayed all that was archived lacks nothing that is older than the last archived file. Nothing is known while there is no
    primary.
    """
    written, replayed = leader.get("lsn", {}).get("current"), status["lsn"]["replay"]
    behind = lsn_distance(written, replayed)
    if behind is None:
        return None, None
    ages = [status["replayed_age_seconds"]]
    if not _misses(status, leader):
        ages.append(leader["archiver"]["last_archived_seconds"])
    known = [age for age in ages if age is not None]
    return max(0, behind), 0.0 if behind <= 0 else min(known, default=None)


def lagging(name: str, status: Mapping[str, Any], leader: Mapping[str, Any]) -> Finding | None:
    """A standby whose WAL is in the archive, and which has not replayed it in time."""
    age = status.get("replayed_age_seconds")
    allowed = ((leader.get("archiver") or {}).get("timeout_seconds") or 0) + GRACE
    if not _restores_now(status) or not _misses(status, leader) or (age is not None and age <= allowed):
        return None
    archived = leader["archiver"]["last_archived_lsn"]
    old = "nothing yet" if age is None else f"transactions up to {age:.0f} s ago"
    words = (
        f"{name} has replayed up to {status['lsn']['replay']} ({old}), but WAL up to {archived} is archived;"
        f" {allowed:.0f} s are allowed."
    )
    remedy = (
        f"Its log says whether restore_command fails, and for which file. When the archive lacks one,"
        f" rebuild_standby.yml -e node={name} clones it again."
    )
    return Finding(name, "archive_lagging", words, remedy)


def saved_by_archive(names: Iterable[str], topology: Mapping[str, Any], hostvars: Mapping[str, Any]) -> list[str]:
    """Slots of standbys that are there and read the archive for what their slot has lost."""
    return [
        hostvars[name]["pg_server_facts"]["slot"]
        for name in names
        if name in topology["existing"]
        and hostvars[name]["pg_server_facts"].get("upstream") == STREAM
        and ((hostvars[name].get("pg_server_wanted_settings") or {}).get("settings") or {}).get("restore_command")
    ]


def _restores_now(status: Mapping[str, Any]) -> bool:
    """Whether all that it can get now comes from the archive."""
    receiving = (status.get("wal_receiver") or {}).get("status") == STREAMING
    return bool(status.get("role") == STANDBY and status.get("known") and status.get("restores") and not receiving)


def _misses(status: Mapping[str, Any], leader: Mapping[str, Any]) -> bool:
    """Whether WAL is in the archive that it has not replayed."""
    archived, replayed = (leader.get("archiver") or {}).get("last_archived_lsn"), status["lsn"]["replay"]
    return archived is not None and (not replayed or parse_lsn(replayed) < parse_lsn(archived))
