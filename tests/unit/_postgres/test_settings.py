"""Settings of PostgreSQL: every type of YAML as text, lines, files, and what a fleet cannot work with."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import (
    SettingRefused,
    as_integer,
    changes_between,
    read_settings,
    setting_line,
    setting_text,
    setting_texts,
    settings_file,
    write_settings,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.settings import fleet_settings, synchronous_names

VALUES: dict[str, tuple[Any, str | None]] = {
    "text": ("8MB", "8MB"),
    "number": (100, "100"),
    "negative": (-1, "-1"),
    "float": (0.9, "0.9"),
    "small float": (1e-05, "1e-05"),
    "number as text": ("0100", "0100"),
    "true": (True, "on"),
    "false": (False, "off"),
    "empty": ("", ""),
    "null": (None, None),
    "spaces at the ends": (" %m ", " %m "),
    "block of YAML": ("cp %p /a\n", "cp %p /a"),
    "list": (["pg_stat_statements", "auto_explain"], "pg_stat_statements, auto_explain"),
    "list of one": (["auto_explain"], "auto_explain"),
    "empty list": ([], ""),
    "list of addresses": (["127.0.0.1", "::1", "*"], "127.0.0.1, ::1, *"),
    "list of paths": (["/run/postgresql", "/tmp"], "/run/postgresql, /tmp"),
    "list with $user": (["$user", "public"], "$user, public"),
    "list with a quoted element": (['"$user"', "public"], '"$user", public'),
    "list with a space, a comma, upper case": (["My Schema", "a,b"], '"My Schema", "a,b"'),
    "list with a quote": (['a"b'], '"a""b"'),
    "list of numbers": ([1, 2.5, True], "1, 2.5, on"),
    "date": (datetime.date(2026, 1, 2), "2026-01-02"),
    "time": (datetime.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
}


@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES.keys())
def test_text_of_a_value(value: Any, text: str | None) -> None:
    assert setting_text("name", value) == text


def test_names_in_a_list_of_standbys_are_quoted_where_the_server_needs_it() -> None:
    assert setting_text("synchronous_standby_names", ["node-1", "b", "*"]) == '"node-1", b, *'


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("work_mem", {"a": 1}, "'work_mem' has a dictionary"),
        ("work_mem", [["a"]], "'work_mem' has a list in its list"),
        ("work_mem", [None], "null in its list"),
        ("work_mem", [{"a": 1}], "dictionary"),
        ("work_mem", float("nan"), "no number"),
        ("work_mem", float("inf"), "no number"),
        ("work_mem", "a\0b", "NUL"),
        ("work mem", 1, "no name of a setting"),
        ("work_mem = 1\nport", 1, "no name of a setting"),
        ("", 1, "no name of a setting"),
        (1, 1, "no name of a setting"),
        ("include", "x.conf", "reads other files"),
        ("Include_Dir", "x", "reads other files"),
    ],
)
def test_what_is_no_setting(name: Any, value: Any, words: str) -> None:
    with pytest.raises(SettingRefused, match=words):
        setting_texts({name: value})


def test_names_are_one_whatever_their_case() -> None:
    assert setting_texts({"TimeZone": "UTC", "app.User": "x"}) == {"timezone": "UTC", "app.user": "x"}
    assert setting_texts({"timezone": "UTC", "TimeZone": "UTC"}) == {"timezone": "UTC"}
    with pytest.raises(SettingRefused, match="given twice"):
        setting_texts({"timezone": "UTC", "TimeZone": "CET"})


TEXTS = [
    "8MB",
    "",
    "it's",
    "printf '%s\\n'",
    "C:\\temp\\",
    "two\nlines",
    "tab\there",
    "a\r\x01b",
    "# no comment",
    "ä\u2028ö",
    "\\'",
    "''",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_line_comes_back_as_it_was(text: str) -> None:
    line = setting_line("archive_command", text)
    assert "\n" not in line
    assert read_settings(line) == {"archive_command": text}
    other = setting_line("work_mem", "1MB")
    assert write_settings(f"{line}\n{other}\n", {"work_mem": "1MB"}) == f"{line}\n{other}\n"


def test_lines_that_others_wrote() -> None:
    text = "a=1\r\nb  'x' # why\n  C = off#x\n# d = 1\ne = 'it\\'s \\101'\nfile 'x\na = 2\n"
    assert read_settings(text) == {"a": "2", "b": "x", "c": "off", "e": "it's A", "file": ""}


def test_a_file() -> None:
    assert (
        settings_file({"b": True, "A": None, "c": [1, 2]}, "Ours.\nReally.")
        == "# Ours.\n# Really.\nb = 'on'\nc = '1, 2'\n"
    )


def test_writing_into_a_file_of_others() -> None:
    assert write_settings("# x\nA = 1\nb = 2\na = 3\n", {"a": "it's"}) == "# x\na = 'it''s'\nb = 2\n"


def test_changes() -> None:
    assert changes_between("a = 1\nb = 2\n", "b = '3'\nc = 4\n") == {
        "a": ("1", None),
        "b": ("2", "3"),
        "c": (None, "4"),
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [("100", 100), ("0x64", 100), ("1e2", 100), (" 7 ", 7), ("-1", -1), ("8MB", None), ("", None), ("010", 8)],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert as_integer(text) == number


OWN = {
    "port": 5432,
    "max_wal_senders": 32,
    "max_replication_slots": 32,
    "max_slot_wal_keep_size": "1GB",
    "ssl": "on",
    "wal_level": "replica",
}
FACTS = {"nodes": ["a", "b"], "tls": True, "strict": False}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "port": ({"port": 5433}, "pg_server_port"),
    "port in capitals": ({"PORT": 5433}, "pg_server_port"),
    "even null": ({"port": None}, "pg_server_port"),
    "listen_addresses": ({"listen_addresses": "*"}, "pg_server_listen_addresses"),
    "socket": ({"unix_socket_directories": "/tmp"}, "pg_server_unix_socket_directory"),
    "data directory": ({"data_directory": "/srv"}, "pg_server_data_directory"),
    "hba file": ({"hba_file": "/etc/hba"}, "pg_server_hba_rules"),
    "ident file": ({"ident_file": "x"}, "not yours to give"),
    "who is followed": ({"primary_conninfo": "host=x"}, "not yours to give"),
    "recovery target": ({"recovery_target_time": "2026-01-01"}, "end a standby's recovery"),
    "wal_level": ({"wal_level": "minimal"}, "nothing can be replicated"),
    "hot_standby": ({"hot_standby": False}, "accept a session"),
    "hot_standby by its first letters": ({"hot_standby": "f"}, "accept a session"),
    "read only": ({"default_transaction_read_only": True}, "refuse every write"),
    "senders": ({"max_wal_senders": 0}, "needs 3"),
    "slots": ({"max_replication_slots": 1}, "needs 2"),
    "keep size": ({"max_slot_wal_keep_size": -1}, "fill the disk"),
    "keep size left to the server": ({"max_slot_wal_keep_size": None}, "fill the disk"),
    "keep size 0": ({"max_slot_wal_keep_size": 0}, "lost at the next checkpoint"),
    "sender timeout": ({"wal_sender_timeout": 1}, "milliseconds"),
    "statement timeout": ({"statement_timeout": "5ms"}, "milliseconds"),
    "ssl": ({"ssl": False}, "pg_server_tls is true"),
    "nobody's name": ({"synchronous_standby_names": "nobody"}, "would hang"),
    "too many names": ({"synchronous_standby_names": "ANY 2 (a, b)"}, "wait for 2 standbys, and at most 1"),
    "a star for two": ({"synchronous_standby_names": "FIRST 2 (*)"}, "at most 1"),
    "dictionary": ({"work_mem": {}}, "dictionary"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_fleet_cannot_work_with(given: dict[str, Any], words: str) -> None:
    with pytest.raises(PgFleetError, match=words):
        fleet_settings(OWN, given, FACTS)


ACCEPTED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing": ({}, {}),
    "the inventory wins, whatever the case": ({"MAX_wal_senders": 5}, {"max_wal_senders": "5"}),
    "logical": ({"wal_level": "logical"}, {"wal_level": "logical"}),
    "tls that agrees": ({"ssl": "yes"}, {"ssl": "yes"}),
    "no timeout": ({"wal_sender_timeout": 0}, {"wal_sender_timeout": "0"}),
    "seconds": ({"statement_timeout": "2s"}, {"statement_timeout": "2s"}),
    "a star": ({"synchronous_standby_names": "*"}, {"synchronous_standby_names": "*"}),
    "one of us": ({"synchronous_standby_names": 'ANY 1 ("b", x)'}, {"synchronous_standby_names": 'ANY 1 ("b", x)'}),
    "an extension's": ({"app.user": "x"}, {"app.user": "x"}),
}


@pytest.mark.parametrize(("given", "found"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_a_fleet_works_with(given: dict[str, Any], found: dict[str, str]) -> None:
    wanted = fleet_settings(OWN, given, FACTS)
    assert wanted == {**{name: str(value) for name, value in OWN.items()}, **found}


@pytest.mark.parametrize("name", ["archive_mode", "Archive_Command", "archive_library", "restore_command"])
@pytest.mark.parametrize("value", ["off", None], ids=["another", "left out"])
def test_a_fleet_has_one_archive(name: str, value: Any) -> None:
    with pytest.raises(PgFleetError, match="pg_backup_enabled"):
        fleet_settings({**OWN, "archive_mode": "on"}, {name: value}, FACTS)
    assert fleet_settings(OWN, {"archive_mode": "off"}, FACTS)["archive_mode"] == "off"
    ours = {**OWN, "archive_mode": "on", "archive_timeout": "60s"}
    assert fleet_settings(ours, {"archive_timeout": 5}, FACTS)["archive_timeout"] == "5"


def test_null_leaves_a_setting_of_ours_out() -> None:
    assert "max_wal_senders" not in fleet_settings(OWN, {"max_wal_senders": None}, FACTS)


def test_strictness_vouches_for_standbys_outside_the_fleet() -> None:
    assert fleet_settings(OWN, {"synchronous_standby_names": "barman"}, {**FACTS, "strict": True})


NAMES = ["b", "a", "c", "d"]


@pytest.mark.parametrize(
    ("mode", "count", "strict", "nodes", "found"),
    [
        ("off", 1, False, 1, ""),
        ("off", 9, True, 2, ""),
        ("on", 1, False, 3, 'FIRST 1 ("a", "b", "c")'),
        ("quorum", 1, True, 2, 'ANY 1 ("a", "b")'),
        ("quorum", 2, False, 3, 'ANY 1 ("a", "b", "c")'),
        ("quorum", 2, True, 3, 'ANY 2 ("a", "b", "c")'),
        ("on", 3, False, 4, 'FIRST 2 ("a", "b", "c", "d")'),
    ],
)
def test_for_whom_a_commit_waits(mode: str, count: int, strict: bool, nodes: int, found: str) -> None:
    assert synchronous_names(mode, count, strict, NAMES[:nodes]) == found


@pytest.mark.parametrize(
    ("count", "strict", "nodes", "words"),
    [
        (1, False, 1, "has no standby"),
        (1, True, 1, "has no standby"),
        (1, False, 2, "pg_server_synchronous_strict: true"),
        (2, True, 2, "has one standby"),
        (3, False, 3, "has 2 standbys"),
        (0, True, 3, "wait for nobody"),
        (-1, False, 3, "wait for nobody"),
    ],
)
@pytest.mark.parametrize("mode", ["on", "quorum"])
def test_nobody_to_wait_for(mode: str, count: int, strict: bool, nodes: int, words: str) -> None:
    with pytest.raises(PgFleetError, match=words) as refused:
        synchronous_names(mode, count, strict, NAMES[:nodes])
    assert refused.value.code == "synchronous_nobody"
