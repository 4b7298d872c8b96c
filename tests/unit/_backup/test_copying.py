"""Command lines of pg_basebackup, pg_combinebackup and cp, and the note beside a set."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.copying import (
    Range,
    combine_command,
    copy_command,
    note_of,
    read_note,
    take_command,
    wal_ranges,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.tests.unit._backup.make import a_set

PAIRS = {"user": "postgres", "host": "/run/a b"}


def test_a_full_backup() -> None:
    assert take_command("/pg/bin", PAIRS, "/r/backups/L.incoming", "L", {16391: "/ts/a=b"}) == [
        "/pg/bin/pg_basebackup",
        "--pgdata=/r/backups/L.incoming/data",
        "--dbname=user=postgres host='/run/a b'",
        "--format=plain",
        "--wal-method=stream",
        "--checkpoint=fast",
        "--label=L",
        "--no-password",
        "--verbose",
        "--tablespace-mapping=/ts/a\\=b=/r/backups/L.incoming/tablespaces/16391",
    ]


def test_an_incremental_backup_names_the_manifest_of_its_parent() -> None:
    command = take_command("/pg/bin", PAIRS, "/r/backups/M.incoming", "M", {}, "/r/backups/L")
    assert command[-1] == "--incremental=/r/backups/L/data/backup_manifest"


def test_combine() -> None:
    assert combine_command("/pg/bin", ["/r/L", "/r/M"], "/d", {"/r/M/tablespaces/1": "/srv/1"}) == [
        "/pg/bin/pg_combinebackup",
        "--output=/d",
        "--tablespace-mapping=/r/M/tablespaces/1=/srv/1",
        "/r/L/data",
        "/r/M/data",
    ]


def test_copy() -> None:
    assert copy_command("/r/L/data", "/d") == ["cp", "--archive", "--reflink=auto", "--", "/r/L/data/.", "/d"]


def test_wal_ranges() -> None:
    manifest = (
        '"WAL-Ranges": [\n{ "Timeline": 2, "Start-LSN": "0/B000028", "End-LSN": "0/B000100" },\n'
        '{ "Timeline": 1, "Start-LSN": "0/A000028", "End-LSN": "0/B000028" }\n],'
    )
    assert wal_ranges(manifest) == [Range(2, 0xB000028, 0xB000100), Range(1, 0xA000028, 0xB000028)]
    with pytest.raises(PgFleetError):
        wal_ranges("")


def test_a_note_is_read_as_it_was_written() -> None:
    backup = a_set("L", 3)
    assert read_note(note_of(backup, {16391: "/ts"}), "/r/L/backup.json") == (backup, {16391: "/ts"})


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"tablespaces": {}}', '{"tablespaces": {}, "label": "x", "more": 1}']
)
def test_what_is_no_note(text: str) -> None:
    with pytest.raises(PgFleetError) as raised:
        read_note(text, "/r/L/backup.json")
    assert raised.value.code == "repository_damaged"
