"""A fleet that archives and takes backups: from its beginning to its way back; each commit with one of the providers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.turns import of_this_commit
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="looks into the repository, which is of postgres alone")
PROVIDERS = ("pgbackrest", "plain")


class Kept:
    """A pair of nodes, and what is kept of it."""

    def __init__(self, fleet: Any, provider: str) -> None:
        self.fleet = fleet
        self.provider = provider
        self.repository = Path("/var/lib/pgfleet-backup") / fleet.name

    def play(self, playbook: str, *arguments: str, ok: bool = True) -> Any:
        run = self.fleet.play(f"playbooks/{playbook}.yml", *arguments)
        assert (run.returncode == 0) == ok, run.output
        return run

    def status(self) -> dict[str, Any]:
        file = self.fleet.folder / "backup.json"
        self.play("backup_status", "-e", f"output_file={file}")
        document: dict[str, Any] = json.loads(file.read_text())
        return document

    def rows(self, node: str = "primary") -> int:
        return int(self.fleet.psql(node, "SELECT count(*) FROM ledger"))


@pytest.fixture(scope="module", params=of_this_commit(PROVIDERS))
def kept(request: Any, pair: Any) -> Any:
    """The pair begins to archive, as a fleet does that was built before."""
    given = pair.inventory / "group_vars/postgres.yml"
    before = given.read_text()
    given.write_text(
        f"{before}\npg_backup_enabled: true\npg_backup_provider: {request.param}\npg_backup_archive_timeout: 5\n"
    )
    started = {node: pair.psql(node, "SELECT pg_postmaster_start_time()") for node in ("primary", "node1")}
    found = Kept(pair, request.param)
    shutil.rmtree(found.repository, ignore_errors=True)
    pair.site()
    assert all(pair.psql(node, "SELECT pg_postmaster_start_time()") != when for node, when in started.items())
    pair.nothing_to_do()
    yield found
    given.write_text(before)
    shutil.rmtree(found.repository, ignore_errors=True)


def test_backups_are_taken_when_they_are_due(kept: Kept) -> None:
    assert "no_backup" in kept.play("backup_status", "-e", "strict=yes", ok=False).output
    kept.play("backup", "--check")
    assert kept.status()["sets"] == []
    kept.play("backup")
    assert kept.play("backup", "-e", "max_age=3600").changed == 0
    found = kept.status()
    assert [each["type"] for each in found["sets"]] == ["full"]
    assert found["findings"] == [] and found["window"]["open"] and found["gaps"] == []


def test_the_backups_are_proven(kept: Kept) -> None:
    assert "has all 1000 rows and none beyond" in " ".join(kept.play("backup_verify").output.split())
    assert kept.fleet.psql("primary", "SELECT count(*) FROM pg_class WHERE relname = 'pgfleet_backup_verify'") == "0"
    kept.fleet.nothing_to_do()


def test_a_standby_comes_out_of_the_repository(kept: Kept) -> None:
    fleet = kept.fleet
    before = fleet.psql("node1", "SELECT pg_postmaster_start_time()")
    kept.play("rebuild_standby", "-e", "node=node1", "-e", "source=repository", "--check")
    assert fleet.psql("node1", "SELECT pg_postmaster_start_time()") == before
    kept.play("rebuild_standby", "-e", "node=node1", "-e", "source=repository")
    assert fleet.psql("node1", "SELECT pg_postmaster_start_time()") != before
    assert "sslmode=verify-full" in fleet.psql("node1", "SHOW primary_conninfo")
    fleet.nothing_to_do()


def test_an_earlier_moment_beside_and_then_in_place(kept: Kept) -> None:
    fleet = kept.fleet
    fleet.psql("primary", "CREATE TABLE ledger AS SELECT generate_series(1, 100) AS n")
    moment = fleet.psql("primary", "SELECT pg_current_wal_insert_lsn()")
    fleet.psql("primary", "DROP TABLE ledger; SELECT pg_switch_wal()")
    side = Path(f"/var/lib/postgresql/15/{fleet.name}_side")
    place = ("-e", f"to_directory={side}", "-e", f"server_port={max(fleet.ports.values()) + 1}")
    until(
        lambda: (
            fleet.psql("primary", "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'") == "0"
        ),
        "all is archived",
        20,
    )
    refused = kept.play("restore", *place, "-e", "target_lsn=0/1", ok=False)
    assert "target_before_backup" in refused.output or "before the end" in refused.output, refused.output
    assert (
        "one target"
        in kept.play("restore", *place, "-e", f"target_lsn={moment}", "-e", "target_xid=5", ok=False).output
    )
    kept.play("restore", *place, "-e", f"target_lsn={moment}")
    fleet.ports["side"] = max(fleet.ports.values()) + 1
    try:
        assert kept.rows("side") == 100
    finally:
        del fleet.ports["side"]
    kept.play("restore", *place, "-e", "remove=yes")
    assert not side.exists()

    kept.play("pitr", "-e", f"target_lsn={moment}", "--check")
    assert "confirm=yes" in kept.play("pitr", "-e", f"target_lsn={moment}", ok=False).output
    assert fleet.psql("primary", "SELECT count(*) FROM pg_class WHERE relname = 'ledger'") == "0"
    kept.play("pitr", "-e", f"target_lsn={moment}", "-e", "confirm=yes")
    assert kept.rows() == 100
    until(lambda: kept.rows("node1") == 100, "the standby has what its primary has", 20)
    fleet.nothing_to_do()
    fleet.psql("primary", "INSERT INTO ledger VALUES (101)")
    assert "in an earlier run" in kept.play("pitr", "-e", f"target_lsn={moment}", "-e", "confirm=yes").output
    assert kept.rows() == 101, "what was written since is not given up by the same command"
    found = kept.status()
    assert found["findings"] == [] and found["sets"][-1]["timeline"] == 2


def test_a_failover_brings_to_the_archive_what_the_primary_had_not(kept: Kept) -> None:
    fleet = kept.fleet
    away = kept.repository.with_name(f"{fleet.name}.away")
    kept.repository.rename(away)
    try:
        for number in range(3):
            fleet.psql("primary", f"INSERT INTO ledger VALUES ({1000 + number}); SELECT pg_switch_wal()")
        rows = kept.rows()
        until(lambda: kept.rows("node1") == rows, "the standby has all of it", 20)
        pid = Path(fleet.psql("primary", "SHOW data_directory"), "postmaster.pid").read_text().split()[0]
        os.kill(int(pid), 9)
    finally:
        away.rename(kept.repository)
    until(lambda: fleet.answer("primary", "SELECT 1") == "", "it is dead", 20)
    fleet.hosts({"primary": {}}, {"node1": {}})
    kept.play("failover")
    found = kept.status()
    assert found["node"] == "node1" and found["gaps"] == [] and found["findings"] == [], found["findings"]
    kept.play("rejoin", "-e", "node=primary")
    kept.play("switchover", "-e", "to=primary")
    found = kept.status()
    assert found["node"] == "primary" and found["findings"] == [], found["findings"]
    fleet.nothing_to_do()


def test_what_no_archive_can_be_made_of_is_refused(kept: Kept) -> None:
    refused = kept.fleet.play("site.yml", "-e", "pg_backup_provider=plain", "-e", "pg_backup_cipher=on")
    assert refused.returncode and "no encryption" in refused.output and refused.changed == 0
    refused = kept.fleet.play("playbooks/backup.yml", "-e", "pg_backup_enabled=false")
    assert refused.returncode and "takes no backups" in refused.output and refused.changed == 0


def test_backups_outlive_their_fleet(kept: Kept) -> None:
    kept.fleet.destroy()
    assert not (kept.fleet.folder / "secrets").exists(), "a repository that is not encrypted needs no passphrase"
    assert kept.repository.exists() and not list(Path("/var/spool/pgbackrest").glob(f"*-{kept.fleet.name}_*"))
    refused = kept.fleet.play("site.yml")
    assert refused.returncode and "other_cluster" in refused.output, refused.output
    shutil.rmtree(kept.repository)
    kept.fleet.site(pg_backup_enabled=False)
