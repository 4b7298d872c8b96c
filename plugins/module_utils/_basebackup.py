# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a data directory is a clone of a server, may be made one, or must be left alone. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ._controldata import History
from ._datadir import DataDir
from ._errors import MissingFeature, PgFleetError
from ._lsn import format_lsn

OLDEST_MAJOR = 14
FORCE = "Look at what is there; force: true sets it aside under a dated name and clones."
KEPT, CLONED, REPLACED = "kept", "cloned", "replaced"


class CloneRefused(PgFleetError):
    """The directory is in a state in which it must not become a clone; ``code`` says which."""

    code = "clone_refused"


@dataclass(frozen=True)
class Source:
    """The server to clone from. ``history`` are the timelines before its present one."""

    address: str
    version: int
    system_identifier: str
    timeline: int
    position: int
    history: History = ()
    standby: bool = False

    @property
    def major(self) -> int:
        return self.version // 10000


@dataclass(frozen=True)
class Beside:
    """A directory outside ``dest`` that the clone needs: of the WAL, or of a tablespace."""

    path: str
    option: str
    vacant: bool = True
    is_mount_point: bool = False
    used_by_dest: bool = False
    strange_incoming: bool = False


@dataclass(frozen=True)
class CloneFacts:
    """All that the decision rests on. ``strange_incoming``: what lies at ``<dest>.incoming`` is not ours."""

    dest: DataDir
    source: Source
    bin_version: int
    strange_incoming: bool = False
    besides: tuple[Beside, ...] = ()


@dataclass(frozen=True)
class ClonePlan:
    """What is to be done, why, and the same as a sentence. ``finish``: only the renames of an earlier run are left."""

    action: str
    reason: str
    sentence: str
    finish: bool = False

    @property
    def changed(self) -> bool:
        return self.action != KEPT


def plan_clone(facts: CloneFacts, force: bool = False, rebuild: bool = False) -> ClonePlan:
    """What to do about the destination; raises CloneRefused for what must be left alone.

    ``force`` replaces what would be refused, ``rebuild`` also what would be kept. Neither takes a directory away
    from a running server, and neither touches what lies in the way of the work itself.
    """
    dest = facts.dest
    _check_versions(facts)
    if dest.incoming == "swapping":
        return ClonePlan(
            CLONED, "finish_swap", f"A verified clone of an earlier run waits to become '{dest.path}'.", True
        )
    problem = None if dest.vacant else find_problem(dest, facts.source)
    if not dest.vacant and problem is None and not rebuild:
        return ClonePlan(KEPT, "is_standby", f"'{dest.path}' is a standby of the system at {facts.source.address}.")
    _refuse_running(dest, problem)
    _refuse_obstacles(facts, force)
    if dest.vacant:
        return ClonePlan(CLONED, *_why_vacant(dest))
    if problem is None:
        return ClonePlan(REPLACED, "rebuild", f"'{dest.path}' is a standby, and rebuild was asked for.")
    if not force:
        raise problem
    return ClonePlan(REPLACED, problem.code, problem.message)


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
        raise CloneRefused(
            f"{source.address} runs PostgreSQL {source.major}, but the programs in bin_dir are of"
            f" {facts.bin_version}: they could not run the clone.",
            f"Install PostgreSQL {source.major} here, or give its bin_dir.",
            "version_mismatch",
        )


def _why_vacant(dest: DataDir) -> tuple[str, str]:
    if dest.incoming:
        return "unfinished_clone", f"An earlier clone into '{dest.path}' did not come to its end."
    return ("empty", f"'{dest.path}' is empty.") if dest.exists else ("missing", f"'{dest.path}' does not exist.")


def _refuse_running(dest: DataDir, problem: CloneRefused | None) -> None:
    if dest.server_pid is None:
        return
    what = f" ({problem.message})" if problem else ""
    raise CloneRefused(
        f"A server runs in '{dest.path}', process {dest.server_pid}{what}.",
        "Stop it first, if it is not the wrong directory altogether.",
        "server_running",
        server_pid=dest.server_pid,
    )


def _refuse_obstacles(facts: CloneFacts, force: bool) -> None:
    dest = facts.dest
    if dest.exists and not dest.is_directory:
        raise CloneRefused(
            f"'{dest.path}' is not a directory.", "Move it away, or give another dest.", "not_a_directory"
        )
    if dest.is_mount_point:
        raise _mount_point(dest.path, "dest")
    if facts.strange_incoming:
        raise _strange_incoming(dest.path)
    for beside in facts.besides:
        if beside.is_mount_point:
            raise _mount_point(beside.path, beside.option)
        if beside.strange_incoming:
            raise _strange_incoming(beside.path)
        if not (beside.vacant or beside.used_by_dest or force):
            raise CloneRefused(
                f"'{beside.path}' ({beside.option}) has files in it that do not belong to '{dest.path}'.",
                FORCE,
                "not_empty",
            )


def _mount_point(path: str, option: str) -> CloneRefused:
    return CloneRefused(
        f"'{path}' ({option}) is a mount point: a finished clone cannot be renamed over it.",
        f"Give a directory below it, such as '{path}/data'.",
        "mount_point",
    )


def _strange_incoming(path: str) -> CloneRefused:
    return CloneRefused(
        f"'{path}.incoming' exists and was not made by this collection.", "Move it away.", "incoming_foreign"
    )


def find_problem(dest: DataDir, source: Source) -> CloneRefused | None:
    """Why a directory that is not vacant is not a standby of this source; None when it is one."""
    return (
        _not_a_cluster(dest)
        or _other_cluster(dest, source)
        or _not_a_standby(dest, source)
        or _diverged(dest, divergence(dest, source))
    )


def _not_a_cluster(dest: DataDir) -> CloneRefused | None:
    if not dest.is_directory:
        return CloneRefused(
            f"'{dest.path}' is not a directory.", "Move it away, or give another dest.", "not_a_directory"
        )
    if dest.unfinished:
        return CloneRefused(f"'{dest.path}' holds an unfinished copy that is not ours.", FORCE, "unfinished_copy")
    if dest.foreign:
        return CloneRefused(f"'{dest.path}' has files in it that are not those of a cluster.", FORCE, "foreign_files")
    if not dest.valid:
        return CloneRefused(f"The control file in '{dest.path}' cannot be read.", FORCE, "unreadable_control_file")
    return None


def _other_cluster(dest: DataDir, source: Source) -> CloneRefused | None:
    if dest.pg_version != source.major:
        return CloneRefused(
            f"'{dest.path}' is of PostgreSQL {dest.pg_version}, but {source.address} runs {source.major}.",
            FORCE,
            "version_mismatch",
        )
    if dest.system_identifier != source.system_identifier:
        return CloneRefused(
            f"'{dest.path}' belongs to the system {dest.system_identifier}, but {source.address}"
            f" is of {source.system_identifier}.",
            FORCE,
            "other_system",
        )
    return None


def _not_a_standby(dest: DataDir, source: Source) -> CloneRefused | None:
    if dest.standby_signal:
        return None
    if dest.recovery_signal or dest.backup_label:
        what = "set up for point-in-time recovery" if dest.recovery_signal else "a backup that never ran"
        return CloneRefused(f"'{dest.path}' is {what}, not a standby.", FORCE, "not_a_standby")
    why = divergence(dest, source)
    if why and dest.timeline not in _timelines(source):
        return _diverged(dest, why)
    detail = f"; {why}" if why else ""
    return CloneRefused(
        f"'{dest.path}' is a former primary: it has no standby.signal and its state is '{dest.cluster_state}'{detail}.",
        f"Bring it back with pg_rewind if its last writes may be lost. {FORCE}",
        "former_primary",
    )


def _diverged(dest: DataDir, why: str | None) -> CloneRefused | None:
    if why is None:
        return None
    return CloneRefused(f"'{dest.path}' has diverged: {why}.", f"pg_rewind may bring it back. {FORCE}", "diverged")


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
    """A standby may lag behind another one that clones from it; a primary lags behind nobody."""
    if source.standby or dest.position <= source.position:
        return None
    return f"it is at {format_lsn(dest.position)}, past {source.address} at {format_lsn(source.position)}"
