"""Names of WAL files, both ways."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.names import WalFile, parse_wal_name, wal_name

MB = 1 << 20
NAMES = [
    ("000000010000000000000001", 16, WalFile(1, 1)),
    ("0000000A00000001000000FF", 16, WalFile(10, 511)),
    ("0000000A0000000100000003", 1024, WalFile(10, 7)),
    ("000000010000000000000005.partial", 16, WalFile(1, 5, "partial")),
    ("00000003.history", 16, WalFile(3, 0, "history")),
]


@pytest.mark.parametrize(("name", "size", "file"), NAMES)
def test_both_ways(name: str, size: int, file: WalFile) -> None:
    assert parse_wal_name(name, size * MB) == file
    assert wal_name(file, size * MB) == name


@pytest.mark.parametrize(
    "name",
    [
        "archtemp.000000010000000000000001.1.2",
        "00000003",
        "000000010000000000000001.history",
        "000000010000000000000001.gz",
        "",
    ],
)
def test_other_files(name: str) -> None:
    assert parse_wal_name(name, 16 * MB) is None


def test_the_note_of_a_backup() -> None:
    assert parse_wal_name("000000010000000000000002.00000028.backup", 16 * MB) == WalFile(1, 2, "backup")
