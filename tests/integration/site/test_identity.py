"""What a node is, is read from its machine: a variable that says otherwise is refused, and its server is left as it is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import Fleet, own_place
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

PLAYBOOKS = ("site", "restart", "failover", "destroy")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A primary and a standby."""
    with own_place() as (name, ports):
        made = Fleet(tmp_path_factory.mktemp("pair"), name, ports)
        made.hosts({"primary": {}}, {"node1": {}})
        made.wipe()
        made.site(pagila_load_enabled=False)
        yield made
        made.wipe()


def words(run: Any) -> str:
    return " ".join(run.output.split())


def state(fleet: Any) -> tuple[str, set[Path]]:
    """What must stay as it is: the server's process, and the files of the fleet."""
    found = {
        path for place in ("/etc/postgresql", "/var/lib/postgresql") for path in Path(place).glob(f"*/*{fleet.name}*")
    }
    return fleet.psql("primary", "SELECT pg_postmaster_start_time()"), found


CHANGES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "directories": (
        {"pg_server_data_directory": "/var/lib/postgresql/%v/%c_elsewhere", "pg_server_unix_socket_directory": "/tmp"},
        ("data_directory_differs", "socket_directory_differs"),
    ),
    "version": ({"pg_server_version": "18"}, ("version_differs",)),
    "fleet": ({"pg_server_fleet": "another"}, ("fleet_differs",)),
}


@pytest.mark.parametrize(("variables", "codes"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_variable_is_refused(pair: Any, variables: dict[str, Any], codes: tuple[str, ...]) -> None:
    before = state(pair)
    run = pair.play("site.yml", **variables)
    assert run.returncode != 0 and run.changed == 0, run.output
    assert all(f"code: {code}" in run.output for code in codes), run.output
    assert all(name in words(run) for name in variables) and "Nothing was changed." in words(run)
    assert state(pair) == before


def test_a_port_says_who_holds_it(pair: Any) -> None:
    taken = pair.ports["primary"]
    pair.hosts({"primary": {}}, {"node1": {}, "node2": {"pg_server_port": taken, "pg_server_address": "localhost"}})
    run = pair.play("site.yml")
    pair.hosts({"primary": {}}, {"node1": {}})
    assert "code: port_in_use" in run.output
    assert f"cluster {pair.psql('primary', 'SHOW server_version_num')[:2]}/{pair.name}_primary" in words(run)
    assert f"node 'primary' of the fleet '{pair.name}'" in words(run)
    assert run.changed == 0


def test_a_second_fleet_of_that_name_neither_uses_nor_removes_its_secrets(pair: Any) -> None:
    secret = pair.folder / "secrets/replication.password"
    before = secret.read_text()
    pair.hosts({"node2": {}}, {})
    refused = pair.play("site.yml")
    assert "code: secrets_of_another_fleet" in refused.output and refused.changed == 0, refused.output
    assert all(f"{node} 127.0.0.1:{pair.ports[node]}" in words(refused) for node in ("primary", "node1", "node2"))
    left = pair.play("playbooks/destroy.yml", confirm="yes")
    pair.hosts({"primary": {}}, {"node1": {}})
    assert left.returncode == 0 and left.changed == 0 and "were left" in words(left), left.output
    assert secret.read_text() == before


def test_a_rebuild_that_cannot_end_leaves_the_standby_streaming(pair: Any) -> None:
    """WAL on a disk of its own below a directory of root; then another place that the option names."""
    data = Path(pair.psql("node1", "SHOW data_directory"))
    srv = data.parent / f"{pair.name}_srv"
    pair.stop("node1")
    srv.mkdir(mode=0o755)
    shutil.move(data / "pg_wal", srv / "wal")
    (data / "pg_wal").symlink_to(srv / "wal")
    try:
        subprocess.run(["pg_ctlcluster", data.parent.name, data.name, "start"], check=True)
        streams = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        until(lambda: pair.psql("primary", streams) == "1", "node1 does not stream")
        before = pair.psql("node1", "SELECT pg_postmaster_start_time()")
        run = pair.play("playbooks/rebuild_standby.yml", node="node1")
        assert run.returncode != 0 and run.changed == 0, run.output
        assert "code: not_permitted" in run.output and f"where '{srv}/wal'" in words(run)
        assert "pg_standby_wal_dir" in words(run)

        elsewhere = str(data.parent / f"{pair.name}_wal")
        run = pair.play("playbooks/rebuild_standby.yml", "--check", node="node1", pg_standby_wal_dir=elsewhere)
        assert run.returncode == 0, run.output
        assert pair.psql("node1", "SELECT pg_postmaster_start_time()") == before
        assert pair.psql("primary", streams) == "1"
        pair.stop("node1")
        (data / "pg_wal").unlink()
        shutil.move(srv / "wal", data / "pg_wal")
        subprocess.run(["pg_ctlcluster", data.parent.name, data.name, "start"], check=True)
    finally:
        shutil.rmtree(srv)


def test_a_changed_port_is_refused_also_when_stopped(pair: Any) -> None:
    """The node that another inventory calls the primary must never be started: it may be a former one."""
    pair.stop("node1")
    free = pair.ports["node3"]
    pair.hosts({"node1": {"pg_server_port": free}}, {"primary": {}})
    before = state(pair)
    for playbook in PLAYBOOKS:
        given = {"to": "node1", "node": "node1", "confirm": "yes", "force": "yes"}
        run = pair.play("site.yml" if playbook == "site" else f"playbooks/{playbook}.yml", **given)
        assert run.returncode != 0 and run.changed == 0, run.output
        assert "code: port_differs" in run.output, (playbook, run.output)
    assert state(pair) == before
    document = pair.status()
    assert [node["state"] for node in document["nodes"]] == ["stopped", "running"]
