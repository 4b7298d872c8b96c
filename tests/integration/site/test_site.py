"""site.yml on real servers: twice, in check mode, with changed settings, after a switchover, without leaks."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

STANDBYS = ("node1", "node2", "node3")
NODES = ("primary", *STANDBYS)


def test_a_second_run_changes_nothing(fleet: Any) -> None:
    run = fleet.site()
    assert run.changed == 0, run.output
    assert set(run.recap) == set(NODES)


def test_check_mode_on_a_finished_cluster_changes_nothing(fleet: Any) -> None:
    assert fleet.site("--check", "--diff").changed == 0


def test_every_standby_streams_from_its_own_slot(fleet: Any) -> None:
    rows = fleet.psql(
        "primary",
        "SELECT application_name, state, slot_name FROM pg_stat_replication"
        " JOIN pg_replication_slots ON active_pid = pid ORDER BY 1",
    )
    assert rows.splitlines() == [f"{name}|streaming|{name}_slot" for name in STANDBYS]


def test_status_document(fleet: Any) -> None:
    document = fleet.status()
    assert document["problems"] == []
    assert [node["name"] for node in document["nodes"]] == list(NODES)
    for node in document["nodes"][1:]:
        assert node["role"] == "standby"
        assert node["state"] == "streaming"
        assert node["slot"] == f"{node['name']}_slot"
        assert isinstance(node["lag_bytes"], int)
        assert node["timeline"] == 1
    assert document["pagila"]["source"] == "generated"


def test_verify_measures_and_proves(fleet: Any) -> None:
    run = fleet.play("playbooks/verify.yml")
    assert run.returncode == 0, run.output
    assert re.search(r"Replayed after: node1 [\d.]+ ms, node2 [\d.]+ ms, node3 [\d.]+ ms", " ".join(run.output.split()))
    assert fleet.psql("primary", "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgfleet_probe'") == "0"


def test_servers_may_use_every_cpu(fleet: Any) -> None:
    for node in NODES:
        pid = fleet.psql(node, "SELECT pg_backend_pid()")  # a child has the mask of its server
        assert pid.isdigit()
        directory = fleet.psql(node, "SHOW data_directory")
        postmaster = int(Path(directory, "postmaster.pid").read_text().split()[0]) if os.geteuid() == 0 else 0
        assert len(os.sched_getaffinity(postmaster)) == os.cpu_count()


def test_the_replication_role_may_replicate_and_nothing_else(fleet: Any) -> None:
    attributes = fleet.psql(
        "primary",
        "SELECT rolcanlogin, rolreplication, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolpassword LIKE 'SCRAM%'"
        " FROM pg_authid WHERE rolname = 'replicator'",
    )
    assert attributes == "t|t|f|f|f|f|t"
    assert fleet.psql("primary", "SELECT count(*) FROM pg_hba_file_rules WHERE 'replicator' = ANY(user_name)") == "1"
    rules = fleet.psql(
        "node2",
        "SELECT user_name, database, address, auth_method, options FROM pg_hba_file_rules WHERE type = 'hostssl' ORDER BY 1",
    )
    assert fleet.psql("node2", "SELECT count(*) FROM pg_hba_file_rules WHERE type = 'host'") == "0"
    assert (
        rules.splitlines()
        == [
            "{pgfleet_rewind}|{postgres}|127.0.0.1|scram-sha-256|{clientcert=verify-full}",  # a role that exists only while a node is rewound
            "{replicator}|{replication}|127.0.0.1|scram-sha-256|{clientcert=verify-full}",
        ]
    )
    assert fleet.psql("primary", "SELECT count(*) FROM pg_roles WHERE rolname = 'pgfleet_rewind'") == "0"


def test_a_setting_that_needs_a_restart(fleet: Any) -> None:
    started = {node: fleet.psql(node, "SELECT pg_postmaster_start_time()") for node in NODES}
    settings = {"shared_buffers": "32MB", "max_connections": 60, "log_min_duration_statement": "5s"}
    check = fleet.site("--check", pg_server_settings=settings)
    assert check.changed > 0
    assert {node: fleet.psql(node, "SELECT pg_postmaster_start_time()") for node in NODES} == started
    fleet.site(pg_server_settings=settings)
    now = {node: fleet.psql(node, "SELECT pg_postmaster_start_time()") for node in NODES}
    assert all(now[node] != started[node] for node in NODES)
    assert now["primary"] < min(now[node] for node in STANDBYS), "60 is less than 100, so the primary comes first"
    for node in NODES:
        assert fleet.psql(node, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"
        assert fleet.psql(node, "SHOW max_connections") == "60"
    fleet.site()
    after = {node: fleet.psql(node, "SELECT pg_postmaster_start_time()") for node in NODES}
    assert after["primary"] > max(after[node] for node in STANDBYS), "100 is more than 60, so the standbys come first"


def test_a_setting_that_only_needs_a_reload_restarts_nobody(fleet: Any) -> None:
    started = fleet.psql("node1", "SELECT pg_postmaster_start_time()")
    rules = "SELECT string_agg(user_name[1], ' ' ORDER BY line_number) FROM pg_hba_file_rules WHERE database = '{app}'"
    hba = Path(fleet.psql("node1", "SHOW hba_file"))
    with hba.open("a") as file:
        file.write("host app foreign 127.0.0.1/32 trust\n")
    wanted = {"contype": "host", "databases": "app", "users": "app", "address": "127.0.0.1", "method": "scram-sha-256"}
    fleet.site(pg_server_settings={"shared_buffers": "32MB", "work_mem": "5MB"}, pg_server_hba_rules=[wanted])
    assert fleet.psql("node1", "SHOW work_mem") == "5MB"
    assert fleet.psql("node1", rules) == "app foreign"
    assert fleet.psql("node1", "SELECT pg_postmaster_start_time()") == started
    fleet.site()
    assert fleet.psql("node1", rules) == "foreign", (
        "a rule that leaves the inventory leaves the servers; foreign lines stay"
    )
    hba.write_text(hba.read_text().replace("host app foreign 127.0.0.1/32 trust\n", ""))
    fleet.psql("node1", "SELECT pg_reload_conf()")


def test_a_wrong_setting_is_refused_and_nothing_changes(fleet: Any) -> None:
    run = fleet.play("site.yml", pg_server_settings={"shared_buffers": "32MB", "work_memory": "5MB"})
    assert run.returncode != 0
    assert "work_memory" in run.output
    assert fleet.site().changed == 0


def test_after_a_failure_on_one_host_no_later_step_runs(fleet: Any) -> None:
    """Only a start shows it: one standby tries, goes back, and neither the other standbys nor the primary are restarted."""

    def started() -> list[str]:
        return [fleet.psql(node, "SELECT pg_postmaster_start_time()") for node in NODES]

    before = started()
    bad = {"shared_buffers": "32MB", "logging_collector": True, "log_directory": "/proc/nope"}
    run = fleet.play("site.yml", pg_server_settings=bad)
    assert run.returncode != 0 and "code: settings_refused" in run.output, run.output
    assert sum(old != new for old, new in zip(before, started())) == 1
    assert fleet.psql("primary", "SELECT pg_postmaster_start_time()") == before[0]
    assert "Make the primary ready" not in run.output
    fleet.site()


def test_an_unfinished_reload_is_finished_by_the_next_run(fleet: Any) -> None:
    """As if the run had been killed between writing the file and the reload."""
    directory = Path(fleet.psql("node3", "SHOW config_file")).parent
    file = directory / "conf.d/pgfleet.conf"
    subprocess.run(["sh", "-c", f"echo \"work_mem = '6MB'\" > {directory}/conf.d/z_other.conf"], check=True)
    assert file.exists()
    fleet.site()
    assert fleet.psql("node3", "SHOW work_mem") == "6MB", "a setting that is not ours is left alone, and in force"
    (directory / "conf.d/z_other.conf").unlink()
    fleet.site()
    assert fleet.site().changed == 0


def test_the_topology_is_read_from_the_servers(fleet: Any) -> None:
    """The inventory is turned round, as it is for every cluster after a switchover: nothing may change."""
    fleet.hosts({"node1": {}}, {"primary": {}, "node2": {}, "node3": {}})
    try:
        assert fleet.site().changed == 0
        assert fleet.psql("primary", "SELECT pg_is_in_recovery()") == "f"
    finally:
        fleet.all_hosts()


def test_a_removed_node_leaves_no_slot_and_a_new_one_is_cloned(fleet: Any) -> None:
    data = fleet.psql("node3", "SHOW data_directory")
    fleet.destroy("--limit", "node3")
    assert not Path(data).exists()
    fleet.hosts({"primary": {}}, {"node1": {}, "node2": {}})
    fleet.psql("primary", "SELECT pg_create_physical_replication_slot('barman', true)")
    words = " ".join(fleet.site().output.split())
    assert fleet.psql("primary", "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots") == (
        "barman node1_slot node2_slot"
    ), "a slot that no node of the fleet had stays"
    assert "Dropped: node3_slot." in words
    assert "left as they are: barman." in words
    assert "slot_foreign on primary" in words
    fleet.psql("primary", "SELECT pg_drop_replication_slot('barman')")
    fleet.all_hosts()
    foreseen = fleet.play("site.yml", "--check", "--diff")
    assert foreseen.returncode == 0, foreseen.output
    assert re.search("(?m)^ *-.*(ssl_ca_file|clientcert)", foreseen.output) is None, "certificates are not taken away"
    fleet.site()
    assert fleet.psql("primary", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "3"


def test_a_stopped_standby_is_started_again(fleet: Any) -> None:
    fleet.stop("node2")
    document = fleet.status()
    assert [node["state"] for node in document["nodes"]] == ["running", "streaming", "stopped", "streaming"]
    assert any(sentence.startswith("node2: stopped") for sentence in document["problems"])
    _run, document = fleet.site_and_status()
    assert document["problems"] == []


def test_a_stopped_primary_is_started_again(fleet: Any) -> None:
    fleet.stop("primary")
    _run, document = fleet.site_and_status()
    assert document["problems"] == []


def test_no_secret_in_any_output(fleet: Any) -> None:
    secret = (fleet.folder / "secrets/replication.password").read_text().strip()
    assert len(secret) == 32
    assert secret not in fleet.site("-vvv", "--diff").output
    assert (fleet.folder / "secrets/replication.password").stat().st_mode & 0o777 == 0o600


def test_two_primaries_stop_every_playbook(fleet: Any) -> None:
    fleet.psql("node1", "SELECT pg_promote()")
    for playbook in ("site.yml", "playbooks/verify.yml"):
        run = fleet.play(playbook)
        assert run.returncode != 0
        assert "2 nodes are primaries of one cluster" in run.output
        assert run.changed == 0
    assert any("2 nodes are primaries" in sentence for sentence in fleet.status()["problems"])


def clusters(fleet: Any) -> set[Path]:
    """Configured clusters of this machine, without those of other tests that run now."""
    others = re.compile(r"pgfleettest\d+_")
    found = Path("/etc/postgresql").glob("*/*")
    return {path for path in found if path.name.startswith(f"{fleet.name}_") or not others.match(path.name)}


def test_destroy_asks_and_removes_only_what_is_ours(fleet: Any) -> None:
    before = clusters(fleet)
    run = fleet.play("playbooks/destroy.yml")
    assert run.returncode != 0
    assert "confirm=yes" in run.output
    assert clusters(fleet) == before
    fleet.destroy()
    left = clusters(fleet)
    assert {path.name for path in before - left} == {f"{fleet.name}_{node}" for node in NODES}
    assert not list(Path("/var/lib/postgresql").glob(f"*/{fleet.name}_*"))


class Watch(threading.Thread):
    """Collects every command line and environment that a secret could be seen in."""

    def __init__(self, secret: Path) -> None:
        super().__init__(daemon=True)
        self.secret = secret
        self.leaks: list[str] = []
        self.looks = 0
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            word = self.secret.read_text().strip() if self.secret.exists() else None
            if word:
                done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=False)
                self.leaks += [line for line in done.stdout.splitlines() if word in line]
                self.looks += "pg_basebackup" in done.stdout
            time.sleep(0.02)


def test_no_secret_in_the_process_list_while_clones_run(empty_fleet: Any) -> None:
    empty_fleet.destroy()
    watch = Watch(empty_fleet.folder / "secrets/replication.password")
    watch.start()
    output = empty_fleet.site("-vvv", "--diff", pg_standby_max_rate="20M").output
    watch.ended = True
    watch.join()
    assert watch.looks > 0, "no clone was seen"
    assert watch.leaks == []
    assert watch.secret.read_text().strip() not in output


@pytest.mark.turns(3)
@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
def test_a_killed_run_is_finished_by_the_next(empty_fleet: Any, fraction: float) -> None:
    tasks = empty_fleet.tasks_of_first_run
    empty_fleet.wipe()
    killed = empty_fleet.kill_at(max(1, round(tasks * fraction)))
    assert killed.startswith("TASK ["), "the run ended before it was killed"
    empty_fleet.site()
    assert empty_fleet.nothing_to_do()["problems"] == []
    assert not list(Path("/var/lib/postgresql").glob(f"*/{empty_fleet.name}_*.incoming*"))
