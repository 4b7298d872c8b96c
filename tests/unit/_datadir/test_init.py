# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.init import InitOptions, init_command, plan_init
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.place import Beside, Place
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError

MISSING = Place(DataDir("/d"))
EMPTY = Place(DataDir("/d", exists=True, empty=True, is_directory=True))
FILES = DataDir("/d", exists=True, is_directory=True)
CLUSTER = replace(FILES, pg_version=15, valid=True, system_identifier="700", cluster_state="shut down")
OPTIONS = InitOptions("C.UTF-8", "UTF8", True, "postgres", "peer", "scram-sha-256")

CASES = {
    "missing": (MISSING, "created", "missing"),
    "empty": (EMPTY, "created", "empty"),
    "our unfinished cluster": (
        Place(replace(MISSING.dest, incoming="copying", incoming_kind="cluster")), "created", "unfinished_cluster",
    ),
    "waits for its renames": (Place(replace(MISSING.dest, incoming="swapping")), "created", "finish_swap"),
    "waits for its renames, and another server was started": (
        Place(replace(CLUSTER, incoming="swapping", incoming_there=True, server_pid=7)), None, "server_running",
    ),
    "primary": (Place(CLUSTER), "kept", "is_cluster"),
    "running primary": (Place(replace(CLUSTER, server_pid=7)), "kept", "is_cluster"),
    "standby": (Place(replace(CLUSTER, standby_signal=True)), "kept", "is_cluster"),
    "cluster on a mount point": (Place(replace(CLUSTER, is_mount_point=True)), "kept", "is_cluster"),
    "other version": (Place(replace(CLUSTER, pg_version=14)), None, "version_mismatch"),
    "foreign files": (Place(FILES), None, "foreign_files"),
    "unfinished copy": (Place(replace(FILES, pg_version=15, unfinished=True)), None, "unfinished_copy"),
    "broken control file": (Place(replace(FILES, pg_version=15)), None, "unreadable_control_file"),
    "file": (Place(replace(FILES, is_directory=False)), None, "not_a_directory"),
    "mount point": (Place(replace(EMPTY.dest, is_mount_point=True)), None, "mount_point"),
    "strange incoming": (replace(MISSING, strange_incoming=True), None, "incoming_foreign"),
    "files in the WAL directory": (
        replace(MISSING, besides=(Beside("/w", "wal_dir", vacant=False),)), None, "not_empty",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("place", "action", "reason"), CASES.values(), ids=CASES)
def test_decision(place, action, reason):
    if action is None:
        with pytest.raises(PgFleetError) as refused:
            plan_init(place, 15)
        assert refused.value.code == reason and refused.value.remedy
        assert "force" not in refused.value.remedy
    else:
        plan = plan_init(place, 15)
        assert (plan.action, plan.reason, plan.changed) == (action, reason, action == "created")


@pytest.mark.parametrize(
    ("version", "more", "present", "absent"),
    [
        (15, {}, "--data-checksums", "--waldir=/w.incoming"),
        (15, {"data_checksums": False}, "--auth-local=peer", "--no-data-checksums"),
        (18, {"data_checksums": False}, "--no-data-checksums", "--data-checksums"),
        (15, {"wal_segment_size": 64}, "--wal-segsize=64", "--no-data-checksums"),
    ],
)
def test_command(version, more, present, absent):
    words = init_command("/bin", version, "/d.incoming", "", replace(OPTIONS, **more))
    assert words[:2] == ["/bin/initdb", "--pgdata=/d.incoming"]
    assert present in words and absent not in words


def test_command_with_wal_directory():
    assert "--waldir=/w.incoming" in init_command("/bin", 15, "/d.incoming", "/w", OPTIONS)
