"""Settings of real servers: tried beside the running one, written, read back, taken back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("module")
RIGHT = {"shared_buffers": "16MB", "max_connections": 50}


@dataclass
class Node:
    """A server with its configuration laid out as Debian's packages do."""

    server: Any
    etc: Path
    call: Any

    @property
    def ours(self) -> Path:
        return self.etc / "conf.d/pgfleet.conf"

    @property
    def previous(self) -> Path:
        return self.etc / "conf.d/pgfleet.conf.previous"

    @property
    def place(self) -> dict[str, Any]:
        return {"data_directory": str(self.server.data), "config_file": str(self.etc / "postgresql.conf")}

    def settings(self, settings: Any = None, **more: Any) -> dict[str, Any]:
        given = {} if settings is None else {"settings": settings}
        found: dict[str, Any] = self.call("server_settings", **self.place, **self.server.login, **given, **more)
        return found

    def restart(self, **more: Any) -> dict[str, Any]:
        given = {**self.place, "log_file": str(self.server.log), "settings_file": str(self.ours), "state": "restarted"}
        found: dict[str, Any] = self.call("server", **{**given, **more})
        return found

    def write(self, name: str, text: str) -> None:
        self.server.run("sh", "-c", f'cat > "{self.etc / name}"', input=text)

    def text(self) -> str:
        return self.ours.read_text()

    def show(self, name: str) -> str:
        return str(self.server.psql(f"SHOW {name}"))


@pytest.fixture
def node(servers: Any, module: Any) -> Node:
    server = servers.primary()
    server.stop()
    etc = servers.data("etc")
    servers.run("mkdir", "-p", etc / "conf.d")
    made = Node(server, etc, module)
    data = server.data
    made.write(
        "postgresql.conf",
        f"data_directory = '{data}'\nhba_file = '{data}/pg_hba.conf'\nident_file = '{data}/pg_ident.conf'\n"
        f"include '{data}/pgfleet_test.conf'\ninclude_dir 'conf.d'\n",
    )
    made.settings(RIGHT)
    server.ctl("start", "-l", str(server.log), "-o", f"-c config_file={etc}/postgresql.conf")
    return made


def test_check_apply_again(node: Node) -> None:
    wanted = {**RIGHT, "work_mem": "5MB", "max_connections": 60, "restore_command": "printf '%s\\n' \"it's\""}
    check = node.settings(wanted, check=True)
    assert check["changed"] and check["pending"] == {"max_connections": {"setting": "50", "wanted": "60"}}
    assert node.show("work_mem") == "4MB" and "work_mem" not in node.text()
    tried = node.settings(wanted, state="checked")
    assert not tried["changed"] and tried["pending"] == check["pending"]

    done = node.settings(wanted)
    assert (
        done["changed"] and done["reloaded"] and done["pending"] == check["pending"] and done["diff"] == check["diff"]
    )
    assert node.show("work_mem") == "5MB" and node.show("restore_command") == wanted["restore_command"]
    assert node.previous.exists(), "max_connections is not in force yet"

    restarted = node.restart()
    assert restarted["changed"] and node.show("max_connections") == "60" and not node.previous.exists()
    assert node.settings(wanted, check=True)["changes"] == [] and not node.settings(wanted, check=True)["changed"]

    node.settings(RIGHT)
    assert node.show("work_mem") == "4MB", "what leaves the inventory leaves the server"


REFUSED: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "huge pages": ({"huge_pages": True}, "could not map anonymous shared memory", ["huge_pages = 'on'"]),
    "too much memory": ({"shared_buffers": "900GB"}, "could not map anonymous shared memory", ["shared_buffers = '900GB' (it was '16MB')"]),
    "a library": ({"shared_preload_libraries": ["auto_explain", "nope"]}, "nope", ["auto_explain, nope"]),
    "a combination": ({"archive_mode": True, "wal_level": "minimal", "max_wal_senders": 0}, "WAL archival", ["wal_level"]),
    "another": ({"superuser_reserved_connections": 70}, "must be less than max_connections", ["superuser_reserved_connections"]),
    "unknown": ({"work_memory": "5MB"}, "unrecognized configuration parameter", ["work_memory = '5MB'"]),
    "a wrong value": ({"work_mem": "much"}, "invalid value", ["work_mem = 'much'"]),
    "a unit": ({"work_mem": "5 XB"}, "invalid value", ["work_mem"]),
    "too small": ({"max_connections": 0}, "outside the valid range", ["max_connections"]),
    "TLS without its files": ({"ssl": True, "ssl_cert_file": "/nope.crt"}, "/nope.crt", ["ssl_cert_file"]),
    "an address": ({"listen_addresses": "203.0.113.9"}, "could not bind", ["listen_addresses"]),
    "a socket's directory": ({"unix_socket_directories": "/nope"}, "/nope", ["unix_socket_directories"]),
    "recovery targets": ({"recovery_target": "immediate", "recovery_target_xid": "5"}, "multiple recovery targets", ["recovery_target"]),
    "a dictionary": ({"work_mem": {"a": 1}}, "has a dictionary", ["work_mem"]),
}  # fmt: skip


def test_what_it_cannot_start_with_is_refused_and_nothing_changes(node: Node) -> None:
    """One server for all: it must be untouched after each."""
    pid, text = node.server.pid, node.text()
    for name, (settings, reason, words) in REFUSED.items():
        for state in ("checked", "present"):
            refused = node.settings({**RIGHT, **settings}, state=state)
            assert refused["failed"], name
            assert refused["code"] == ("invalid_setting" if name == "a dictionary" else "settings_refused"), refused
            assert reason in refused["msg"] and all(word in refused["msg"] for word in words), refused["msg"]
            assert (
                str(node.etc) not in refused["msg"]
                or "postgresql.conf" in refused["msg"]
                or "pgfleet.conf" in refused["msg"]
            )
    assert (node.server.pid, node.text()) == (pid, text) and not node.previous.exists()
    assert node.server.psql("SELECT 1") == "1"


TAKEN_BACK = {
    "new sessions are refused": ({"session_preload_libraries": "nope"}, "nope"),
    "every statement is cancelled": ({"statement_timeout": 1}, "statement timeout"),
}


@pytest.mark.parametrize(("settings", "reason"), TAKEN_BACK.values(), ids=TAKEN_BACK.keys())
def test_what_only_the_reload_shows_is_taken_back(node: Node, settings: dict[str, Any], reason: str) -> None:
    text = node.text()
    refused = node.settings({**RIGHT, **settings})
    assert refused["code"] == "settings_refused" and reason in refused["msg"] and "are back" in refused["msg"], refused
    assert node.text() == text and not node.previous.exists()
    assert node.server.psql("SELECT 1") == "1"


def test_a_start_that_fails_goes_back(node: Node) -> None:
    """A prepared transaction is what a trial cannot know of."""
    wanted = {**RIGHT, "max_prepared_transactions": 5}
    node.settings(wanted)
    node.restart()
    node.server.psql("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'x'")
    text = node.text()
    assert node.settings(RIGHT)["pending"] == {"max_prepared_transactions": {"setting": "5", "wanted": "0"}}
    refused = node.restart()
    assert refused["code"] == "settings_refused", refused
    assert "max_prepared_transactions left out (it was '5')" in refused["msg"]
    assert "maximum number of prepared transactions reached" in refused["msg"].splitlines()[0]
    assert "it runs with them" in refused["msg"]
    assert node.text() == text and node.show("max_prepared_transactions") == "5"
    assert not node.previous.exists()
    node.server.psql("ROLLBACK PREPARED 'x'")
    assert not node.settings(RIGHT)["failed"] and not node.restart()["failed"]
    assert node.show("max_prepared_transactions") == "0"


def test_what_others_have_written_is_named_and_the_server_comes_back(node: Node) -> None:
    node.settings({**RIGHT, "max_prepared_transactions": 5})
    node.restart()
    node.server.psql("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'x'")
    node.server.psql("ALTER SYSTEM SET max_prepared_transactions = 0")
    found = node.settings({**RIGHT, "max_prepared_transactions": 5})
    assert found["overridden"][0]["found"] == "0" and found["overridden"][0]["file"].endswith("postgresql.auto.conf")
    refused = node.restart()
    assert refused["code"] == "settings_refused", refused
    assert "max_prepared_transactions = '0' in line" in refused["msg"] and "postgresql.auto.conf" in refused["msg"]
    assert node.server.running and node.show("max_prepared_transactions") == "5"


def test_a_setting_that_waits_is_tried_before_anybody_stops(node: Node) -> None:
    node.server.psql("ALTER SYSTEM SET huge_pages = on")
    refused = node.settings(state="checked")
    assert refused["code"] == "settings_refused" and "huge_pages = 'on' in line" in refused["msg"], refused
    node.server.psql("ALTER SYSTEM RESET huge_pages")
    assert not node.settings(state="checked")["failed"]


def test_a_run_that_was_killed_is_finished_by_the_next(node: Node) -> None:
    """Killed after it wrote: the next run finds the file as it wants it, and the one of before beside it."""
    before = node.text()
    node.server.run("cp", node.ours, node.previous)
    node.write("conf.d/pgfleet.conf", before + "huge_pages = 'on'\n")
    refused = node.restart()
    assert refused["code"] == "settings_refused" and "huge_pages = 'on' (it was not set)" in refused["msg"], refused
    assert node.text() == before and node.show("huge_pages") == "try"


def test_a_stopped_server_gets_its_settings_and_the_first_start_proves_them(node: Node) -> None:
    node.server.stop()
    assert node.settings({**RIGHT, "huge_pages": "on"})["code"] == "settings_refused"
    done = node.settings({**RIGHT, "max_connections": 70})
    assert done["changed"] and not done["reloaded"] and node.previous.exists()
    assert not node.restart(state="started")["failed"] and not node.previous.exists()
    assert node.show("max_connections") == "70"
