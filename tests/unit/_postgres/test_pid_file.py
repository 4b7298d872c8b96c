"""What postmaster.pid says."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.pid_file import PidFile, parse_pid_file

LINES = "4711\n/var/lib/postgresql/17/main\n1764000000\n5432\n/var/run/postgresql\nlocalhost\n  5432001 12\nready   \n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            LINES,
            PidFile(4711, "/var/lib/postgresql/17/main", 5432, "/var/run/postgresql", "localhost", "ready"),
            id="whole",
        ),
        pytest.param("", PidFile(), id="none"),
        pytest.param("-12\n/data\n", PidFile(12, "/data"), id="single-user mode"),
        pytest.param("nonsense\n", PidFile(), id="no number"),
        pytest.param("1\n/data\n2\n5432\n\n*\n", PidFile(1, "/data", 5432, "", "*"), id="no socket"),
    ],
)
def test_parse(text: str, found: PidFile) -> None:
    assert parse_pid_file(text) == found
