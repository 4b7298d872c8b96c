"""Switchover, failover, rejoin, rebuild, restart and removal, with a writer that remembers what was acknowledged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.pgfleet.cluster.tests.integration.fleet import as_postgres
from ansible_collections.pgfleet.cluster.tests.integration.operations.load import (
    NODES,
    full,
    kill,
    leader,
    leads,
    refuse,
    roles,
    started,
    succeed,
    writing,
)
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


@pytest.fixture
def cluster(fleet: Any) -> Any:
    """Led by the node named primary, whoever leads it after the test before."""
    if fleet.psql("primary", "SELECT pg_is_in_recovery()") == "t":
        succeed(fleet, "switchover", to="primary")
    return fleet


def test_check_mode_of_a_switchover_prints_the_plan(cluster: Any) -> None:
    run = succeed(cluster, "switchover", "--check", to="node2")
    assert "Stop it" not in run.output
    assert "Turn node1, node3 to node2 by a reload" in " ".join(run.output.split())
    assert run.changed > 0
    leads(cluster, "primary")


@pytest.mark.parametrize(
    ("to", "words"), [("node9", "There is no node 'node9'"), ("", "No node was named")], ids=["unknown", "not named"]
)
def test_a_switchover_to_nobody_is_refused(cluster: Any, to: str, words: str) -> None:
    refuse(cluster, "switchover", words, to=to)


def test_a_switchover_loses_nothing_and_restarts_nobody_else(cluster: Any) -> None:
    before = {node: started(cluster, node) for node in ("node1", "node3")}
    with writing(cluster) as ledger:
        succeed(cluster, "switchover", to="node2")
        assert ledger.lost("node2") == set()
        assert ledger.rows[-1][0] > 50
        print(f"write gap {ledger.longest_gap:.3f} s")
    assert {node: started(cluster, node) for node in before} == before
    leads(cluster, "node2")
    assert succeed(cluster, "switchover", to="node2").changed == 0
    succeed(cluster, "verify")


def test_a_delayed_standby_is_refused_as_a_target(cluster: Any) -> None:
    cluster.psql("node1", "ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
    cluster.psql("node1", "SELECT pg_reload_conf()")
    try:
        refuse(cluster, "switchover", "node1 replays with a delay of 1 h", to="node1")
    finally:
        cluster.psql("node1", "ALTER SYSTEM RESET recovery_min_apply_delay")
        cluster.psql("node1", "SELECT pg_reload_conf()")


def test_a_promotion_that_fails_is_taken_back(cluster: Any) -> None:
    """The target streams, so the plan takes it, but a reader keeps it from replaying in time for the proof."""
    cluster.psql("primary", "CREATE TABLE late AS SELECT 1 AS n")
    until(lambda: cluster.psql("node1", "SELECT count(*) FROM pg_class WHERE relname = 'late'") == "1")
    reader = subprocess.Popen(
        [*as_postgres(), "psql", "-XAtq", "-p", str(cluster.ports["node1"]), "-d", "postgres"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/",
    )  # fmt: skip
    assert reader.stdin
    assert reader.stdout
    try:
        reader.stdin.write("BEGIN; SELECT n FROM late;\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "1\n"
        cluster.psql("primary", "DROP TABLE late")
        run = cluster.play("playbooks/switchover.yml", to="node1")
        assert run.returncode != 0
        assert "Nothing was promoted. primary is the primary as before" in " ".join(run.output.split())
    finally:
        reader.stdin.close()
        reader.wait()
    leads(cluster, "primary")


def test_a_failover_is_refused_while_the_primary_is_well(cluster: Any) -> None:
    refuse(cluster, "failover", "primary is a primary and takes writes")


def test_a_full_primary_is_alive(cluster: Any) -> None:
    file = cluster.folder / "full.json"
    with full(cluster, "primary"):
        refuse(cluster, "failover", "primary is a primary and alive")
        refuse(cluster, "site", "its server accepts no session (too many clients)")
        run = cluster.play("playbooks/status.yml", "-e", "strict=yes", "-e", "output=json", "-e", f"output_file={file}")
        assert run.returncode != 0
        assert "1 finding: too_many_connections on primary." in " ".join(run.output.split())
    document = json.loads(file.read_text())
    primary, *standbys = document["nodes"]
    assert (primary["answer"], primary["server_words"]) == ("too_many_clients", "sorry, too many clients already")
    assert primary["state"] == "too many clients"
    assert {node["state"] for node in standbys} == {"streaming"}
    assert [(each["node"], each["code"]) for each in document["findings"]] == [("primary", "too_many_connections")]


def test_findings_and_limits_are_said(cluster: Any) -> None:
    cluster.psql("node1", "ALTER SYSTEM SET shared_buffers = '33MB'")
    cluster.psql("node1", "SELECT pg_reload_conf()")
    try:
        run = cluster.play("playbooks/verify.yml", strict=True)
        words = " ".join(run.output.split())
        assert run.returncode != 0
        assert (
            words.index("pending_restart on node1") < words.index("Replayed after:") < words.index("This run is strict")
        )
    finally:
        cluster.psql("node1", "ALTER SYSTEM RESET shared_buffers")
        cluster.psql("node1", "SELECT pg_reload_conf()")
    run = succeed(cluster, "status", "--limit", "node1")
    assert "primary, node2, node3 were not asked, because this run is limited" in " ".join(run.output.split())
    assert "promote" not in run.output
    refused = cluster.play("playbooks/failover.yml", "--limit", "node1,node2", fenced=True)
    assert "not_asked" in refused.output


def test_failover_and_rejoin(cluster: Any) -> None:
    succeed(cluster, "switchover", to="node2")
    kill(cluster, "node2")
    succeed(cluster, "failover", "--check")
    run = succeed(cluster, "failover")
    words = " ".join(run.output.split())
    assert "has all WAL up to" in words
    assert "Keep the stopped server of node2 from being started" in words
    found = roles(cluster)
    assert found["node2"] == "former"
    assert list(found.values()).count("primary") == 1
    assert cluster.site().changed == 0, "a former primary is left alone until it is brought back"
    succeed(cluster, "verify")
    new = next(name for name, role in found.items() if role == "primary")
    succeed(cluster, "failover")
    refuse(cluster, "switchover", "rejoin.yml -e node=node2", to="node2")
    succeed(cluster, "rejoin", "--check", node="node2")
    succeed(cluster, "rejoin", node="node2")
    leads(cluster, new)
    assert succeed(cluster, "rejoin", node="node2").changed == 0
    assert cluster.psql(new, "SELECT count(*) FROM pg_roles WHERE rolname = 'pgfleet_rewind'") == "0"


@pytest.mark.turns(2)  # on containers in every commit
def test_a_frozen_primary_is_stopped_by_force(cluster: Any) -> None:
    kill(cluster, "primary", signal.SIGSTOP)
    succeed(cluster, "failover")
    assert roles(cluster)["primary"] == "former"
    succeed(cluster, "rejoin", node="primary")
    leads(cluster, leader(cluster))


def test_transactions_of_a_split_brain_are_listed_and_given_up(cluster: Any) -> None:
    cluster.psql("primary", "CREATE TABLE split (n int)")
    cluster.psql("node1", "SELECT pg_promote()")
    for number in range(3):
        cluster.psql("primary", f"INSERT INTO split VALUES ({number})")
    for playbook, variables in (
        ("switchover", {"to": "node2"}), ("failover", {}), ("rejoin", {"node": "primary"}), ("restart", {}),
        ("rebuild_standby", {"node": "node2"}), ("remove_standby", {"node": "node2"}), ("verify", {}),
    ):  # fmt: skip
        refuse(cluster, playbook, "2 nodes are primaries of one cluster", **variables)
    cluster.stop("primary")
    for node in ("primary", "node2", "node3"):  # the standbys have followed the wrong one past the fork
        run = succeed(cluster, "rejoin", node=node)
        assert "3 transactions after" in " ".join(run.output.split())
    assert cluster.psql("primary", "SELECT count(*) FROM split") == "0"
    leads(cluster, "node1")


def test_two_promotions_at_one_position_are_told_apart(cluster: Any) -> None:
    """Both call their timeline by the same number, and pg_rewind takes it for one."""
    cluster.psql("primary", "CREATE TABLE twins (n int)")
    cluster.stop("primary")
    both = ("node1", "node2")
    until(lambda: len({cluster.psql(node, "SELECT pg_last_wal_replay_lsn()") for node in both}) == 1)
    for node in both:
        cluster.psql(node, "SELECT pg_promote()")
    cluster.psql("node1", "INSERT INTO twins VALUES (100)")
    for number in range(3):
        cluster.psql("node2", f"INSERT INTO twins VALUES ({number})")
    cluster.stop("node2")
    said = " ".join(succeed(cluster, "rejoin", node="node2").output.split())
    assert "it is not the same one" in said and "3 transactions after" in said, said
    assert cluster.psql("node2", "SELECT n FROM twins") == "100"
    for node in ("primary", "node3"):
        succeed(cluster, "rejoin", node=node)
    leads(cluster, "node1")


def test_a_rewind_that_is_impossible_becomes_a_clone(cluster: Any) -> None:
    data = Path(cluster.psql("primary", "SHOW data_directory"))
    before = set(data.parent.glob(f"{data.name}.replaced-*"))
    kill(cluster, "primary")
    succeed(cluster, "failover")
    note = f'{{"phase": "rewinding", "inode": {data.stat().st_ino}}}'
    file = Path(f"{data}.rewind.pgfleet")
    file.write_text(note)
    run = succeed(cluster, "rejoin", node="primary")
    assert "did not come to its end" in " ".join(run.output.split())
    assert not file.exists()
    set_aside = [path for path in set(data.parent.glob(f"{data.name}.replaced-*")) - before if path.is_dir()]
    assert len(set_aside) == 1
    moved = Path(f"{set_aside[0]}.rewind.pgfleet")
    assert moved.read_text() == note, "the note goes with the directory that it is about"
    shutil.rmtree(set_aside[0])
    moved.unlink()
    leads(cluster, leader(cluster))


def test_a_lost_slot_is_answered_by_a_rebuilt_standby(cluster: Any) -> None:
    data = Path(cluster.psql("node3", "SHOW data_directory"))
    cluster.stop("node3")
    cluster.psql("primary", "ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    cluster.psql("primary", "SELECT pg_reload_conf()")
    for _segment in range(5):
        cluster.psql("primary", "SELECT pg_switch_wal() FROM (SELECT txid_current()) AS t")
        cluster.psql("primary", "CHECKPOINT")
    cluster.psql("primary", "ALTER SYSTEM RESET max_slot_wal_keep_size")
    cluster.psql("primary", "SELECT pg_reload_conf()")
    assert (
        cluster.psql("primary", "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'node3_slot'") == "lost"
    )
    assert cluster.play("site.yml").returncode != 0
    succeed(cluster, "rebuild_standby", node="node3")
    leads(cluster, "primary")
    for directory in data.parent.glob(f"{data.name}.replaced-*"):
        shutil.rmtree(directory)


def test_a_rolling_restart_lets_the_reads_go_on(cluster: Any) -> None:
    before = {node: started(cluster, node) for node in NODES}
    succeed(cluster, "restart")
    after = {node: started(cluster, node) for node in NODES}
    assert all(after[node] > before[node] for node in NODES)
    assert sorted(NODES, key=lambda node: after[node])[-1] == "primary"
    succeed(cluster, "restart", switchover="yes", to="node1")
    leads(cluster, "node1")
    assert all(started(cluster, node) > after[node] for node in NODES)


def test_a_standby_is_taken_out_and_comes_back(cluster: Any) -> None:
    refuse(cluster, "remove_standby", "primary is the primary", node="primary")
    (cluster.folder / "secrets/replication.password").unlink()  # as on another control machine, which makes a new one
    succeed(cluster, "remove_standby", node="node3")
    cluster.hosts({"primary": {}}, {"node1": {}, "node2": {}})
    try:
        assert cluster.site().changed == 0
        slots = cluster.psql(
            "primary", "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots"
        )
        assert slots == "node1_slot node2_slot"
    finally:
        cluster.all_hosts()
    cluster.site()
    leads(cluster, "primary")


@pytest.mark.skipif(os.geteuid() != 0, reason="the silent machine is one that nobody may log in to by ssh")
def test_a_silent_standby_is_taken_out_with_its_rules(cluster: Any) -> None:
    """Its address is known from the inventory alone, as nobody has set pg_server_address."""
    variables = cluster.inventory / "group_vars/postgres.yml"
    before = variables.read_text()
    rules = "SELECT count(*) FROM pg_hba_file_rules WHERE address = '127.0.0.2'"

    def inventory(**node3: Any) -> None:
        others = {"ansible_host": "127.0.0.1"}
        cluster.hosts({"primary": others}, {"node1": others, "node2": others, "node3": node3})

    try:
        listening = before.replace("listen_addresses: 127.0.0.1", "listen_addresses: 127.0.0.1,127.0.0.2")
        variables.write_text(listening.replace("pg_server_address:", "unused:"))
        inventory(ansible_host="127.0.0.2")
        cluster.site()
        assert cluster.psql("primary", rules) == "2"
        cluster.stop("node3")
        inventory(ansible_host="127.0.0.2", ansible_connection="ssh", ansible_port=1)
        assert cluster.play("playbooks/remove_standby.yml", node="node3").returncode == 4
        assert cluster.psql("primary", rules) == "0"
        assert cluster.psql("primary", "SELECT count(*) FROM pg_replication_slots") == "2"
    finally:
        variables.write_text(before)
        cluster.all_hosts()
    cluster.site()
    leads(cluster, "primary")


def test_synchronous_commits_survive_a_failover_and_a_lost_standby_stops_nothing(cluster: Any) -> None:
    cluster.site(pg_server_synchronous="quorum")
    try:
        assert (
            cluster.psql("primary", "SHOW synchronous_standby_names") == 'ANY 1 ("node1", "node2", "node3", "primary")'
        )
        cluster.stop("node3")
        cluster.psql("primary", "CREATE TABLE sync AS SELECT 1 AS n")
        cluster.site(pg_server_synchronous="quorum")
        with writing(cluster) as ledger:
            while not ledger.file.exists() or len(ledger.rows) < 50:
                pass
            kill(cluster, "primary")
            run = succeed(cluster, "failover", pg_server_synchronous="quorum")
            assert "none that was acknowledged is lost" in " ".join(run.output.split())
            new = leader(cluster)
            assert ledger.lost(new) == set()
        succeed(cluster, "rejoin", node="primary", pg_server_synchronous="quorum")
        succeed(cluster, "switchover", to="primary", pg_server_synchronous="quorum")
    finally:
        cluster.site(pg_server_synchronous="off")
    assert cluster.psql("primary", "SHOW synchronous_standby_names") == ""
    leads(cluster, "primary")


def fencing(fleet: Any, command: str) -> str:
    """A file of tasks that fences a silent node by a command on the control machine."""
    task = {
        "name": "Fence {{ pg_operate_fenced_node }}",
        "ansible.builtin.command": command,
        "delegate_to": "localhost",
        "become": False,
    }
    file = fleet.folder / "fencing.yml"
    file.write_text(yaml.safe_dump([task]))
    return str(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="the dead machine is one that nobody may log in to by ssh")
def test_a_machine_that_gives_no_answer_must_be_fenced(cluster: Any) -> None:
    kill(cluster, "primary")
    cluster.hosts(
        {"primary": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}},
        {n: {} for n in NODES[1:]},
    )
    try:
        run = cluster.play("playbooks/failover.yml")
        assert run.returncode != 0
        assert "No answer from primary: it may still take writes" in " ".join(run.output.split())
        run = cluster.play("playbooks/failover.yml", "--check", fenced="yes")
        assert run.returncode == 4, "Ansible's word for: done, but a host was unreachable"
        assert "it was said to be fenced" in " ".join(run.output.split())
        proof = cluster.folder / "powered-off"
        run = cluster.play("playbooks/failover.yml", pg_operate_fence_tasks=fencing(cluster, f"test -e {proof}"))
        assert run.returncode != 0
        assert [cluster.psql(node, "SELECT pg_is_in_recovery()") for node in NODES[1:]] == ["t"] * 3
        run = cluster.play("playbooks/failover.yml", pg_operate_fence_tasks=fencing(cluster, f"touch {proof}"))
        assert run.returncode == 4
        assert all(host["failed"] == 0 for host in run.recap.values())
        assert proof.exists()
        assert "Fence primary" in run.output
    finally:
        cluster.all_hosts()
    new = leader(cluster)
    succeed(cluster, "rejoin", node="primary")
    leads(cluster, new)
