# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a data directory is a clone of a server, may be made one, or must be left alone. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from .._datadir.facts import DataDir
from .._datadir.place import (
    KEPT,
    DirectoryRefused,
    Place,
    Plan,
    not_a_cluster,
    refuse_obstacles,
    refuse_swap_under_a_server,
    why_vacant,
)
from .._errors import MissingFeature
from .._lsn import format_lsn
from .._postgres.source import Source

OLDEST_MAJOR = 14
FORCE = "Look at what is there; force: true sets it aside under a dated name and clones."
CLONED, REPLACED = "cloned", "replaced"


@dataclass(frozen=True)
class CloneFacts:
    """All that the decision rests on."""

    place: Place
    source: Source
    bin_version: int
    differs_at: int | None = None
    kept_wal_dir: str = ""


def plan_clone(facts: CloneFacts, force: bool = False, rebuild: bool = False) -> Plan:
    """What to do about the destination; raises DirectoryRefused for what must be left alone.

    ``force`` replaces what would be refused, ``rebuild`` also what would be kept. Neither takes a directory away
    from a running server, and neither touches what lies in the way of the work itself.
    """
    dest = facts.place.dest
    _check_versions(facts)
    if dest.incoming == "swapping":
        refuse_swap_under_a_server(dest)
        return Plan(CLONED, "finish_swap", f"A verified clone of an earlier run waits to become '{dest.path}'.", True)
    problem = None if dest.vacant else find_problem(dest, facts.source, facts.differs_at)
    if not dest.vacant and problem is None and not rebuild:
        return Plan(KEPT, "is_standby", f"'{dest.path}' is a standby of the system at {facts.source.address}.")
    _refuse_running(dest, problem)
    refuse_obstacles(facts.place, force, FORCE)
    if dest.vacant:
        return Plan(CLONED, *why_vacant(dest))
    if problem is None:
        return Plan(REPLACED, "rebuild", f"'{dest.path}' is a standby, and rebuild was asked for.{_layout(facts)}")
    if not force:
        raise problem
    return Plan(REPLACED, problem.code, f"{problem.message}{_layout(facts)}")


def _layout(facts: CloneFacts) -> str:
    """What stays of the replaced directory's layout without an option that says so."""
    return f" Its WAL stays outside of it, in '{facts.kept_wal_dir}'." if facts.kept_wal_dir else ""


def _check_versions(facts: CloneFacts) -> None:
    source = facts.source
    if source.major < OLDEST_MAJOR:
        raise MissingFeature(
            f"A clone needs PostgreSQL {OLDEST_MAJOR} or newer, but {source.address} runs {source.major}.",
            "Upgrade the server.",
            needed=OLDEST_MAJOR,
            found=source.major,
        )
    if facts.bin_version != source.major:
        raise DirectoryRefused(
            f"{source.address} runs PostgreSQL {source.major}, but the programs in bin_dir are of"
            f" {facts.bin_version}: they could not run the clone.",
            f"Install PostgreSQL {source.major} here, or give its bin_dir.",
            "version_mismatch",
        )


def _refuse_running(dest: DataDir, problem: DirectoryRefused | None) -> None:
    if dest.server_pid is None:
        return
    what = f" ({problem.message})" if problem else ""
    raise DirectoryRefused(
        f"A server runs in '{dest.path}', process {dest.server_pid}{what}.",
        "Stop it first, if it is not the wrong directory altogether.",
        "server_running",
        server_pid=dest.server_pid,
    )


def find_problem(dest: DataDir, source: Source, differs_at: int | None = None) -> DirectoryRefused | None:
    """Why a directory that is not vacant is not a standby of this source; None when it is one.

    ``differs_at``: where the WAL of both differs, although the numbers of their timelines are equal.
    """
    return (
        not_a_cluster(dest, FORCE)
        or _other_cluster(dest, source)
        or _not_a_standby(dest, source)
        or _diverged(dest, divergence(dest, source))
        or _other_history(dest, source, differs_at)
    )


def _other_cluster(dest: DataDir, source: Source) -> DirectoryRefused | None:
    if dest.pg_version != source.major:
        return DirectoryRefused(
            f"'{dest.path}' is of PostgreSQL {dest.pg_version}, but {source.address} runs {source.major}.",
            FORCE,
            "version_mismatch",
        )
    if dest.system_identifier != source.system_identifier:
        return DirectoryRefused(
            f"'{dest.path}' belongs to the system {dest.system_identifier}, but {source.address}"
            f" is of {source.system_identifier}.",
            FORCE,
            "other_system",
        )
    return None


def _not_a_standby(dest: DataDir, source: Source) -> DirectoryRefused | None:
    if dest.standby_signal:
        return None
    if dest.recovery_signal or dest.backup_label:
        what = "set up for point-in-time recovery" if dest.recovery_signal else "a backup that never ran"
        return DirectoryRefused(f"'{dest.path}' is {what}, not a standby.", FORCE, "not_a_standby")
    why = divergence(dest, source)
    if why and dest.timeline not in _timelines(source):
        return _diverged(dest, why)
    detail = f"; {why}" if why else ""
    return DirectoryRefused(
        f"'{dest.path}' is a former primary: it has no standby.signal and its state is '{dest.cluster_state}'{detail}.",
        f"Bring it back with pg_rewind if its last writes may be lost. {FORCE}",
        "former_primary",
    )


def _diverged(dest: DataDir, why: str | None) -> DirectoryRefused | None:
    if why is None:
        return None
    return DirectoryRefused(f"'{dest.path}' has diverged: {why}.", f"pg_rewind may bring it back. {FORCE}", "diverged")


def _other_history(dest: DataDir, source: Source, differs_at: int | None) -> DirectoryRefused | None:
    if differs_at is None:
        return None
    return DirectoryRefused(
        f"'{dest.path}' has another history than {source.address} in spite of equal timelines: their WAL differs from"
        f" {format_lsn(differs_at)} on.",
        f"pgfleet.cluster.rewind in check mode lists what only it has. {FORCE}",
        "other_history",
    )


def _timelines(source: Source) -> tuple[int, ...]:
    return (*(timeline for timeline, _left in source.history), source.timeline)


def divergence(dest: DataDir, source: Source) -> str | None:
    """Why the WAL of ``dest`` is not a beginning of the source's; None when it is, as far as can be seen."""
    timeline = dest.timeline or 0
    if timeline not in _timelines(source):
        return f"its timeline {timeline} is not in the history of timeline {source.timeline} of {source.address}"
    before = tuple(entry for entry in source.history if entry[0] < timeline)
    if dest.history is not None and dest.history != before:
        return f"its timeline {timeline} began elsewhere than that of {source.address}"
    if timeline == source.timeline:
        return _ahead(dest, source)
    left = dict(source.history)[timeline]
    if dest.position > left:
        return (
            f"it is at {format_lsn(dest.position)}, but {source.address} left timeline {timeline} at {format_lsn(left)}"
        )
    if dest.cluster_state == "in production" and not dest.backup_label:
        return f"it was not shut down as a primary of timeline {timeline}, so it may be past {format_lsn(left)}"
    return None


def _ahead(dest: DataDir, source: Source) -> str | None:
    """A standby may lag behind another one that clones from it; a primary lags behind nobody.

    What pg_rewind notes as the end of recovery may not be flushed on the source yet.
    """
    if source.standby or dest.backup_label or dest.position <= source.position:
        return None
    return f"it is at {format_lsn(dest.position)}, past {source.address} at {format_lsn(source.position)}"
