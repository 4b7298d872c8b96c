# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What pgBackRest says when it fails, as our codes. No I/O."""

from __future__ import annotations

import re

from .._errors import PgFleetError
from .repository import RepositoryFailed

_ITS_WORDS = "Its own words say why."
#: Words of pgBackRest, our code, the remedy. The first that fits counts.
_BY_WORDS = (
    (
        r"No space left on device|Disk quota exceeded",
        "repository_full",
        "Make room in the repository, or enlarge it; old backups go by keep_full.",
    ),
    (
        r"Read-only file system",
        "not_permitted",
        "The file system of the repository is mounted read-only; mount it for writing.",
    ),
    (
        r"Permission denied|Operation not permitted",
        "not_permitted",
        "Run the task as the user of the server (become_user: postgres), and give that user the repository, and the lock, spool and"
        " log paths of the configuration file.",
    ),
    (
        r"FormatError|CryptoError|cipher header|bad decrypt|is or was the repo encrypted",
        "repository_cipher",
        "Give repo1-cipher-type and repo1-cipher-pass the values that the repository was made with. Without its passphrase nobody can read it.",
    ),
    (
        r"unable to acquire lock|is another pgBackRest process",
        "busy",
        "Wait until the other pgBackRest has ended, then run again.",
    ),
    (
        r"already exists in the .*archive with a different checksum",
        "archive_conflict",
        "Another server archives into the same stanza, or did: a second primary, or a copy that was started. Find it and stop its archiving.",
    ),
    (
        r"do not match (the database|(repo\d+ )?stanza)|ArchiveMismatchError|BackupMismatchError",
        "other_cluster",
        "Give this cluster a stanza or repository of its own. After pg_upgrade, run pgbackrest stanza-upgrade yourself.",
    ),
    (
        r"unable to find primary cluster|DbConnectError|DbQueryError|unable to find a primary",
        "unreachable",
        "pgBackRest has to reach the primary: check pg1-path, pg1-port, pg1-socket-path and pg1-user in its configuration file.",
    ),
    (
        r"HostConnectError|ServiceError|HostInvalidError|unable to get address|unable to find hostname|Connection refused|timed out|timeout after"
        r"|remote-0 process|No route to host|Network is unreachable|unexpected eof",
        "repository_unreachable",
        "Check the host of the repository, its pgBackRest server and its certificates, and what lies between.",
    ),
    (
        r"Input/output error|Stale file handle|Transport endpoint|Host is down",
        "repository_unreachable",
        "Check the disk or the mount of the repository.",
    ),
    (
        r"was not archived before|timeout.*archiv",
        "archive_stale",
        "See why the primary does not archive: wal_archive with state: reported says it.",
    ),
    (
        r"missing stanza path|archive\.info|backup\.info|has a stanza-create been performed",
        "repository_missing",
        "Make it (wal_archive with state: initialized), or mount what holds it.",
    ),
)
#: Its exit codes where the words say less.
_BY_STATUS = {
    28: "other_cluster", 44: "other_cluster", 51: "other_cluster", 45: "archive_conflict", 50: "busy", 49: "repository_unreachable",
    75: "no_backup", 40: "not_empty", 82: "archive_stale", 95: "repository_cipher",
    27: "repository_config", 31: "repository_config", 32: "repository_config", 37: "repository_config", 55: "repository_config",
}  # fmt: skip
_REMEDIES = {
    **{code: remedy for _pattern, code, remedy in _BY_WORDS},
    "no_backup": "Give the label of a set that backup_info lists.",
    "not_empty": "Give an empty directory.",
    "repository_config": "Correct config_file and stanza; pg1-path and the options of the repository stand in that file.",
}
_ERROR = re.compile(r"^(?:\S+ \S+ +P\d+ +)?ERROR: \[(\d+)\]: (.*)$")
_OF_REPOSITORY = re.compile(r"^\s*repo\d+: (.*)$")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\ufffc]")


def failure(verb: str, status: int, said: str) -> PgFleetError:
    """The error for a call that failed; the message begins with what pgBackRest was asked and its own first words."""
    code, remedy = explain(said, status)
    return RepositoryFailed(f"pgbackrest {verb} failed: [{status:03d}] {first_words(said)}.", remedy, code)


def explain(said: str, status: int = 0) -> tuple[str, str]:
    """Our code and the remedy for words of pgBackRest."""
    for pattern, code, remedy in _BY_WORDS:
        if re.search(pattern, said):
            return code, remedy
    code = _BY_STATUS.get(status, RepositoryFailed.code)
    return code, _REMEDIES.get(code, _ITS_WORDS)


def first_words(said: str) -> str:
    """The line that says what is wrong; that of the repository where the error only says that there is one."""
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [found.group(2) for line in lines if (found := _ERROR.match(line))]
    inner = [found.group(1) for line in lines if (found := _OF_REPOSITORY.match(line))]
    pointer = bool(errors) and "valid repository" in errors[0]
    words = (inner if pointer and inner else errors or lines or ["it said nothing"])[0]
    return _UNPRINTABLE.sub("", words).strip().rstrip(".:")[:400]


def warnings_of(said: str) -> list[str]:
    """Its warnings, without hints."""
    return [line.partition("WARN: ")[2].strip() for line in said.splitlines() if "WARN: " in line]
