# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a directory that was restored beside a living one may take its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.note import Note, Wanted
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.prepared import plan_prepared
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.target import parse_target

LSN, END = parse_target("lsn", "0/5000000"), parse_target("latest", "")
LIVING = DataDir("/d", exists=True, is_directory=True, pg_version=15, valid=True, system_identifier="700")
BESIDE = replace(LIVING, path="/d.pitr", recovery_signal=True)
GONE = DataDir("/d")
SIDE = Note("/d.pitr", 7, "side", {"label": "first"}, LSN.as_noted, 1, "shutdown", 5432, "/d.pitr")
SHUT = replace(SIDE, reached={"lsn": "0/5000000", "time": None, "timeline": 1, "state": "shut_down"})
HALF_PUT = replace(SHUT, dest="/d", mode="files", action="promote", reached=None)
STANDBY = replace(SIDE, mode="standby", target=END.as_noted, port=None)
FILES, FOLLOW = Wanted("files", LSN, "promote"), Wanted("standby", END, "promote")


def on(dest: DataDir) -> DataDir:
    return replace(dest, server_pid=11)


# the living directory, the one beside it and its note, what is wanted, and the action with its reason, or the code of the refusal
CASES: dict[str, tuple[DataDir, DataDir, Note | None, Wanted, str]] = {
    "recovered and shut down": (LIVING, BESIDE, SHUT, FILES, "replaced prepared"),
    "a standby": (LIVING, BESIDE, STANDBY, FOLLOW, "replaced prepared"),
    "killed before it was renamed": (LIVING, BESIDE, HALF_PUT, FILES, "replaced prepared"),
    "nothing in its place": (GONE, BESIDE, SHUT, FILES, "replaced prepared"),
    "nothing beside": (LIVING, GONE, None, FILES, "not_prepared"),
    "not at its target": (LIVING, BESIDE, SIDE, FILES, "not_prepared"),
    "paused": (LIVING, BESIDE, replace(SHUT, reached={"state": "paused"}), FILES, "not_prepared"),
    "a side server for a standby": (LIVING, BESIDE, SHUT, FOLLOW, "not_prepared"),
    "a standby for a server": (LIVING, BESIDE, STANDBY, FILES, "not_prepared"),
    "another target": (LIVING, BESIDE, SHUT, replace(FILES, target=parse_target("xid", "739")), "other_restore"),
    "another set": (LIVING, BESIDE, SHUT, replace(FILES, label="second"), "other_restore"),
    "another timeline": (LIVING, BESIDE, SHUT, replace(FILES, timeline=2), "other_restore"),
    "a server in it": (LIVING, on(BESIDE), SHUT, FILES, "server_running"),
    "a server in its place": (on(LIVING), BESIDE, SHUT, FILES, "server_running"),
    "another cluster": (replace(LIVING, system_identifier="701"), BESIDE, SHUT, FILES, "other_system"),
}


@pytest.mark.parametrize(("dest", "beside", "note", "wanted", "expected"), CASES.values(), ids=CASES.keys())
def test_plan(dest: DataDir, beside: DataDir, note: Note | None, wanted: Wanted, expected: str) -> None:
    try:
        plan = plan_prepared(dest, beside, note, wanted)
        found = f"{plan.action} {plan.reason}"
    except PgFleetError as error:
        found = error.code
    assert found == expected
