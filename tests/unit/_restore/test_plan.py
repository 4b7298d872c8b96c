# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What is done about a directory, from what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.place import Place
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.note import Note, Wanted, read_note
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.plan import Running, plan_absent, plan_present
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.target import parse_target

LSN = parse_target("lsn", "0/5000000")
WANTED = Wanted("side", LSN, "promote", None, None, 5432, "/d")
MISSING = DataDir("/d")
EMPTY = DataDir("/d", exists=True, empty=True, is_directory=True)
RESTORED = replace(EMPTY, empty=False, pg_version=15, valid=True, system_identifier="700", recovery_signal=True)
PROMOTED = replace(RESTORED, recovery_signal=False)
FOREIGN = replace(EMPTY, empty=False)
PAUSED_THERE = {"lsn": "0/5000000", "time": None, "timeline": 1, "state": "paused"}
NOTE = Note("/d", 7, "side", {"label": "first"}, LSN.as_noted, 1, "promote", 5432, "/d")
AT_TARGET = replace(NOTE, reached=PAUSED_THERE)
DONE = replace(NOTE, reached={**PAUSED_THERE, "state": "promoted"})
SHUT = replace(NOTE, reached={**PAUSED_THERE, "state": "shut_down"})
FILES = replace(NOTE, mode="files", port=None, socket_directory="")
WANTED_FILES = Wanted("files", LSN, "promote")
UP, RECOVERING, PAUSED = Running(False), Running(True), Running(True, True)


def on(dest: DataDir) -> DataDir:
    return replace(dest, server_pid=11)


# what is there, its note, what is wanted, what its server says, and the action with its reason, or the code of the refusal
CASES: dict[str, tuple[DataDir, Note | None, Wanted, Running | None, str]] = {
    "missing": (MISSING, None, WANTED, None, "restored missing"),
    "empty": (EMPTY, None, WANTED, None, "restored empty"),
    "our unfinished restore": (
        replace(MISSING, incoming="copying", incoming_kind="restore"), None, WANTED, None, "restored unfinished_restore",
    ),
    "waits for its rename": (replace(MISSING, incoming="swapping"), None, WANTED, None, "restored finish_swap"),
    "mount point": (replace(EMPTY, is_mount_point=True), None, WANTED, None, "mount_point"),
    "files": (FOREIGN, None, WANTED, None, "not_empty"),
    "a stopped cluster": (PROMOTED, None, WANTED, None, "not_empty"),
    "a living cluster": (on(PROMOTED), None, WANTED, None, "live_directory"),
    "a file": (DataDir("/d", exists=True), None, WANTED, None, "not_a_directory"),
    "another target": (RESTORED, NOTE, replace(WANTED, target=parse_target("xid", "739")), None, "other_restore"),
    "another set": (RESTORED, NOTE, replace(WANTED, label="second"), None, "other_restore"),
    "the same set by its label": (on(PROMOTED), DONE, replace(WANTED, label="first", timeline=1), UP, "kept is_restored"),
    "another timeline": (RESTORED, NOTE, replace(WANTED, timeline=2), None, "other_restore"),
    "another mode": (RESTORED, NOTE, WANTED_FILES, None, "other_restore"),
    "killed before its server was started": (RESTORED, NOTE, WANTED, None, "recovered unfinished_recovery"),
    "killed while it recovered": (on(RESTORED), NOTE, WANTED, RECOVERING, "recovered unfinished_recovery"),
    "killed after its promotion": (on(PROMOTED), NOTE, WANTED, UP, "recovered unfinished_recovery"),
    "promoted": (on(PROMOTED), DONE, WANTED, UP, "kept is_restored"),
    "promoted and stopped": (PROMOTED, DONE, WANTED, None, "started stopped"),
    "promoted, and a pause is wanted": (on(PROMOTED), DONE, replace(WANTED, action="pause"), UP, "already_promoted"),
    "paused": (on(RESTORED), AT_TARGET, replace(WANTED, action="pause"), PAUSED, "kept is_restored"),
    "paused, to be promoted": (on(RESTORED), AT_TARGET, WANTED, PAUSED, "promoted paused"),
    "paused, to be shut down": (on(RESTORED), AT_TARGET, replace(WANTED, action="shutdown"), PAUSED, "stopped paused"),
    "paused and stopped": (RESTORED, AT_TARGET, replace(WANTED, action="pause"), None, "started stopped"),
    "paused and stopped, to be promoted": (RESTORED, AT_TARGET, WANTED, None, "promoted not_promoted"),
    "paused, started again and on its way": (
        on(RESTORED), AT_TARGET, replace(WANTED, action="pause"), RECOVERING, "recovered unfinished_recovery",
    ),
    "shut down": (RESTORED, SHUT, replace(WANTED, action="shutdown"), None, "kept is_restored"),
    "shut down, to be promoted": (RESTORED, SHUT, WANTED, None, "promoted not_promoted"),
    "runs on another port": (on(PROMOTED), DONE, replace(WANTED, port=5433), UP, "other_restore"),
    "stopped, for another port": (PROMOTED, DONE, replace(WANTED, port=5433), None, "started stopped"),
    "files, not started": (RESTORED, FILES, WANTED_FILES, None, "kept not_started"),
    "files, recovering": (on(RESTORED), FILES, WANTED_FILES, RECOVERING, "recovered not_seen_recovered"),
    "files, recovered and stopped": (PROMOTED, FILES, WANTED_FILES, None, "recovered not_seen_recovered"),
    "files, seen recovered": (
        on(PROMOTED), replace(FILES, reached=DONE.reached), WANTED_FILES, UP, "kept is_restored",
    ),
    "standby": (
        RESTORED, replace(FILES, mode="standby", target=parse_target("latest", "").as_noted),
        Wanted("standby", parse_target("latest", ""), "promote"), None, "kept is_restored",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("dest", "note", "wanted", "running", "expected"), CASES.values(), ids=CASES)
def test_present(dest: DataDir, note: Note | None, wanted: Wanted, running: Running | None, expected: str) -> None:
    try:
        plan = plan_present(Place(dest), note, wanted, running)
        found = f"{plan.action} {plan.reason}"
    except PgFleetError as refused:
        found = refused.code if refused.remedy else "no remedy"
    assert found == expected


ABSENT: dict[str, tuple[DataDir, Note | None, str]] = {
    "missing": (MISSING, None, "kept missing"),
    "empty": (EMPTY, None, "kept missing"),
    "unfinished": (replace(MISSING, incoming="copying", incoming_kind="restore"), None, "removed unfinished_restore"),
    "unfinished clone of somebody else": (
        replace(MISSING, incoming="copying", incoming_kind="clone"),
        None,
        "kept missing",
    ),
    "side": (PROMOTED, DONE, "removed present"),
    "running side": (on(PROMOTED), DONE, "removed present"),
    "files": (RESTORED, FILES, "not_a_side_directory"),
    "not ours": (PROMOTED, None, "not_a_side_directory"),
}


@pytest.mark.parametrize(("dest", "note", "expected"), ABSENT.values(), ids=ABSENT)
def test_absent(dest: DataDir, note: Note | None, expected: str) -> None:
    try:
        plan = plan_absent(Place(dest), note)
        found = f"{plan.action} {plan.reason}"
    except PgFleetError as refused:
        found = refused.code
    assert found == expected


@pytest.mark.parametrize(
    ("text", "dest", "inode", "expected"),
    [
        (DONE.text, "/d", 7, DONE),
        (DONE.text, "/copy", 7, None),
        (DONE.text, "/d", 8, None),
        ("", "/d", 7, None),
        ("[]", "/d", 7, None),
        ('{"dest": "/d"}', "/d", 7, None),
    ],
    ids=["ours", "a copy elsewhere", "a copy in its place", "none", "no note", "half a note"],
)
def test_a_note_is_about_one_directory(text: str, dest: str, inode: int, expected: Any) -> None:
    assert read_note(text, dest, inode) == expected
