"""Starting and stopping real servers."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest


def options(server: Any) -> dict[str, Any]:
    return {"data_directory": str(server.data), "log_file": str(server.log)}


def test_every_state(servers: Any, module: Any) -> None:
    server = servers.primary()
    first = server.pid
    assert not module("server", state="started", **options(server))["changed"]
    assert module("server", check=True, state="stopped", **options(server))["after"] == "stopped"
    assert server.running
    reloaded = module("server", state="reloaded", **options(server))
    assert reloaded["changed"]
    assert reloaded["pid"] == first
    restarted = module("server", state="restarted", **options(server))
    assert restarted["changed"]
    assert restarted["pid"] not in (None, first)
    assert module("server", state="stopped", **options(server))["changed"]
    assert not server.running
    assert not module("server", state="stopped", **options(server))["changed"]
    started = module("server", state="started", **options(server))
    assert (started["before"], started["after"], started["changed"]) == ("stopped", "running", True)
    assert server.psql("SELECT 1") == "1"


def test_a_stopped_server_cannot_reload_and_restarts_by_starting(servers: Any, module: Any) -> None:
    server = servers.primary()
    server.stop()
    assert module("server", state="reloaded", **options(server))["code"] == "not_running"
    assert module("server", state="restarted", **options(server))["changed"]
    assert server.running


@pytest.mark.parametrize("check", [True, False])
def test_a_server_that_does_not_start_says_why(servers: Any, module: Any, check: bool) -> None:
    server = servers.primary()
    server.stop()
    server.write_config(shared_preload_libraries="no_such_library")
    result = module("server", check=check, state="started", **options(server))
    assert result["failed"] is not check
    if not check:
        assert result["code"] == "server_action_failed"
        assert "no_such_library" in result["msg"], "the end of the server's log is in the message"


@pytest.mark.parametrize("state", ["started", "restarted"])
def test_a_server_has_a_log_before_pg_ctl_starts_it(servers: Any, module: Any, state: str) -> None:
    """It inherits the module's output otherwise, and Ansible waits for the end of that."""
    server = servers.primary()
    assert not module("server", state="started", data_directory=str(server.data))["changed"], "it runs: none is needed"
    assert module("server", state="stopped", data_directory=str(server.data))["changed"], "nor to stop it"
    for check in (True, False):
        refused = module("server", check=check, state=state, data_directory=str(server.data))
        assert refused["code"] == "log_file_missing"
        assert str(server.data) in refused["msg"]
    assert not server.running


@pytest.mark.parametrize("name", ["server", "server_signal", "wal_disk", "demote"])
def test_the_programs_are_those_of_the_directory(servers: Any, module: Any, name: str) -> None:
    """Programs of another version, be they the newest, are not run on it."""
    data = servers.data("other")
    servers.run("sh", "-c", f"mkdir -m 700 {data} && echo 99 > {data}/PG_VERSION")
    more: dict[str, dict[str, Any]] = {
        "server": {"log_file": f"{data}.log"}, "server_signal": {"signal": "thaw"}, "wal_disk": {"state": "normal"},
        "demote": {"login_host": "127.0.0.1", "login_user": "replicator"},
    }  # fmt: skip
    result = module(name, check=True, data_directory=str(data), **more[name])
    assert (result.get("code"), result.get("needed")) == ("programs_missing", 99), result


def test_a_server_that_is_still_stopping_comes_to_its_end_and_is_started(servers: Any, module: Any) -> None:
    """As after a shutdown that a frozen standby has held up."""
    server = servers.primary(wal_level="replica", hot_standby="on", wal_sender_timeout="8s")
    receiver = int(servers.standby(server, "b").psql("SELECT pid FROM pg_stat_wal_receiver"))
    first = server.pid
    os.kill(receiver, signal.SIGSTOP)
    try:
        assert module("server", state="stopped", timeout=1, **options(server))["code"] == "server_action_failed"
        assert server.pid == first, "it is still there"
        assert module("server", check=True, state="started", **options(server))["changed"]
        assert module("server", state="started", timeout=1, **options(server))["code"] == "busy"
        started = module("server", state="started", timeout=30, **options(server))
    finally:
        with suppress(ProcessLookupError):
            os.kill(receiver, signal.SIGCONT)
    assert started["changed"]
    assert started["pid"] not in (None, first)
    assert server.psql("SELECT 1") == "1"


def test_who_may_start_it(servers: Any, module: Any) -> None:
    server = servers.primary()
    file = Path(server.data) / "start.conf"
    given = {**options(server), "start_conf": str(file)}

    unchanged = module("server", start="auto", **given)
    assert (unchanged["changed"], unchanged["start"]) == (False, "auto"), "a missing file means auto"
    assert not file.exists()

    check = module("server", check=True, state="stopped", start="disabled", **given)
    assert check["changed"]
    assert check["diff"]["after"] == {"state": "stopped", "start": "disabled"}
    assert not file.exists()
    assert server.running

    assert module("server", state="stopped", start="disabled", **given)["changed"]
    assert file.read_text() == "disabled\n"
    assert not module("server", state="stopped", start="disabled", **given)["changed"]
    assert module("server", state="stopped", **given)["start"] == "disabled", "not asked for, not touched"

    assert module("server", start="auto", **given)["changed"]
    assert file.read_text() == "auto\n"
    file.write_text("# Automatic startup configuration\n\nmanual # by hand\n")
    assert module("server", **given)["start"] == "manual"
    assert not module("server", start="manual", **given)["changed"], "the comments stay"


def test_start_needs_its_file(servers: Any, module: Any) -> None:
    result = module("server", start="disabled", **options(servers.primary()))
    assert "start_conf" in result["msg"]


def test_a_file_that_it_may_not_write_is_named(servers: Any, module: Any, tmp_path: Path) -> None:
    result = module("server", start="disabled", start_conf=str(tmp_path / "start.conf"), **options(servers.primary()))
    assert result["code"] == "os_error"
    assert "start.conf: Permission denied" in result["msg"]
