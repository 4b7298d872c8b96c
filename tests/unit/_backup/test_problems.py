"""What no archive can be made of."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._backup.problems import archive_problems

WELL: dict[str, Any] = {
    "provider": "pgbackrest", "repository": "path", "path": "/srv/backup", "shared": False, "cipher": "auto", "options": {},
    "addresses": ["192.0.2.1"], "adopted": [], "data_directory": "/var/lib/postgresql/17/main",
}  # fmt: skip
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "one machine": ({}, ""),
    "two machines": ({"addresses": ["192.0.2.1", "192.0.2.2"]}, "pg_backup_path_shared"),
    "two machines with one directory": ({"addresses": ["192.0.2.1", "192.0.2.2"], "shared": True}, ""),
    "two machines with a bucket": (
        {"addresses": ["a", "b"], "repository": "options", "options": {"repo1-type": "s3"}},
        "",
    ),
    "no bucket": ({"repository": "options", "options": {"process-max": 4}}, "says nothing of a repository"),
    "somebody else's server": ({"adopted": ["db1"]}, "db1: adopted"),
    "plain and encrypted": ({"provider": "plain", "cipher": "on"}, "no encryption"),
    "plain and a bucket": (
        {"provider": "plain", "repository": "options", "options": {"repo1-type": "s3"}},
        "nothing but a directory",
    ),
    "plain": ({"provider": "plain"}, ""),
    "relative": ({"path": "backup"}, "begins with '/'"),
    "empty": ({"path": ""}, "begins with '/'"),
    "inside the data": ({"path": "/var/lib/postgresql/17/main/backup/"}, "lie one in the other"),
    "the data itself": ({"path": "/var/lib/postgresql/17/main"}, "lie one in the other"),
    "around the data": ({"path": "/var/lib/postgresql"}, "lie one in the other"),
    "beside the data": ({"path": "/var/lib/postgresql/17/main-backup"}, ""),
}


@pytest.mark.parametrize(("more", "words"), CASES.values(), ids=CASES.keys())
def test_problems(more: dict[str, Any], words: str) -> None:
    found = archive_problems({**WELL, **more})
    assert len(found) == bool(words), found
    assert words in "".join(found)
