"""How servers archive and get back their WAL, as settings."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.settings import archive_of, archive_settings

PGBACKREST = {"provider": "pgbackrest", "config_file": "/etc/postgresql/15/it's 5%/pgbackrest.conf", "stanza": "shop"}
PLAIN = {"provider": "plain", "repository": "/srv/backup"}
TOOL = """pgbackrest '--config=/etc/postgresql/15/it'"'"'s 5%%/pgbackrest.conf' --stanza=shop"""


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        (
            PGBACKREST,
            {"archive_command": f'{TOOL} archive-push "%p"', "restore_command": f'{TOOL} archive-get %f "%p"'},
        ),
        (
            PLAIN,
            {
                "archive_library": "basic_archive",
                "basic_archive.archive_directory": "/srv/backup/archive",
                "restore_command": 'test -f /srv/backup/archive/%f && cp /srv/backup/archive/%f "%p"',
            },
        ),
        (
            {**PLAIN, "repository": "/srv/my backup", "script": "/etc/archive-wal"},
            {
                "archive_command": """/etc/archive-wal "%p" '/srv/my backup/archive' %f""",
                "restore_command": """test -f '/srv/my backup/archive'/%f && cp '/srv/my backup/archive'/%f "%p\"""",
            },
        ),
    ],
    ids=["pgbackrest, with what a shell and PostgreSQL would read", "plain", "plain by a script"],
)
def test_settings_of_an_archive(repository: dict[str, Any], expected: dict[str, str]) -> None:
    always = {"archive_mode": "on", "archive_timeout": "60s", "wal_keep_size": "256MB"}
    assert archive_settings(archive_of(repository), 60) == {**always, **expected}
