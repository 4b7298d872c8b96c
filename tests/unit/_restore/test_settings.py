# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The files of a side server."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import read_settings
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.settings import (
    SideOptions,
    at_least,
    library_list,
    library_names,
    origin_limits,
    wanted_libraries,
)

CONTROL = """pg_control version number:            1300
max_connections setting:              300
max_worker_processes setting:         8
max_wal_senders setting:              12
max_prepared_xacts setting:           5
max_locks_per_xact setting:           128
"""


def test_limits_of_the_origin() -> None:
    assert origin_limits(CONTROL) == {
        "max_connections": "300",
        "max_locks_per_transaction": "128",
        "max_prepared_transactions": "5",
        "max_wal_senders": "12",
        "max_worker_processes": "8",
    }


@pytest.mark.parametrize(
    ("origin", "given", "expected"),
    [("300", "20", "300"), ("50", "400", "400"), ("20", "30", "100"), ("300", "0x200", "512")],
)
def test_whoever_asks_for_more_gets_it(origin: str, given: str, expected: str) -> None:
    assert at_least({"max_connections": origin}, {"max_connections": given})["max_connections"] == expected


def test_nothing_brings_a_side_server_out_of_its_room() -> None:
    given = {
        "listen_addresses": "*",
        "archive_mode": "on",
        "port": "5432",
        "shared_buffers": "1GB",
        "autovacuum": "on",
        "ssl": "on",
    }
    files = SideOptions(5999, "/s", "alice", "postgres", given, origin_limits(CONTROL), ["a", "$libdir/b"]).files
    found = read_settings(files["postgresql.conf"])
    assert {name: found[name] for name in ("listen_addresses", "archive_mode", "ssl", "port", "primary_conninfo")} == {
        "listen_addresses": "", "archive_mode": "off", "ssl": "off", "port": "5999", "primary_conninfo": "",
    }  # fmt: skip
    assert (found["shared_buffers"], found["autovacuum"], found["max_connections"]) == ("1GB", "on", "300")
    assert found["shared_preload_libraries"] == '"a", "$libdir/b"'
    assert files["pg_ident.conf"].splitlines()[-1] == 'side "alice" "postgres"'
    assert files["pg_hba.conf"].splitlines()[1:] == ['local all "postgres" peer map=side', "local all all peer"]


@pytest.mark.parametrize(
    ("given", "origin", "expected"),
    [
        ({}, "", []),
        ({}, "pg_stat_statements, pg_cron", ["pg_stat_statements"]),
        ({"shared_preload_libraries": "pg_cron"}, "other", ["pg_cron"]),
        ({"shared_preload_libraries": ""}, "other", []),
    ],
)
def test_libraries(given: dict[str, str], origin: str, expected: list[str]) -> None:
    assert wanted_libraries(given, origin) == expected


def test_names_of_libraries_are_read_as_they_are_written() -> None:
    names = ["pg_stat_statements", "/opt/with space/x", 'with"quote']
    assert library_names(library_list(names)) == names
