# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._clone.plan import CloneFacts, plan_clone
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.place import Beside, Place
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.source import Source

PRIMARY = Source("primary:5432", 150004, "700", timeline=1, position=0x5000000)
#: The same system after two failovers: timeline 1 was left at 0/3000000, timeline 2 at 0/4000000.
THIRD = replace(PRIMARY, timeline=3, history=((1, 0x3000000), (2, 0x4000000)))

MISSING = DataDir("/d")
EMPTY = DataDir("/d", exists=True, empty=True, is_directory=True)
FILES = replace(EMPTY, empty=False)
STANDBY = replace(
    FILES, pg_version=15, valid=True, system_identifier="700", timeline=1, history=(),
    cluster_state="shut down in recovery", checkpoint_lsn="0/2000000", min_recovery_lsn="0/2800000", standby_signal=True,
)  # fmt: skip
FRESH_CLONE = replace(STANDBY, cluster_state="in production", min_recovery_lsn=None, backup_label=True)
OLD_PRIMARY = replace(STANDBY, cluster_state="shut down", min_recovery_lsn=None, standby_signal=False)
UNFINISHED = replace(FILES, pg_version=15, unfinished=True)

# name: what is there, the source, action (or None when refused), reason (or code of the refusal)
CASES = {
    "missing": (MISSING, PRIMARY, "cloned", "missing"),
    "empty": (EMPTY, PRIMARY, "cloned", "empty"),
    "our unfinished clone": (
        replace(MISSING, incoming="copying", incoming_kind="clone"), PRIMARY, "cloned", "unfinished_clone",
    ),
    "our unfinished cluster": (
        replace(MISSING, incoming="copying", incoming_kind="cluster"), PRIMARY, "cloned", "unfinished_cluster",
    ),
    "our clone waits for its renames": (replace(MISSING, incoming="swapping"), PRIMARY, "cloned", "finish_swap"),
    "renames cut short beside an old directory": (
        replace(OLD_PRIMARY, incoming="swapping"), PRIMARY, "cloned", "finish_swap",
    ),
    "renames cut short, and the old server was started": (
        replace(OLD_PRIMARY, incoming="swapping", incoming_there=True, server_pid=7), PRIMARY, None, "server_running",
    ),
    "renames done but for the note, and the new server was started": (
        replace(STANDBY, incoming="swapping", server_pid=7), PRIMARY, "cloned", "finish_swap",
    ),
    "standby": (STANDBY, PRIMARY, "kept", "is_standby"),
    "running standby": (replace(STANDBY, server_pid=7), PRIMARY, "kept", "is_standby"),
    "standby with a stale pid file": (replace(STANDBY, stale_pid_file=True), PRIMARY, "kept", "is_standby"),
    "standby on a mount point": (replace(STANDBY, is_mount_point=True), PRIMARY, "kept", "is_standby"),
    "fresh clone": (FRESH_CLONE, PRIMARY, "kept", "is_standby"),
    "fresh clone of an earlier timeline": (FRESH_CLONE, THIRD, "kept", "is_standby"),
    "standby beside a leftover of ours": (replace(STANDBY, incoming="copying"), PRIMARY, "kept", "is_standby"),
    "standby from before the fork": (STANDBY, THIRD, "kept", "is_standby"),
    "standby exactly at the fork": (replace(STANDBY, checkpoint_lsn="0/3000000"), THIRD, "kept", "is_standby"),
    "standby past the fork": (replace(STANDBY, checkpoint_lsn="0/3000001"), THIRD, None, "diverged"),
    "standby that replayed past the fork": (replace(STANDBY, min_recovery_lsn="0/3000001"), THIRD, None, "diverged"),
    "standby past the first fork on the second timeline": (
        replace(STANDBY, timeline=2, history=((1, 0x3000000),), min_recovery_lsn="0/3800000"), THIRD, "kept", "is_standby",
    ),
    "standby of a second timeline that began elsewhere": (
        replace(STANDBY, timeline=2, history=((1, 0x2900000),)), THIRD, None, "diverged",
    ),
    "standby of the same timeline that began elsewhere": (
        replace(STANDBY, timeline=3, history=((1, 0x3000000), (2, 0x3900000))), THIRD, None, "diverged",
    ),
    "standby whose history is unknown": (replace(STANDBY, timeline=3, history=None), THIRD, "kept", "is_standby"),
    "standby of a later timeline": (replace(STANDBY, timeline=2, history=((1, 0x2000000),)), PRIMARY, None, "diverged"),
    "standby of a timeline that was never there": (replace(STANDBY, timeline=4, history=None), THIRD, None, "diverged"),
    "standby ahead of the primary": (replace(STANDBY, min_recovery_lsn="0/5000001"), PRIMARY, None, "diverged"),
    "standby ahead of the standby it is to follow": (
        replace(STANDBY, min_recovery_lsn="0/5000001"), replace(PRIMARY, standby=True), "kept", "is_standby",
    ),
    "crashed primary with standby.signal": (
        replace(STANDBY, cluster_state="in production", min_recovery_lsn=None), THIRD, None, "diverged",
    ),
    "former primary": (OLD_PRIMARY, THIRD, None, "former_primary"),
    "former primary past the fork": (replace(OLD_PRIMARY, checkpoint_lsn="0/3000001"), THIRD, None, "former_primary"),
    "primary of the same timeline": (OLD_PRIMARY, PRIMARY, None, "former_primary"),
    "promoted standby": (replace(OLD_PRIMARY, timeline=2, history=((1, 0x2000000),)), PRIMARY, None, "diverged"),
    "running primary": (replace(OLD_PRIMARY, server_pid=7), THIRD, None, "server_running"),
    "point-in-time recovery": (replace(OLD_PRIMARY, recovery_signal=True), PRIMARY, None, "not_a_standby"),
    "backup that never ran": (replace(FRESH_CLONE, standby_signal=False), PRIMARY, None, "not_a_standby"),
    "other system": (replace(STANDBY, system_identifier="701"), PRIMARY, None, "other_system"),
    "running server of another system": (
        replace(STANDBY, system_identifier="701", server_pid=7), PRIMARY, None, "server_running",
    ),
    "other major version": (replace(STANDBY, pg_version=14), PRIMARY, None, "version_mismatch"),
    "foreign files": (FILES, PRIMARY, None, "foreign_files"),
    "file": (replace(FILES, is_directory=False), PRIMARY, None, "not_a_directory"),
    "somebody else's unfinished copy": (UNFINISHED, PRIMARY, None, "unfinished_copy"),
    "copy that was not flushed": (replace(STANDBY, unfinished=True), PRIMARY, None, "unfinished_copy"),
    "broken control file": (replace(FILES, pg_version=15), PRIMARY, None, "unreadable_control_file"),
    "empty mount point": (replace(EMPTY, is_mount_point=True), PRIMARY, None, "mount_point"),
    "source of PostgreSQL 13": (MISSING, replace(PRIMARY, version=130000), None, "missing_feature"),
    "source newer than the programs": (MISSING, replace(PRIMARY, version=170000), None, "version_mismatch"),
}  # fmt: skip

#: These stay refused whatever is allowed.
NEVER = {
    "renames cut short, and the old server was started",
    "running primary", "running server of another system", "file", "empty mount point", "source of PostgreSQL 13",
    "source newer than the programs",
}  # fmt: skip


def plan(dest, source=PRIMARY, besides=(), strange=False, **allowed):
    return plan_clone(CloneFacts(Place(dest, strange, besides), source, bin_version=15), **allowed)


def refusal(dest, source=PRIMARY, **more):
    with pytest.raises(PgFleetError) as refused:
        plan(dest, source, **more)
    assert refused.value.remedy
    return refused.value.code


@pytest.mark.parametrize(("dest", "source", "action", "reason"), CASES.values(), ids=CASES)
def test_decision(dest, source, action, reason):
    if action is None:
        assert refusal(dest, source) == reason
    else:
        made = plan(dest, source)
        assert (made.action, made.reason) == (action, reason)
        assert made.changed == (action != "kept")


@pytest.mark.parametrize("name", CASES)
def test_force_replaces_what_was_refused_and_nothing_else(name):
    dest, source, action, reason = CASES[name]
    if name in NEVER:
        assert refusal(dest, source, force=True) == reason
    else:
        made = plan(dest, source, force=True)
        assert (made.action, made.reason) == (action or "replaced", reason)


@pytest.mark.parametrize(
    ("dest", "code"),
    [(STANDBY, "other_history"), (replace(STANDBY, server_pid=7), "server_running"), (OLD_PRIMARY, "former_primary")],
    ids=["standby", "running standby", "former primary"],
)
def test_wal_that_differs_although_the_timelines_are_equal(dest, code):
    facts = CloneFacts(Place(dest, False, ()), PRIMARY, bin_version=15, differs_at=0x2000000)
    with pytest.raises(PgFleetError) as refused:
        plan_clone(facts)
    assert refused.value.code == code
    if dest.server_pid is None:
        assert plan_clone(facts, force=True).reason == code
    else:
        assert "0/2000000" in str(refused.value)


@pytest.mark.parametrize(
    ("dest", "expected"),
    [
        (STANDBY, ("replaced", "rebuild")),
        (MISSING, ("cloned", "missing")),
        (replace(STANDBY, server_pid=7), "server_running"),
        (replace(STANDBY, is_mount_point=True), "mount_point"),
        (OLD_PRIMARY, "former_primary"),
    ],
    ids=["standby", "missing", "running standby", "mount point", "former primary"],
)
def test_rebuild(dest, expected):
    if isinstance(expected, str):
        assert refusal(dest, rebuild=True) == expected
    else:
        made = plan(dest, rebuild=True)
        assert (made.action, made.reason) == expected


@pytest.mark.parametrize(
    ("beside", "expected", "forced"),
    [
        (Beside("/w", "wal_dir"), None, None),
        (Beside("/w", "wal_dir", vacant=False), "not_empty", None),
        (Beside("/w", "wal_dir", vacant=False, used_by_dest=True), None, None),
        (Beside("/w", "wal_dir", is_mount_point=True), "mount_point", "mount_point"),
        (Beside("/w", "wal_dir", strange_incoming=True), "incoming_foreign", "incoming_foreign"),
    ],
    ids=["vacant", "with files", "of the directory itself", "mount point", "strange incoming"],
)
def test_directories_outside(beside, expected, forced):
    for force, code in ((False, expected), (True, forced)):
        if code:
            assert refusal(MISSING, besides=(beside,), force=force) == code
        else:
            assert plan(MISSING, besides=(beside,), force=force).action == "cloned"


def test_plan_says_that_the_wal_stays_outside():
    facts = CloneFacts(Place(STANDBY), PRIMARY, bin_version=15, kept_wal_dir="/srv/wal")
    assert "Its WAL stays outside of it, in '/srv/wal'." in plan_clone(facts, rebuild=True).sentence


def test_strange_incoming_is_never_touched_and_does_not_matter_to_a_standby():
    assert refusal(MISSING, strange=True, force=True) == "incoming_foreign"
    assert plan(STANDBY, strange=True).action == "kept"
