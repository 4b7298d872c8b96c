"""Drills of a fleet that takes backups: nothing acknowledged is lost in any of them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the repository is of postgres alone")


@pytest.fixture(scope="module")
def kept(bare_fleet: Any) -> Iterator[Any]:
    """Three nodes and their repository."""
    given = bare_fleet.inventory / "group_vars/postgres.yml"
    given.write_text(f"{given.read_text()}\npg_backup_enabled: true\npg_backup_archive_timeout: 5\n")
    bare_fleet.hosts({"primary": {}}, {"node1": {}, "node2": {}})
    bare_fleet.site()
    yield bare_fleet
    shutil.rmtree(f"/var/lib/pgfleet-backup/{bare_fleet.name}", ignore_errors=True)


@pytest.mark.turns(3)
@pytest.mark.parametrize("name", ["pitr", "archive_outage", "failover_unarchived"])
def test_drills(kept: Any, tmp_path: Path, name: str) -> None:
    run = kept.play(
        "playbooks/drill.yml", drill=name, confirm=True, pg_drill_directory=str(tmp_path), pg_drill_quiet=0.3,
        pg_drill_cut_seconds=3,
    )  # fmt: skip
    assert run.returncode == 0, run.output
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert (result["problems"], result["foreign"], result["rows_differing"]) == ([], 0, {})
    if name != "failover_unarchived":  # what no standby had of a dead primary is gone
        assert result["acked_lost"] == 0
    if name == "archive_outage":
        assert result["in_doubt"] == 0
