# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

import json
import os

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import (
    DataDir,
    ProgramsMissing,
    find_bin_dir,
    find_server,
    inspect,
    programs_of,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.owner import SystemRefused, as_owner
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.controldata import (
    parse_controldata,
    parse_history,
)

CONTROL = """\
pg_control version number:            1300
Database system identifier:           7642011472967116994
Database cluster state:               in archive recovery
pg_control last modified:             Wed May 20 16:27:30 2026
Latest checkpoint location:           0/1500718
Latest checkpoint's TimeLineID:       1
Minimum recovery ending location:     0/3000148
Min recovery ending loc's timeline:   2
Data page checksum version:           1
"""


@pytest.mark.parametrize(
    ("installed", "wanted", "found"),
    [
        (["pg/15", "pg/17"], None, "pg/17"),
        (["pg/15", "pg/17"], 15, "pg/15"),
        (["pg/9", "pg/15"], None, "pg/15"),
        (["pg/15", "pgsql-17"], None, "pgsql-17"),
        (["pg/15", "pgsql-17"], 15, "pg/15"),
    ],
)
def test_programs_of_a_version(tmp_path, installed, wanted, found):
    for name in installed:
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin/pg_controldata").touch()
    places = (f"{tmp_path}/pg/{{}}/bin", f"{tmp_path}/pgsql-{{}}/bin")
    assert find_bin_dir(wanted, places) == f"{tmp_path}/{found}/bin"


def test_programs_of_a_directory(tmp_path):
    (tmp_path / "PG_VERSION").write_text("99\n")
    assert programs_of(str(tmp_path), "/opt/pg/bin") == "/opt/pg/bin", "what is given counts"
    with pytest.raises(ProgramsMissing) as error:
        programs_of(str(tmp_path))
    assert error.value.facts == {"needed": 99}, "and not the newest there is"


def test_control_data():
    found = parse_controldata(CONTROL)
    assert found
    assert (found.system_identifier, found.cluster_state) == ("7642011472967116994", "in archive recovery")
    assert (found.checkpoint_lsn, found.min_recovery_lsn, found.timeline) == ("0/1500718", "0/3000148", 2)
    assert found.checksums is True


@pytest.mark.parametrize(
    ("old", "new", "field", "expected"),
    [
        ("0/3000148", "0/0", "min_recovery_lsn", None),
        ("timeline:   2", "timeline:   0", "timeline", 1),
        ("version:           1", "version:           0", "checksums", False),
    ],
)
def test_control_data_that_is_not_set(old, new, field, expected):
    assert getattr(parse_controldata(CONTROL.replace(old, new)), field) == expected


@pytest.mark.parametrize(
    "text",
    ["", "pg_controldata: fatal: could not open file", CONTROL.replace("TimeLineID:       1", "TimeLineID:       ?"),
     "WARNING: Calculated CRC checksum does not match value stored in file.\n" + CONTROL],
    ids=["empty", "failed", "no number", "wrong CRC"],
)  # fmt: skip
def test_control_data_that_cannot_be_trusted(text):
    assert parse_controldata(text) is None


def test_history():
    text = "1\t0/3000148\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2026-01-01\n"
    assert parse_history(text) == ((1, 0x3000148), (2, 0x1000000A0))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (None, {"exists": False, "vacant": True}),
        ([], {"exists": True, "empty": True, "vacant": True, "foreign": False}),
        (["some.file"], {"foreign": True, "vacant": False, "unfinished": False}),
        (["PG_VERSION"], {"unfinished": True, "pg_version": 15, "foreign": False, "valid": False}),
        (["PG_VERSION", "global/pg_control"], {"unfinished": False, "valid": False, "foreign": False}),
        (["PG_VERSION", "global/pg_control", "backup_manifest.tmp"], {"unfinished": True}),
        (["PG_VERSION", "standby.signal", "backup_label"], {"standby_signal": True, "backup_label": True}),
        (["postmaster.pid"], {"server_pid": None, "stale_pid_file": True}),
    ],
    ids=["missing", "empty", "foreign", "no control file", "no valid control file", "not flushed", "signals", "stale"],
)
def test_inspect(tmp_path, files, expected):
    path = tmp_path / "data"
    if files is not None:
        path.mkdir()
    for file in files or ():
        (path / file).parent.mkdir(exist_ok=True)
        (path / file).write_text("15\n")
    found = inspect(str(path), "/nowhere")
    assert {name: getattr(found, name) for name in expected} == expected


def test_inspect_a_file(tmp_path):
    (tmp_path / "data").touch()
    found = inspect(str(tmp_path / "data"), "/nowhere")
    assert found.exists and not found.is_directory and found.foreign


def test_position_is_the_furthest_one():
    assert DataDir("/d", checkpoint_lsn="0/10", min_recovery_lsn="0/20").position == 0x20
    assert DataDir("/d").position == 0


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        (None, (None, None)),
        ({"kind": "clone", "phase": "swapping"}, ("swapping", "clone")),
        ({"kind": "clone", "dest": "/somewhere/else"}, (None, None)),
        ("not json", (None, None)),
    ],
    ids=["none", "ours", "of another directory", "broken"],
)
def test_note_of_unfinished_work(tmp_path, note, expected):
    dest = str(tmp_path / "data")
    if note is not None:
        text = json.dumps({"dest": dest, **note}) if isinstance(note, dict) else note
        (tmp_path / "data.incoming.pgfleet").write_text(text)
    found = inspect(dest, "/nowhere")
    assert (found.incoming, found.incoming_kind) == expected
    assert not found.incoming_there
    (tmp_path / "data.incoming").mkdir()
    assert inspect(dest, "/nowhere").incoming_there == (expected != (None, None))


@pytest.mark.parametrize("number", [os.getpid(), 1, 2**22 + 1], ids=["a python", "init", "nobody"])
def test_a_process_that_is_not_a_postgres_is_no_server(tmp_path, number):
    (tmp_path / "postmaster.pid").write_text(f"{number}\n{tmp_path}\n")
    assert find_server(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(13, "Permission denied", "/x"), "not_permitted"),
        (OSError(28, "No space left on device", "/x"), "not_enough_space"),
        (OSError(5, "Input/output error", "/x"), "os_error"),
    ],
    ids=["permission", "space", "other"],
)
def test_what_the_system_refuses_is_named(monkeypatch, error, code):
    monkeypatch.setattr(os, "geteuid", lambda: 101)
    with pytest.raises(SystemRefused) as refused, as_owner():
        raise error
    assert refused.value.code == code


def test_root_is_refused(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(SystemRefused) as refused, as_owner():
        pass
    assert refused.value.code == "run_as_root"
