# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""replication_status on nodes that are as they should be, and on nodes whose server does not answer."""

from __future__ import annotations

import json
import re
import subprocess
import time

import jmespath
import pytest

from ansible_collections.pgfleet.cluster.plugins.modules import replication_status
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

EXPRESSION = re.findall(r"json_query\('(.+?)'\)", replication_status.EXAMPLES)


def codes(result):
    assert "reasons" in result, result
    return [reason["code"] for reason in result["reasons"]]


def outcome(process):
    """The result of a module that was started."""
    process.stdin = None  # was closed; communicate() would flush it
    return json.loads(process.communicate(timeout=60)[0])


@pytest.fixture
def status(module):
    """Call the module; whatever happens, the status is there, and check mode says the same."""

    def call(server, **options):
        result = module("replication_status", **{**server.login, **options})
        assert not result.get("changed")
        assert set(result["status"]) >= {"role", "standbys", "slots", "settings"}, result
        if result["failed"]:
            assert result["reasons"]
            assert all(
                reason["message"] in result["msg"] and reason["remedy"] in result["msg"] for reason in result["reasons"]
            )
        return result

    return call


@pytest.fixture
def primary(servers):
    return servers.primary("primary", cluster_name="primary")


def test_primary_alone(status, primary):
    result = status(primary, sizes=True)
    found = result["status"]
    assert codes(result) == []
    assert not result["failed"]
    assert (found["role"], found["timeline"], found["running"], found["reachable"]) == ("primary", 1, True, True)
    assert found["system_identifier"] == primary.psql("SELECT system_identifier FROM pg_control_system()")
    assert found["version"] == primary.psql("SHOW server_version").split()[0]
    assert found["address"] == f"{primary.socket}:{primary.port}"
    assert (found["cluster_name"], found["data_directory"]) == ("primary", str(primary.data))
    assert found["lsn"]["receive"] is None
    assert found["lsn"]["current"]
    assert (found["standbys"], found["slots"], found["wal_receiver"], found["upstream"]) == ([], [], None, None)
    assert found["checksums"] == {"enabled": True, "failures": 0}
    assert found["archiver"]["mode"] == "off"
    assert found["settings"] == {
        "pending_restart": [], "pending_values": {}, "reload_pending": False, "file_errors": [], "hba_errors": [],
        "overridden": [],
    }  # fmt: skip
    assert found["free_wal_senders"] == found["max_wal_senders"] == 10
    assert found["wal"]["bytes"] % (16 * 1024 * 1024) == 0
    assert found["wal"]["max_slot_wal_keep_size"] == -1
    assert found["database_bytes"] > 1_000_000
    assert status(primary)["status"]["database_bytes"] is None


def test_expectations_of_a_primary(status, primary):
    system = status(primary)["status"]["system_identifier"]
    assert not status(primary, expect={"role": "primary", "timeline": 1, "system_identifier": system})["failed"]
    assert not status(primary, expect={})["failed"]
    assert codes(status(primary, expect={"role": "standby"})) == ["wrong_role"]
    wrong = {"timeline": 2, "system_identifier": "1", "standbys": ["node1"], "slots": ["node1_slot"]}
    result = status(primary, expect=wrong)
    assert result["failed"]
    assert codes(result) == ["wrong_system_identifier", "wrong_timeline", "standby_missing", "slot_missing"]
    assert result["reasons"][2]["standby"] == "node1"
    assert result["status"]["role"] == "primary"


def test_check_mode_says_the_same(module, primary):
    options = {"expect": {"standbys": ["node1"]}, **primary.login}
    real, checked = module("replication_status", **options), module("replication_status", check=True, **options)
    assert real["failed"]
    assert checked["failed"]
    assert checked["reasons"] == real["reasons"]


def test_time_is_up(status, primary):
    result = status(primary, expect={"standbys": ["node1"]}, wait=1.2)
    assert codes(result) == ["standby_missing"]
    assert 1.2 <= result["waited_seconds"] < 2


def test_nothing_is_waited_for_that_is_there(status, primary):
    assert status(primary, expect={"role": "primary"}, wait=30)["waited_seconds"] < 1


def test_position_must_be_one(module, primary):
    result = module("replication_status", expect={"replayed_lsn": "soon"}, **primary.login)
    assert result["code"] == "invalid_input"
    assert "0/3000060" in result["msg"]


def test_two_standbys(status, module, servers, primary):
    module("replication_slot", slots=[{"name": "node1_slot"}, {"name": "node2_slot"}], **primary.login)
    node1 = servers.standby(primary, "node1", slot="node1_slot")
    waiting = module.start(
        "replication_status",
        expect={"standbys": ["node1", "node2"], "slots": ["node1_slot", "node2_slot"], "max_lag_bytes": 0},
        wait=30,
        **primary.login,
    )
    node2 = servers.standby(primary, "node2", slot="node2_slot")
    waited = outcome(waiting)
    assert waited["reasons"] == []
    assert [each["name"] for each in waited["status"]["standbys"]] == ["node1", "node2"]
    assert [each["slot"] for each in waited["status"]["standbys"]] == ["node1_slot", "node2_slot"]
    assert {each["state"] for each in waited["status"]["standbys"]} == {"streaming"}
    assert [each["active"] for each in waited["status"]["slots"]] == [True, True]
    assert waited["status"]["free_wal_senders"] == 8
    assert codes(status(primary, expect={"sync_state": "sync"})) == ["wrong_sync_state"] * 2
    _one_standby(status, node1, primary)
    _paused(status, node2, primary)
    _promoted(status, node2, primary)


def _one_standby(status, node, primary):
    found = status(node, expect={"role": "standby", "max_lag_seconds": 0, "max_lag_bytes": 0}, wait=10)["status"]
    assert found["upstream"] == {
        "host": str(primary.socket), "port": primary.port, "slot": "node1_slot", "application_name": None, "user": "postgres",
    }  # fmt: skip
    assert found["wal_receiver"]["status"] == "streaming"
    assert found["wal_receiver"]["slot"] == "node1_slot"
    assert found["wal_receiver"]["last_message_age_seconds"] < 60
    assert found["lsn"]["current"] is None
    assert found["lsn"]["replay"]
    follows = {"primary": {"host": str(primary.socket), "port": primary.port}}
    assert not status(node, expect=follows)["failed"]
    assert codes(status(node, expect={"primary": {"host": "elsewhere"}})) == ["wrong_primary"]
    assert codes(status(node, expect={"role": "primary"})) == ["wrong_role"]


def _paused(status, node, primary):
    node.psql("SELECT pg_wal_replay_pause()")
    primary.psql("CREATE TABLE ballast AS SELECT repeat('x', 100) AS x FROM generate_series(1, 20000)")
    here = primary.psql("SELECT pg_current_wal_lsn()")
    behind = {"standbys": ["node2"], "max_lag_bytes": 1048576, "replayed_lsn": here}
    result = status(primary, expect=behind)
    assert codes(result) == ["lagging", "not_replayed"]
    assert result["reasons"][0]["found"] > 1048576
    assert [jmespath.search(each, result) for each in EXPRESSION] == [["node2"]]
    own = status(node, expect={"max_lag_bytes": 1048576, "max_lag_seconds": 0.01, "replayed_lsn": here})
    assert codes(own) == ["lagging", "lagging", "not_replayed", "replay_paused"]
    assert own["status"]["replay_paused"] is True
    assert codes(status(node)) == ["replay_paused"]
    node.psql("SELECT pg_wal_replay_resume()")
    assert not status(primary, expect=behind, wait=10)["failed"]
    assert [jmespath.search(each, status(primary)) for each in EXPRESSION] == [[]]


def _promoted(status, node, primary):
    node.ctl("promote")
    result = status(node, expect={"role": "primary", "timeline": 2}, wait=10)
    assert not result["failed"]
    assert result["status"]["upstream"] is None
    assert codes(status(primary, expect={"timeline": 2, "slots": ["node2_slot"]})) == [
        "wrong_timeline",
        "slot_inactive",
    ]


def test_a_standby_whose_primary_is_gone_knows_its_timeline(status, servers, primary, module):
    """The control file learns of a new timeline late, and nobody receives WAL any more: a failover ranks by this."""
    first, second = servers.standby(primary, "node1"), servers.standby(primary, "node2")
    replayed = {"replayed_lsn": primary.psql("SELECT pg_current_wal_lsn()")}
    assert not status(second, expect=replayed, wait=10)["failed"]
    first.ctl("promote")
    second.psql(f"ALTER SYSTEM SET primary_conninfo = 'host={first.socket} port={first.port} user=postgres'")
    second.psql("SELECT pg_reload_conf()")
    assert not status(second, expect={"state": "streaming", "timeline": 2}, wait=10)["failed"]
    first.stop("immediate")
    second.psql("ALTER SYSTEM SET primary_conninfo = ''")
    second.psql("SELECT pg_reload_conf()")
    until(lambda: status(second)["status"]["wal_receiver"] is None)
    assert status(second)["status"]["timeline"] == 2
    servers.run("touch", second.data / "pg_wal/000000090000000000000001")
    assert status(second)["status"]["timeline"] == 2, "an abandoned timeline of which pg_rewind left a segment"
    promoted = module("promote", timeline=2, **second.login)
    assert (promoted["timeline_before"], promoted["timeline_after"]) == (2, 3)


def test_roles_with_fewer_rights(status, servers, primary):
    node = servers.standby(primary, "node1")
    primary.psql("CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher; CREATE ROLE nobody LOGIN")
    assert not status(node, expect={"replayed_lsn": primary.psql("SELECT pg_current_wal_lsn()")}, wait=10)["failed"]
    seen = status(primary, login_user="watcher", expect={"standbys": ["node1"], "max_lag_bytes": 0}, wait=5)
    assert not seen["failed"]
    assert seen["status"]["settings"] == {
        "pending_restart": [], "pending_values": {}, "reload_pending": None, "file_errors": None, "hba_errors": None,
        "overridden": None,
    }  # fmt: skip
    assert seen["status"]["wal"]["bytes"] > 0
    assert status(node, login_user="watcher", sizes=True)["status"]["upstream"]["port"] == primary.port
    unsure = status(primary, login_user="watcher", expect={"no_settings_errors": True, "no_pending_reload": True})
    assert codes(unsure) == ["not_visible"] * 3
    blind = status(primary, login_user="nobody", expect={"standbys": ["node1"]})
    assert codes(blind) == ["not_visible"]
    assert blind["status"]["data_directory"] is None
    assert blind["status"]["wal"] == {"directory": None, "bytes": None, "max_slot_wal_keep_size": -1}
    assert codes(status(node, login_user="nobody", expect={})) == ["not_visible"]


def test_stopped_nodes(status, servers, primary):
    node = servers.standby(primary, "node1")
    system = primary.psql("SELECT system_identifier FROM pg_control_system()")
    node.stop()
    primary.stop()
    asleep = status(node, data_directory=str(node.data))
    assert codes(asleep) == ["not_running"]
    assert not asleep["failed"]
    found = asleep["status"]
    assert (found["running"], found["reachable"], found["role"]) == (False, False, "standby")
    assert (found["system_identifier"], found["timeline"]) == (system, 1)
    assert found["cluster_state"] == "shut down in recovery"
    assert found["upstream"]["port"] == primary.port
    assert found["cluster_name"] == "node1"
    assert found["lsn"]["replay"]
    gate = status(primary, data_directory=str(primary.data), expect={"role": "standby", "timeline": 1}, wait=0.3)
    assert gate["failed"]
    assert codes(gate) == ["not_running", "wrong_role"]
    assert gate["status"]["role"] == "primary"
    assert gate["status"]["cluster_state"] == "shut down"
    nowhere = status(primary)
    assert (codes(nowhere), nowhere["status"]["role"]) == (["unreachable"], "unknown")
    assert "No such file" in nowhere["reasons"][0]["server_words"]


def test_places_without_a_cluster(status, servers, primary):
    primary.stop()
    gone = status(primary, data_directory=str(servers.data("gone")))
    assert (codes(gone), gone["status"]["role"]) == (["data_directory_missing"], "absent")
    foreign = servers.data("foreign")
    subprocess.run(["install", "-d", "-o", foreign.parent.owner(), str(foreign)], check=True)
    empty = status(primary, data_directory=str(foreign))
    assert (codes(empty), empty["status"]["role"]) == (["data_directory_missing"], "absent")
    (foreign / "letter.txt").write_text("keep me")
    other = status(primary, data_directory=str(foreign))
    assert (codes(other), other["status"]["role"]) == (["data_directory_invalid"], "unknown")


def test_a_server_that_comes_late_or_goes_away_in_between(module, primary):
    options = {"data_directory": str(primary.data), "wait": 30, **primary.login}
    primary.stop()
    waiting = module.start("replication_status", expect={"role": "primary"}, **options)
    time.sleep(0.4)
    primary.start()
    assert outcome(waiting)["reasons"] == []
    primary.write_config(shared_buffers="20MB")
    waiting = module.start("replication_status", expect={"no_pending_restart": True}, **options)
    time.sleep(0.4)
    primary.stop("immediate")
    primary.start()
    assert codes(outcome(waiting)) == []


def test_refused_logins(status, servers, primary):
    tcp = {"login_unix_socket": "", "login_host": "127.0.0.1", "login_port": primary.port, "login_user": "replicator"}
    wrong = status(primary, **tcp, login_password="not it", data_directory=str(primary.data))
    assert codes(wrong) == ["wrong_password"]
    assert 'password authentication failed for user "replicator"' in wrong["reasons"][0]["server_words"]
    assert (wrong["status"]["running"], wrong["status"]["reachable"]) == (True, False)
    assert wrong["status"]["role"] == "primary"
    assert status(primary, **tcp, login_password="secret")["status"]["reachable"]
    primary.hba("host all all 127.0.0.1/32 reject")
    gate = status(primary, **tcp, login_password="secret", expect={})
    assert gate["failed"]
    assert codes(gate) == ["no_hba_entry"]
    assert codes(status(primary, login_user="stranger")) == ["role_missing"]
    assert codes(status(primary, login_db="elsewhere")) == ["database_missing"]
    node = servers.standby(primary, "node1", hot_standby="off")
    closed = status(node, data_directory=str(node.data))
    assert codes(closed) == ["hot_standby_off"]
    assert (closed["status"]["role"], closed["status"]["running"]) == ("standby", True)


def test_settings(status, primary):
    wanted = {"no_pending_restart": True, "no_pending_reload": True, "no_settings_errors": True}
    assert not status(primary, expect=wanted)["failed"]
    primary.write_config(work_mem="5MB")
    assert codes(status(primary, expect=wanted)) == ["reload_pending"]
    primary.ctl("reload")
    assert not status(primary, expect=wanted, wait=5)["failed"]
    primary.write_config(shared_buffers="20MB")
    assert codes(status(primary, expect=wanted)) == ["pending_restart", "reload_pending"]
    primary.ctl("reload")
    restart = status(primary, expect={**wanted, "no_pending_restart": False}, wait=5)
    assert not restart["failed"]
    assert restart["status"]["settings"]["pending_restart"] == ["shared_buffers"]
    assert restart["status"]["settings"]["pending_values"]["shared_buffers"]["wanted"]
    assert codes(restart) == []
    assert [each["code"] for each in restart["findings"]] == ["pending_restart"]
    primary.write_config(shared_buffers="16MB", work_mem="plenty")
    wrong = status(primary, expect={"no_settings_errors": True})
    assert codes(wrong) == ["settings_error"]
    assert wrong["reasons"][0]["file"].endswith("pgfleet_test.conf")
    assert "(work_mem)" in wrong["msg"]
    primary.write_config(work_mem="5MB")
    primary.hba("hostx all all all trust")
    bad_rule = status(primary, expect={"no_settings_errors": True})
    assert codes(bad_rule) == ["hba_error"]
    assert bad_rule["status"]["settings"]["hba_errors"][0]["line"] == 3


def test_logical_replication_is_seen_while_a_server_runs_and_afterwards(status, servers):
    server = servers.primary(wal_level="logical")
    server.psql(
        "SELECT pg_create_logical_replication_slot('sub', 'pgoutput'), pg_create_physical_replication_slot('b_slot')"
    )
    server.psql("CREATE SUBSCRIPTION orders CONNECTION 'host=192.0.2.1' PUBLICATION p WITH (connect = false)")
    assert status(server)["status"]["subscriptions"] == []
    server.psql("SET session_replication_role = replica; UPDATE pg_subscription SET subenabled = true")
    found = status(server)["status"]
    assert found["subscriptions"] == [{"name": "orders", "database": "postgres"}]
    assert found["stored_logical_slots"] is None
    server.stop("immediate")
    found = status(server, data_directory=str(server.data))["status"]
    assert (found["running"], found["stored_logical_slots"]) == (False, ["sub"])
