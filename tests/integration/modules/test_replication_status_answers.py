# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What replication_status says of servers that give no ordinary session: each kind of answer, on a real server."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


@pytest.fixture
def ask(module):
    """Answer, status and codes of the reasons."""

    def call(server, **options):
        login = {"data_directory": str(server.data), "connect_timeout": 2, **server.login, **options}
        result = module("replication_status", **login)
        assert "status" in result, result
        return result["status"], [each["code"] for each in result["reasons"]]

    return call


@contextmanager
def sessions(server, servers, count):
    """Hold that many superuser sessions."""
    held = [
        subprocess.Popen(
            servers.as_owner(servers.bin_dir() / "psql", "-XqAt", "-h", server.socket, "-p", str(server.port), "-U", "postgres"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for _each in range(count)
    ]  # fmt: skip
    try:
        for each in held:
            assert each.stdin
            assert each.stdout
            each.stdin.write("SELECT 1;\n")
            each.stdin.flush()
            assert each.stdout.readline() == "1\n"
        yield
    finally:
        for each in held:
            each.communicate("\\q\n")


@contextmanager
def frozen(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_too_many_clients(ask, module, servers):
    """Superusers have taken even the reserved connections; what looks after the server still gets in."""
    primary = servers.primary("primary", max_connections=5, superuser_reserved_connections=3)
    standby = servers.standby(primary, "node1", hot_standby="on", max_connections=5)
    until(lambda: primary.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1")
    with sessions(primary, servers, 5):
        status, codes = ask(primary)
        assert (status["answer"], status["reachable"], status["running"]) == ("too_many_clients", False, True)
        assert status["server_words"] == "sorry, too many clients already"
        assert codes == ["too_many_connections"]
        assert (status["known"], status["role"]) == (True, "primary")
        assert [each["name"] for each in status["standbys"]] == ["node1"], "its own session is none of them"
        assert module("replication_status", expect={"role": "primary"}, **primary.login)["failed"]
        made = module("replication_slot", name="while_full", **primary.login)
        assert (made["failed"], made["changed"]) == (False, True)
        primary.write_config(max_wal_senders=1)
    with sessions(standby, servers, 5):
        assert ask(standby)[0]["answer"] == "too_many_clients"
        assert not module("promote", **standby.login)["failed"], "a failover may find readers on every connection"
    standby.stop("immediate")
    primary.stop()
    primary.write_config(max_wal_senders=0)
    primary.start()
    with sessions(primary, servers, 5):
        status, codes = ask(primary)
        assert (status["answer"], status["known"], codes) == ("too_many_clients", False, ["too_many_connections"])
        assert (status["role"], status["timeline"], status["cluster_state"]) == ("primary", 1, "in production")


def test_refusals(ask, servers):
    primary = servers.primary("primary")
    tcp = {"login_unix_socket": "", "login_host": "127.0.0.1", "login_user": "replicator"}
    status, codes = ask(primary, **tcp, login_password="not it")
    assert (status["answer"], codes) == ("authentication_failed", ["wrong_password"])
    assert status["server_words"] == 'password authentication failed for user "replicator"'
    assert ask(primary, login_user="nobody_of_that_name")[0]["answer"] == "authentication_failed"
    primary.psql("CREATE ROLE sleeper NOLOGIN")
    assert ask(primary, login_user="sleeper")[0]["answer"] == "authentication_failed"
    assert ask(primary, login_db="nowhere")[0]["answer"] == "refused"
    primary.hba("host all all 127.0.0.1/32 reject")
    assert ask(primary, **tcp, login_password="secret")[0]["answer"] == "rejected_by_hba"
    primary.write("pg_hba.conf", "host all all 192.0.2.1/32 trust\n")
    primary.ctl("reload")
    until(lambda: ask(primary)[0]["answer"] == "rejected_by_hba")
    status, _codes = ask(primary)
    assert (status["running"], status["role"], status["reachable"]) == (True, "primary", False)
    assert "no pg_hba.conf entry" in status["server_words"]


def test_another_language(ask, servers, tmp_path):
    """Words that nobody knows: the error's code is asked for in the server's own protocol."""
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout
    language = next((name for name in known.split() if name.startswith(("de_DE", "fr_FR"))), "C")
    primary = servers.primary("primary", lc_messages=language)
    primary.hba("host all all 127.0.0.1/32 reject")
    tcp = {"login_unix_socket": "", "login_host": "127.0.0.1", "login_user": "replicator"}
    assert ask(primary, **tcp)[0]["answer"] == "rejected_by_hba"


def test_starting_and_closed(ask, module, servers):
    primary = servers.primary("primary")
    node = servers.standby(primary, "node1", hot_standby="off")
    status, codes = ask(node)
    assert (status["answer"], status["role"], codes) == ("hot_standby_off", "standby", ["hot_standby_off"])
    assert "not accepting connections" in status["server_words"] or "not yet accepting" in status["server_words"]
    node.stop()
    node.write_config(hot_standby="on", restore_command="sleep 60")
    servers.run("rm", "-f", *[str(each) for each in (node.data / "pg_wal").glob("0*")])
    starting = servers.as_owner(servers.bin_dir() / "pg_ctl", "start", "-s", "-W", "-D", node.data, "-l", node.log)
    subprocess.run(starting, check=True, cwd="/")
    until(lambda: ask(node)[0]["answer"] == "starting_up")
    status, codes = ask(node)
    assert (status["role"], status["running"], codes) == ("standby", True, ["starting_up"])
    node.stop("immediate")


def test_shutting_down(ask, servers):
    primary = servers.primary("primary")
    with sessions(primary, servers, 1):
        stopping = servers.as_owner(servers.bin_dir() / "pg_ctl", "stop", "-s", "-W", "-m", "smart", "-D", primary.data)
        subprocess.run(stopping, check=True, cwd="/")
        until(lambda: ask(primary)[0]["answer"] == "shutting_down")
        status, codes = ask(primary)
        assert (status["running"], status["role"], codes) == (True, "primary", ["shutting_down"])
    until(lambda: ask(primary)[0]["answer"] == "stopped")


def test_frozen_and_not_listening(ask, servers):
    primary = servers.primary("primary")
    with frozen(primary.pid):
        status, codes = ask(primary)
        assert (status["answer"], status["running"], status["role"], codes) == ("frozen", True, "primary", ["frozen"])
        assert ask(primary, data_directory=None)[0]["answer"] == "timed_out"
    elsewhere = {"login_port": primary.port + 1}
    status, codes = ask(primary, **elsewhere)
    assert (status["answer"], status["running"], status["role"]) == ("not_listening", True, "primary")
    assert codes == ["not_listening"]
    assert ask(primary, data_directory=None, **elsewhere)[0]["answer"] == "connection_refused"
    nowhere = {"login_unix_socket": "", "login_host": "no.such.host.invalid", "data_directory": None}
    assert ask(primary, **nowhere)[0]["answer"] == "unreachable"
    primary.stop()
    assert ask(primary)[0]["answer"] == "stopped"
    assert ask(primary, data_directory=str(servers.data("gone")))[0]["answer"] == "absent"


def test_why_it_does_not_run(module, servers):
    primary = servers.primary("primary")
    place = servers.data("tablespace")
    servers.run("mkdir", place)
    primary.psql(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")

    def why():
        options = {"data_directory": str(primary.data), "log_file": str(primary.log), **primary.login}
        (found,) = module("replication_status", **options)["reasons"]
        assert found["code"] == "not_running"
        return found

    primary.stop()
    assert (why()["causes"], "received fast shutdown request" in why()["message"]) == (["log"], True)
    primary.write_config(work_mem="much")
    starting = servers.as_owner(
        servers.bin_dir() / "pg_ctl", "start", "-s", "-w", "-D", primary.data, "-l", primary.log
    )
    subprocess.run(starting, check=False, cwd="/", capture_output=True)
    assert 'invalid value for parameter "work_mem": "much"' in why()["message"]
    servers.run("mv", place, f"{place}.away")
    assert why()["causes"] == ["directory_missing", "log"]
    assert str(place) in why()["message"]
    assert "Mount" in why()["remedy"]
    servers.run("mv", f"{place}.away", place)
    primary.write_config(work_mem="4MB")
    primary.start()
    os.kill(primary.pid, signal.SIGKILL)
    until(lambda: not primary.running)
    assert why()["causes"] == ["ended_without_shutdown"]
