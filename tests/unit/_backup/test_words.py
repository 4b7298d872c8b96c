"""What pgBackRest 2.45 said when it failed, and our codes for it."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.words import failure, warnings_of

SAID = {
    "conflict": (45, "ERROR: [045]: WAL file '000000010000000000000004' already exists in the repo1 archive with a different checksum", "archive_conflict"),
    "stanza of somebody else": (
        28, "ERROR: [028]: backup and archive info files exist but do not match the database\n       HINT: is this the correct stanza?", "other_cluster",
    ),
    "backup of somebody else": (51, "ERROR: [051]: PostgreSQL version 15, system-id 1 do not match stanza version 15, system-id 2", "other_cluster"),
    "push of somebody else": (
        103,
        "ERROR: [103]: unable to find a valid repository:\n       repo1: [ArchiveMismatchError] PostgreSQL version 15, system-id 1 do not match repo1"
        " stanza version 15, system-id 2", "other_cluster",
    ),
    "no stanza": (
        103,
        "ERROR: [103]: unable to find a valid repository:\n       repo1: [FileMissingError] unable to load info file '/r/archive/zz/archive.info' or"
        " '/r/archive/zz/archive.info.copy':\n       HINT: has a stanza-create been performed?", "repository_missing",
    ),
    "wrong passphrase": (
        29,
        "ERROR: [029]: unable to load info file '/r/archive/s/archive.info' or '/r/archive/s/archive.info.copy':\n       FormatError: key/value found"
        " outside of section at line 1: \ufffdhx", "repository_cipher",
    ),
    "no right": (47, "ERROR: [047]: unable to create path '/usr/repo': [13] Permission denied", "not_permitted"),
    "no right to lock": (50, "ERROR: [050]: unable to acquire lock on file '/root/x/s-archive.lock': Permission denied", "not_permitted"),
    "locked": (50, "ERROR: [050]: unable to acquire lock on file '/l/s-backup.lock': Resource temporarily unavailable", "busy"),
    "full": (64, "ERROR: [064]: unable to write '/r/x': [28] No space left on device", "repository_full"),
    "no configuration": (55, "ERROR: [055]: unable to open missing file '/nonexist' for read", "repository_config"),
    "no option": (37, "ERROR: [037]: backup command requires option: pg1-path\n       HINT: does this stanza exist?", "repository_config"),
    "no server": (
        56, "WARN: unable to check pg1: [DbConnectError] unable to connect\nERROR: [056]: unable to find primary cluster - cannot proceed", "unreachable",
    ),
    "no host": (49, "ERROR: [049]: unable to connect to '127.0.0.1:9': [111] Connection refused", "repository_unreachable"),
    "WAL does not come": (82, "ERROR: [082]: WAL segment 000000010000000000000002 was not archived before the 60000ms timeout", "archive_stale"),
    "no such set": (75, "ERROR: [075]: backup set nope is not valid", "no_backup"),
    "not empty": (40, "ERROR: [040]: unable to restore to path '/r' because it contains files", "not_empty"),
    "unknown": (99, "it fell", "repository_failed"),
    "nothing": (1, "", "repository_failed"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "said", "code"), SAID.values(), ids=SAID)
def test_codes(status: int, said: str, code: str) -> None:
    error = failure("backup", status, said)
    assert error.code == code and error.remedy
    assert "HINT" not in error.message and "unable to find a valid repository" not in error.message
    assert error.message.isprintable()


def test_its_words_come_first() -> None:
    error = failure("archive-push", *SAID["no stanza"][:2])
    assert error.message.startswith(
        "pgbackrest archive-push failed: [103] [FileMissingError] unable to load info file '/r/archive/zz/archive.info'"
    )


def test_warnings() -> None:
    said = "WARN: no prior backup exists, incr backup has been changed to full\n      HINT: x\nERROR: [001]: y"
    assert warnings_of(said) == ["no prior backup exists, incr backup has been changed to full"]
