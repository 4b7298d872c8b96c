"""A primary and a standby that somebody made by hand become a fleet, with what they have."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import Fleet, as_postgres, own_place

VERSION = max(Path("/usr/lib/postgresql").iterdir(), key=lambda path: int(path.name)).name


def call(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", timeout=60)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def as_root(*command: str) -> None:
    call(*([] if os.geteuid() == 0 else ["sudo", "-n"]), *command)


def make(fleet: Fleet) -> None:
    """A server with data, settings of its own, by ALTER SYSTEM too, a tablespace, and a standby by pg_basebackup -R without a slot."""
    primary, standby = f"{fleet.name}_primary", f"{fleet.name}_node1"
    port, data = fleet.ports["primary"], f"/var/lib/postgresql/{VERSION}"
    as_root("pg_createcluster", VERSION, primary, "-p", str(port), "--", "-E", "UTF8", "--locale=C")
    config = f"/etc/postgresql/{VERSION}/{primary}"
    as_root(
        "sh",
        "-c",
        f"printf 'wal_level = minimal\\nmax_wal_senders = 0\\nlog_lock_waits = on\\n' > {config}/conf.d/own.conf",
    )
    as_root("sh", "-c", f"echo 'host all app 127.0.0.1/32 scram-sha-256' >> {config}/pg_hba.conf")
    as_root("pg_ctlcluster", VERSION, primary, "start")
    call(*as_postgres(), "mkdir", "-p", f"{data}/{fleet.name}_space")
    fleet.psql("primary", f"CREATE TABLESPACE space LOCATION '{data}/{fleet.name}_space'")
    fleet.psql("primary", "CREATE TABLE kept TABLESPACE space AS SELECT generate_series(1, 1000) AS i")
    fleet.psql("primary", "ALTER SYSTEM SET work_mem = '11MB'")
    as_root("pg_createcluster", VERSION, standby, "-p", str(fleet.ports["node1"]), "--", "-E", "UTF8", "--locale=C")


def clone_by_hand(fleet: Fleet) -> None:
    primary, data = fleet.ports["primary"], f"/var/lib/postgresql/{VERSION}/{fleet.name}_node1"
    spaces = f"/var/lib/postgresql/{VERSION}/{fleet.name}_space"
    as_root("rm", "-rf", data)
    own = f"/etc/postgresql/{VERSION}/{fleet.name}_node1/conf.d/own.conf"
    as_root("sh", "-c", f"echo 'max_wal_senders = 32' > {own}")  # as the primary has since its adoption
    call(*as_postgres(), "pg_basebackup", "-D", data, "-h", "/var/run/postgresql", "-p", str(primary), "-R", "-c", "fast",
         "--no-sync", f"--tablespace-mapping={spaces}={spaces}_of_node1")  # fmt: skip
    as_root("pg_ctlcluster", VERSION, f"{fleet.name}_node1", "start")


def drop(name: str) -> None:
    """What was not adopted, destroy.yml leaves."""
    for path in Path(f"/etc/postgresql/{VERSION}").glob(f"{name}_*"):
        as_root("pg_dropcluster", "--stop", VERSION, path.name)
    as_root("sh", "-c", f"rm -rf /var/lib/postgresql/{VERSION}/{name}_space*")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with own_place() as (name, ports):
        made = Fleet(tmp_path_factory.mktemp("adopt"), name, ports)
        variables = made.inventory / "group_vars/postgres.yml"
        variables.write_text(re.sub("(?m)^pki_mode: .*$", "pki_mode: snakeoil", variables.read_text()))
        made.hosts({"primary": {}}, {"node1": {}})
        drop(name)
        make(made)
        yield made
        made.destroy("-e", "adopted=yes")
        drop(name)
        made.wipe()


def words(run: Any) -> str:
    return " ".join(run.output.split())


def test_adoption(foreign: Any) -> None:
    foreign.hosts({"primary": {}}, {})
    started = foreign.psql("primary", "SELECT pg_postmaster_start_time()")
    for how in (["--check"], []):
        unfit = foreign.play("site.yml", *how, pg_server_adopt=True, pki_mode="own")
        assert "code: certificates_of_adopted" in unfit.output and unfit.changed == 0, unfit.output
        assert "Write 'pki_mode: snakeoil' into the inventory" in words(unfit)
    refused = foreign.play("site.yml", "--check", pg_server_adopt=True)
    assert "code: adopt_restart_needed" in refused.output and refused.changed == 0, refused.output
    assert "wal_level is minimal" in words(refused) and "max_wal_senders is 0" in words(refused)
    assert foreign.psql("primary", "SELECT pg_postmaster_start_time()") == started
    adopted = foreign.site(pg_server_adopt=True, pg_server_adopt_restart=True, pagila_load_enabled=False)
    assert "max_wal_senders = 32 or more on every standby that was made by hand (none streams now)" in words(adopted)
    assert foreign.psql("primary", "SHOW wal_level") == "replica"
    assert foreign.psql("primary", "SHOW work_mem") == "11MB"
    assert foreign.psql("primary", "SHOW log_lock_waits") == "on"
    assert foreign.psql("primary", "SHOW shared_buffers") == "128MB", "the inventory says 32MB, its own file wins"
    assert foreign.psql("primary", "SELECT count(*) FROM kept") == "1000"
    assert foreign.psql("primary", "SELECT count(*) FROM pg_hba_file_rules WHERE 'app' = ANY(user_name)") == "1"
    clone_by_hand(foreign)
    foreign.hosts({"primary": {}}, {"node1": {}})
    began = foreign.psql("node1", "SELECT pg_postmaster_start_time()")
    adopted = foreign.site(pg_server_adopt=True, pagila_load_enabled=False)
    assert "node1: data, postgresql.conf, rules" in words(adopted)
    assert foreign.psql("node1", "SELECT pg_postmaster_start_time()") == began, "a standby that follows is kept"
    assert foreign.psql("primary", "SELECT slot_name, active FROM pg_replication_slots") == "node1_slot|t"
    assert foreign.site(pagila_load_enabled=False).changed == 0


def test_an_adopted_fleet_is_operated_like_any_other_and_not_destroyed_without_a_word(foreign: Any) -> None:
    space = f"/var/lib/postgresql/{VERSION}/{foreign.name}_space"
    foreign.hosts(
        {"primary": {}}, {"node1": {}, "node2": {"pg_standby_tablespace_mapping": {space: f"{space}_of_node2"}}}
    )
    foreign.site(pagila_load_enabled=False)
    drill = {"drill": "switchover", "confirm": True, "pg_drill_quiet": 0.3, "pg_drill_directory": str(foreign.folder)}
    run = foreign.play("playbooks/drill.yml", **drill)
    assert run.returncode == 0, run.output
    result = json.loads((foreign.folder / "switchover.json").read_text())
    assert (result["healthy"], result["problems"], result["acked_lost"]) == (True, [], 0), result
    assert foreign.psql("primary", "SELECT pg_is_in_recovery(), count(*) FROM kept") == "t|1000"
    refused = foreign.play("playbooks/destroy.yml", confirm="yes")
    assert "code: adopted" in refused.output and refused.changed == 0
