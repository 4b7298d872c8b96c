# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""replication_slot on real servers: check, apply, apply again, absent, absent again; and slots that are in the way."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

LOGICAL = {"slot_type": "logical", "plugin": "pgoutput", "database": "shop"}


@pytest.fixture(scope="module")
def primary(shared_servers):
    """One server for all tests that do not wear it out; each leaves it without slots."""
    made = shared_servers.primary("primary", wal_level="logical", max_replication_slots=20)
    made.psql("CREATE DATABASE shop")
    return made


@pytest.fixture
def slot(module, primary):
    """Call the module on the shared server."""

    def call(**options):
        return module("replication_slot", **{**primary.login, **options})

    yield call
    primary.psql(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active;"
        "SELECT pg_sleep(0.1) FROM pg_replication_slots WHERE active;"
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
    )


def names(server):
    return server.psql("SELECT slot_name FROM pg_replication_slots ORDER BY 1").split()


def actions(result):
    assert "slots" in result, result
    return {each["name"]: each["action"] for each in result["slots"]}


@contextmanager
def consumer(servers, server, slot):
    """A pg_receivewal that uses the slot."""
    received = servers.data(f"received-{slot}")
    received.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [servers.bin_dir() / "pg_receivewal", "-D", received, "-S", slot, "-h", server.socket, "-p", str(server.port),
         "-U", "postgres", "--no-loop"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(
            lambda: server.psql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'") == "t",
            seconds=15,
        )
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"name": "node1_slot"}, id="physical"),
        pytest.param({"name": "node1_slot", "reserve_wal": False}, id="physical without WAL"),
        pytest.param({"name": "node1_slot", **LOGICAL}, id="logical in another database"),
        pytest.param({"name": "node1_slot", **LOGICAL, "two_phase": True}, id="logical with two_phase"),
        pytest.param({"slots": [{"name": "node1_slot"}, {"name": "reports", **LOGICAL}]}, id="a list of both kinds"),
        pytest.param({"slots": [{"name": f"n{number:02}"} for number in range(16)]}, id="sixteen at once"),
    ],
)
def test_there_and_gone(slot, primary, options):
    wanted = sorted(each["name"] for each in options.get("slots", [options]))
    checked = slot(check=True, **options)
    assert checked["changed"]
    assert names(primary) == []
    done = slot(**options)
    assert done["changed"]
    assert names(primary) == wanted
    assert actions(done) == actions(checked) == dict.fromkeys(wanted, "created")
    assert done["diff"] == checked["diff"]
    assert set(done["diff"]["after"]) == set(wanted)
    for again in (slot(check=True, **options), slot(**options)):
        assert not again["changed"]
        assert actions(again) == dict.fromkeys(wanted, "none")
        assert again["diff"]["before"] == again["diff"]["after"]
    gone = {"slots": [{"name": name, "state": "absent"} for name in wanted]}
    assert slot(check=True, **gone)["changed"]
    assert names(primary) == wanted
    dropped = slot(**gone)
    assert (dropped["changed"], actions(dropped)) == (True, dict.fromkeys(wanted, "dropped"))
    assert names(primary) == []
    again = slot(**gone)
    assert (again["changed"], again["slots"]) == (False, [])


def test_returned_facts(slot, primary):
    physical, logical = slot(slots=[{"name": "node1_slot"}, {"name": "reports", **LOGICAL}])["slots"]
    assert (physical["slot_type"], physical["plugin"], physical["database"]) == ("physical", None, None)
    assert (logical["slot_type"], logical["plugin"], logical["database"]) == ("logical", "pgoutput", "shop")
    assert logical["confirmed_flush_lsn"]
    for each in (physical, logical):
        assert each["restart_lsn"] in primary.psql("SELECT restart_lsn FROM pg_replication_slots").split()
        assert (each["wal_status"], each["active"], each["active_pid"], each["lost"]) == (
            "reserved",
            False,
            None,
            False,
        )
        assert (each["temporary"], each["two_phase"]) == (False, False)
        assert each["retained_bytes"] >= 0
    assert set(physical) == set(logical)


def test_a_slot_that_reserves_nothing_is_made_to(slot):
    slot(name="node1_slot", reserve_wal=False)
    result = slot(name="node1_slot")
    assert (result["changed"], actions(result)) == (True, {"node1_slot": "recreated"})
    assert result["slots"][0]["restart_lsn"]
    assert not slot(name="node1_slot")["changed"]


def test_exclusive(slot, primary, shared_servers):
    primary.psql(
        "SELECT pg_create_physical_replication_slot(n, true) FROM unnest(ARRAY['busy', 'left1', 'left2']) AS n"
    )
    slot(name="reports", **LOGICAL)
    with consumer(shared_servers, primary, "busy"):
        checked = slot(check=True, slots=[{"name": "node1_slot"}], exclusive=True)
        result = slot(slots=[{"name": "node1_slot"}], exclusive=True)
        assert actions(result) == actions(checked)
        assert actions(result) == {"node1_slot": "created", "left1": "dropped", "left2": "dropped", "busy": "spared"}
        assert "'busy' is not listed but active" in str(result["warnings"])
        assert names(primary) == ["busy", "node1_slot", "reports"]
        assert not slot(slots=[{"name": "node1_slot"}], exclusive=True)["changed"]
        forced = slot(slots=[], exclusive=True, on_active="terminate")
        assert actions(forced) == {"busy": "dropped", "node1_slot": "dropped"}
    assert names(primary) == ["reports"]


def test_exclusive_with_a_record_drops_only_slots_of_its_own(slot, primary):
    """The names are kept in a comment on the role, which every standby has, too."""
    comment = "SELECT shobj_description('replicator'::regrole, 'pg_authid')"
    primary.psql("COMMENT ON ROLE replicator IS 'ours'")
    ours = {"exclusive": True, "record_role": "replicator"}
    two = [{"name": "node1_slot"}, {"name": "node2_slot"}]
    assert slot(check=True, slots=two, **ours)["changed"]
    assert slot(slots=two, record_slots=["primary_slot"], **ours)["changed"]
    assert primary.psql(comment) == "ours [pgfleet slots: node1_slot node2_slot primary_slot]"
    assert not slot(slots=two, record_slots=["primary_slot"], **ours)["changed"]
    primary.psql("SELECT pg_create_physical_replication_slot(n, true) FROM unnest(ARRAY['barman', 'other_slot']) AS n")
    checked = slot(check=True, slots=two[:1], **ours)
    result = slot(slots=two[:1], **ours)
    assert actions(result) == actions(checked)
    assert result["dropped"] == ["node2_slot"]
    assert actions(result) == {
        "node1_slot": "none",
        "node2_slot": "dropped",
        "barman": "foreign",
        "other_slot": "foreign",
    }
    assert names(primary) == ["barman", "node1_slot", "other_slot"]
    assert primary.psql(comment) == "ours [pgfleet slots: node1_slot]"
    assert not slot(slots=two[:1], **ours)["changed"]
    primary.psql("COMMENT ON ROLE replicator IS NULL")


def test_an_active_slot_is_not_dropped(slot, primary, shared_servers):
    slot(name="busy")
    gone = {"name": "busy", "state": "absent"}
    with consumer(shared_servers, primary, "busy"):
        pid = int(primary.psql("SELECT active_pid FROM pg_replication_slots"))
        real, checked = slot(**gone), slot(check=True, **gone)
        assert real["failed"]
        assert checked["failed"]
        assert (real["code"], real["msg"]) == (checked["code"], checked["msg"])
        assert real["code"] == "slot_active"
        assert f"process {pid}" in real["msg"]
        assert "on_active" in real["remedy"]
        assert slot(name="busy")["slots"][0]["active_pid"] == pid
        assert slot(check=True, on_active="wait", **gone)["changed"]

        started = time.monotonic()
        late = slot(on_active="wait", timeout=1, **gone)
        assert 1 <= time.monotonic() - started < 4
        assert (late["failed"], late["code"]) == (True, "slot_active")
        assert f"process {pid}" in late["msg"]
        assert "1.0 s" in late["msg"]
        assert names(primary) == ["busy"]


def test_an_active_slot_is_waited_for(slot, module, primary, shared_servers):
    slot(name="busy")
    with consumer(shared_servers, primary, "busy") as process:
        waiting = module.start(
            "replication_slot", name="busy", state="absent", on_active="wait", timeout=20, **primary.login
        )
        time.sleep(0.7)
        assert waiting.poll() is None
        process.terminate()
        process.wait()
        waiting.stdin = None  # was closed; communicate() would flush it
        result = json.loads(waiting.communicate(timeout=30)[0])
    assert (result["changed"], actions(result)) == (True, {"busy": "dropped"})
    assert names(primary) == []


def test_the_slot_of_a_live_standby_is_taken_from_it(slot, module, primary, shared_servers):
    slot(name="node1_slot")
    standby = shared_servers.standby(primary, "node1", slot="node1_slot", wal_retrieve_retry_interval="50ms")
    serving = {"standbys": ["node1"], "slots": ["node1_slot"]}
    assert not module("replication_status", expect=serving, wait=10, **primary.login)["failed"]
    result = slot(name="node1_slot", state="absent", on_active="terminate")
    assert (result["changed"], actions(result)) == (True, {"node1_slot": "dropped"})
    assert names(primary) == []
    slot(name="node1_slot")
    assert not module("replication_status", expect=serving, wait=10, **primary.login)["failed"]
    standby.stop("immediate")


def test_a_lost_slot(module, servers):
    primary = servers.primary("primary", max_slot_wal_keep_size="1MB", min_wal_size="32MB")
    assert not module("replication_slot", name="node1_slot", **primary.login)["slots"][0]["lost"]
    primary.psql("SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal();" * 3 + "CHECKPOINT")
    assert primary.psql("SELECT wal_status FROM pg_replication_slots") == "lost"
    for check in (True, False):
        refused = module("replication_slot", check=check, name="node1_slot", **primary.login)
        assert (refused["failed"], refused["code"], refused["slot"]) == (True, "slot_lost", "node1_slot")
        assert "on_lost" in refused["msg"]
    again = {"name": "node1_slot", "on_lost": "recreate", **primary.login}
    assert actions(module("replication_slot", check=True, **again)) == {"node1_slot": "recreated"}
    assert primary.psql("SELECT wal_status FROM pg_replication_slots") == "lost"
    result = module("replication_slot", **again)
    assert (result["changed"], actions(result)) == (True, {"node1_slot": "recreated"})
    assert result["slots"][0]["lost"] is False
    assert result["diff"]["before"]["node1_slot"]["wal_status"] == "lost"
    assert not module("replication_slot", **again)["changed"]


def test_another_kind_of_slot(slot, primary):
    slot(name="taken")
    primary.psql("SELECT pg_create_logical_replication_slot('other', 'test_decoding')", database="shop")
    for options, words in (
        ({"name": "taken", **LOGICAL}, "slot_type 'physical', but 'logical' was asked for"),
        ({"name": "other"}, "slot_type 'logical', but 'physical'"),
        ({"name": "other", **LOGICAL}, "plugin 'test_decoding', but 'pgoutput'"),
        (
            {"name": "other", **LOGICAL, "plugin": "test_decoding", "database": "postgres"},
            "database 'shop', but 'postgres'",
        ),
    ):
        for check in (True, False):
            result = slot(check=check, **options)
            assert (result["failed"], result["code"]) == (True, "slot_mismatch")
            assert words in result["msg"]
    assert names(primary) == ["other", "taken"]


def test_what_can_never_be(slot, primary):
    for options, code, words in (
        ({"name": "Node-1"}, "invalid_input", "lower-case letters"),
        ({"name": "a", "plugin": "pgoutput"}, "invalid_input", "is physical"),
        ({"name": "a", "slot_type": "logical"}, "invalid_input", "lacks its plugin"),
        ({"slots": [{"name": "a"}, {"name": "a"}]}, "invalid_input", "listed 2 times"),
        ({"slots": [{"name": "a"}], "state": "absent"}, "invalid_input", "state given beside 'slots'"),
        ({"slots": [{"name": f"n{number}"} for number in range(21)]}, "too_many_slots", "max_replication_slots is 20"),
        ({"slots": [{"name": "a"}, {"name": "b", **LOGICAL, "database": "nowhere"}]}, "database_missing", "'nowhere'"),
    ):
        for check in (True, False):
            result = slot(check=check, **options)
            assert result["failed"], options
            assert result["code"] == code
            assert words in result["msg"]
            assert names(primary) == []
    both = slot(name="a", slots=[])
    assert both["failed"]
    assert "mutually exclusive" in both["msg"]
    assert "one of" in slot()["msg"]


def test_a_temporary_slot_has_the_name(slot, primary, shared_servers):
    with psql_session(shared_servers, primary) as session:
        session.stdin.write("SELECT pg_create_physical_replication_slot('mine', true, true);\n")
        session.stdin.flush()
        until(lambda: names(primary) == ["mine"], seconds=15)
        result = slot(check=True, name="mine")
        assert (result["failed"], result["code"]) == (True, "slot_mismatch")
        assert "temporary" in result["msg"]
        assert not slot(slots=[], exclusive=True)["changed"]
        assert names(primary) == ["mine"]


@contextmanager
def psql_session(servers, server):
    """A psql that stays; its temporary slots end with it."""
    process = subprocess.Popen(
        [servers.bin_dir() / "psql", "-XAtq", "-h", server.socket, "-p", str(server.port), "-U", "postgres", "-d", "postgres"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        until(lambda: names(server) == [], seconds=15)


def test_features_of_newer_servers_are_named(slot, primary):
    if int(primary.psql("SHOW server_version_num")) >= 170000:
        pytest.skip("This server knows failover slots.")
    for check in (True, False):
        result = slot(check=check, name="a", **LOGICAL, failover=True)
        assert (result["failed"], result["code"], result["needed"]) == (True, "missing_feature", 17)
        assert result["found"] == primary.psql("SHOW server_version").split()[0]
        assert "failover needs PostgreSQL 17 or newer" in result["msg"]


def test_logical_slots_need_wal_level(module, servers):
    plain = servers.primary("plain")
    result = module("replication_slot", check=True, name="a", **{**LOGICAL, "database": "postgres"}, **plain.login)
    assert (result["failed"], result["code"]) == (True, "wal_level_too_low")
    assert "'replica'" in result["msg"]


def test_logins_that_fail(slot, primary):
    tcp = {"login_unix_socket": "", "login_host": "127.0.0.1", "login_port": primary.port, "login_user": "replicator"}
    wrong = slot(name="a", **tcp, login_password="guessed")
    assert (wrong["failed"], wrong["code"]) == (True, "wrong_password")
    assert "guessed" not in json.dumps(wrong)
    assert f"127.0.0.1:{primary.port} refused the login of 'replicator'" in wrong["msg"]
    assert slot(name="a", **tcp, login_password="secret")["changed"]
    closed = slot(name="a", **{**tcp, "login_port": 1})
    assert (closed["failed"], closed["code"]) == (True, "unreachable")
    unknown = slot(name="a", **{**tcp, "login_host": "nowhere.invalid"})
    assert (unknown["failed"], unknown["code"]) == (True, "unreachable")
    socket = slot(name="a", login_unix_socket="/nowhere")
    assert (socket["failed"], socket["code"]) == (True, "unreachable")
    assert "/nowhere" in socket["msg"]
    primary.psql("CREATE ROLE clerk LOGIN")
    denied = slot(name="b", login_user="clerk")
    assert denied["failed"]
    assert denied["sqlstate"] == "42501"
    assert "permission denied" in denied["msg"] or "must be superuser or replication role" in denied["msg"]
