"""Backups and archive of a fleet, as people and programs see them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._backup.report import (
    backup_document,
    backup_tables,
    moment,
    size,
    span,
)

SET = {
    "label": "20261201-041631F", "type": "full", "stopped": "2026-12-01T04:16:36Z", "database_bytes": 23065906,
    "repository_bytes": 2824560, "timeline": 1, "broken": False,
}  # fmt: skip
WINDOW = {
    "earliest": "2026-12-01T04:16:36Z",
    "earliest_lsn": "0/7000138",
    "latest_lsn": "0/8000000",
    "open": True,
    "labels": ["20261201-041631F"],
}
GAP = {
    "code": "archive_gap",
    "message": "The archive lacks 000000010000000000000003.",
    "remedy": "Take a full backup.",
}
ARCHIVE: dict[str, Any] = {
    "repository": {"owner": "7714175607928677440", "provider": "pgbackrest"},
    "archive": [{"count": 5, "first": "000000010000000000000003", "last": "000000010000000000000007", "timeline": 1}],
    "archiving": {"last_archived": "000000010000000000000007", "last_archived_seconds": 44.2, "ready_files": 0},
    "disk": {"path": "/var/lib/postgresql/15/main/pg_wal", "hours_until_full": None},
    "gaps": [],
    "histories": [],
    "rpo": {"bytes": 96, "seconds": 0.0},
    "findings": [],
}
BACKUPS: dict[str, Any] = {
    "sets": [SET],
    "window": WINDOW,
    "windows": [WINDOW],
    "last": {"any": 38.9, "full": 38.9},
    "repository_bytes": 2824560,
    "findings": [],
}


def table(archive: dict[str, Any] | None = None, **backups: Any) -> str:
    return backup_tables(backup_document("shop", "primary", {**ARCHIVE, **(archive or {})}, {**BACKUPS, **backups}))


def test_what_is_well() -> None:
    assert (
        table()
        == """\
backup            type  taken                    size     in the repository  timeline
----------------  ----  -----------------------  -------  -----------------  --------
20261201-041631F  full  2026-12-01 04:16:36 UTC  23.1 MB  2.8 MB             1

A recovery can end at any moment from 2026-12-01 04:16:36 UTC on.
With the archive alone, 96 B of WAL would be lost, up to 0 s of writes.
Archived last: 000000010000000000000007, 44 s ago. 0 files wait.

All is well."""
    )


def test_a_finding_of_both_is_shown_once() -> None:
    document = backup_document("shop", "primary", {**ARCHIVE, "findings": [GAP]}, {**BACKUPS, "findings": [GAP]})
    assert (document["findings"], document["summary"]) == ([GAP], "1 finding.")
    assert "archive_gap: The archive lacks 000000010000000000000003. Take a full backup." in backup_tables(document)


@pytest.mark.parametrize(
    ("archive", "backups", "sentence"),
    [
        ({}, {"sets": [], "window": None, "windows": []}, "No recovery can reach the present."),
        (
            {},
            {"window": None, "windows": [{**WINDOW, "open": False}]},
            "A recovery can end between 2026-12-01 04:16:36 UTC and 0/8000000, where the archive has a gap.",
        ),
        (
            {"disk": {"path": "/w", "hours_until_full": 3.24}},
            {},
            "The disk of /w is full in 3.2 h at the present rate.",
        ),
        ({}, {"sets": [{**SET, "broken": True}]}, "full (broken)"),
    ],
    ids=["nothing yet", "a gap", "the disk", "a damaged page"],
)
def test_what_is_not(archive: dict[str, Any], backups: dict[str, Any], sentence: str) -> None:
    assert sentence in table(archive, **backups)


def test_several_fleets_have_their_names() -> None:
    both = [backup_document(name, "primary", ARCHIVE, BACKUPS) for name in ("orders", "west")]
    shown = backup_tables(both)
    assert shown.startswith("fleet orders\n\n") and "\n\nfleet west\n\n" in shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (86400 * 2, "2 days")],
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(999, "999 B"), (1000, "1.0 kB"), (23065906, "23.1 MB"), (5e9, "5.0 GB")])
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words


def test_moments() -> None:
    assert moment("2026-12-01T04:16:36.123456Z") == "2026-12-01 04:16:36 UTC"
