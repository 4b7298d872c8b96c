# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Why a standby does not stream, and what becomes of its slot: reasons provoked on real servers."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

#: A standby that tries again at once.
EAGER = {"wal_retrieve_retry_interval": "100ms"}


def reasons(result):
    return {reason["code"]: reason for reason in result["reasons"]}


@pytest.fixture
def why(module):
    """Ask a standby until it gives this reason, which it must within seconds."""

    def ask(node, code, **options):
        deadline = time.monotonic() + 15
        while True:
            result = module("replication_status", expect={}, data_directory=str(node.data), **node.login, **options)
            if code in reasons(result):
                assert result["failed"]
                return reasons(result)[code]
            assert time.monotonic() < deadline, f"{code} was expected: {result}\n{node.log.read_text()[-2000:]}"
            time.sleep(0.1)

    return ask


def streams(module, node):
    result = module("replication_status", expect={}, wait=15, **node.login)
    assert not result["failed"], result


def tell(node, **settings):
    """Change settings of a running server."""
    for name, value in settings.items():
        node.psql(f"ALTER SYSTEM SET {name} = '{value}'")
    node.psql("SELECT pg_reload_conf()")


def use_wal(server, segments):
    server.psql("SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal();" * segments)


def test_a_standby_that_is_not_served(module, servers, why):
    primary = servers.primary("primary", archive_mode="on", archive_command="false")
    node = servers.standby(primary, "node1", **EAGER)
    conninfo = f"host=127.0.0.1 port={primary.port} user=replicator"

    tell(node, primary_conninfo=f"{conninfo} password=tellnobody")
    found = why(node, "replication_login_refused")
    assert found["cause"] == "wrong_password"
    assert 'password authentication failed for user "replicator"' in found["server_words"]
    assert "127.0.0.1" in found["message"]
    assert "tellnobody" not in json.dumps(module("replication_status", **node.login))

    primary.hba("host replication replicator 127.0.0.1/32 reject")
    tell(node, primary_conninfo=f"{conninfo} password=secret")
    found = why(node, "replication_login_refused")
    assert (found["cause"], "no_wal_receiver") == ("no_hba_entry", why(node, "no_wal_receiver")["code"])

    primary.hba("host replication replicator 127.0.0.1/32 scram-sha-256")
    streams(module, node)
    primary.psql("ALTER ROLE replicator NOREPLICATION; SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
    assert why(node, "replication_login_refused")["cause"] == "not_replication_role"
    primary.psql("ALTER ROLE replicator REPLICATION")

    tell(node, primary_slot_name="nowhere")
    found = why(node, "replication_slot_missing")
    assert (found["slot"], found["server_words"]) == ("nowhere", 'replication slot "nowhere" does not exist')

    primary.psql("SELECT pg_create_physical_replication_slot('taken', true)")
    received = servers.data("received")
    received.mkdir()
    other = subprocess.Popen(
        [servers.bin_dir() / "pg_receivewal", "-D", received, "-S", "taken", "-h", primary.socket,
         "-p", str(primary.port), "-U", "postgres", "--no-sync"],
    )  # fmt: skip
    try:
        while primary.psql("SELECT active FROM pg_replication_slots") != "t":
            time.sleep(0.1)
        tell(node, primary_slot_name="taken")
        assert "is active for PID" in why(node, "slot_in_use")["server_words"]
        assert primary.psql("SELECT active FROM pg_replication_slots") == "t"
    finally:
        other.kill()
        other.wait()
    streams(module, node)

    stranger = servers.primary("stranger", stranger=True)
    tell(node, primary_conninfo=f"host=127.0.0.1 port={stranger.port} user=replicator password=secret")
    found = why(node, "wrong_system_identifier")
    assert found["expected"] == primary.psql("SELECT system_identifier FROM pg_control_system()")
    stranger.stop("immediate")
    assert "Connection refused" in why(node, "upstream_unreachable")["server_words"]
    tell(node, primary_conninfo="")
    why(node, "no_upstream")

    use_wal(primary, 1)
    until(lambda: "archive_failing" in reasons(module("replication_status", **primary.login)), seconds=10)


def test_a_slot_on_its_way_to_lost_and_its_standby(module, servers, why):
    primary = servers.primary("primary", max_slot_wal_keep_size="1MB", min_wal_size="32MB")
    module("replication_slot", name="node1_slot", **primary.login)
    node = servers.standby(primary, "node1", slot="node1_slot", **EAGER)
    wanted = {"expect": {"standbys": ["node1"], "slots": ["node1_slot"]}, **primary.login}
    assert not module("replication_status", wait=10, **wanted)["failed"]
    node.stop()
    assert list(reasons(module("replication_status", **wanted))) == ["standby_missing", "slot_inactive"]

    use_wal(primary, 3)
    result = module("replication_status", **wanted)
    assert list(reasons(result)) == ["standby_missing", "slot_at_risk", "slot_inactive"]
    assert result["status"]["slots"][0]["wal_status"] == "unreserved"
    assert result["status"]["wal"]["max_slot_wal_keep_size"] == 1024 * 1024
    assert reasons(result)["slot_inactive"]["retained_bytes"] > 2 * 16 * 1024 * 1024

    primary.psql("CHECKPOINT")
    result = module("replication_status", **wanted)
    assert list(reasons(result)) == ["standby_missing", "slot_lost"]
    assert result["status"]["slots"][0]["lost"] is True

    node.start()
    found = why(node, "wal_removed")
    assert found["server_words"]
    assert found["slot"] == "node1_slot"


def test_a_former_primary_that_shall_follow(module, servers, why):
    former = servers.primary("former", **EAGER)
    leader = servers.standby(former, "leader")
    streams(module, leader)
    leader.ctl("promote")
    use_wal(former, 1)
    former.stop()
    former.write("standby.signal", "")
    former.write_config(primary_conninfo=f"host={leader.socket} port={leader.port} user=postgres")
    former.start()
    found = why(former, "timeline_diverged")
    assert "is not in this server" in found["server_words"]
    assert "rewind" in found["remedy"].lower()
