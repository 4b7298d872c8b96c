"""What hands change while all servers run: the next run finds each of it, although it asks nobody twice whom nothing has happened to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changes files of root and postgres")
SERVES = (
    "CREATE TEMP TABLE proof AS SELECT 1; SELECT count(*) FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid"
    " WHERE state = 'streaming' AND application_name = 'node1' AND slot_name = 'node1_slot'"
)
ROLE = "SELECT rolreplication, rolcanlogin, rolconnlimit FROM pg_roles WHERE rolname = 'replicator'"


class Place:
    """The files of a node."""

    def __init__(self, fleet: Any, node: str) -> None:
        self.etc = Path(fleet.psql(node, "SHOW config_file")).parent
        self.data = Path(fleet.psql(node, "SHOW data_directory"))
        self.rules, self.settings = self.etc / "pg_hba.conf", self.etc / "conf.d/pgfleet.conf"
        self.passfile, self.auto = self.etc / "replication.pgpass", self.data / "postgresql.auto.conf"
        self.signal = self.data / "standby.signal"

    def seen(self) -> dict[str, Any]:
        files = (self.rules, self.settings, self.passfile, self.auto, self.signal)
        return {path.name: (path.read_text(), path.owner(), path.stat().st_mode) for path in files if path.exists()}


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, text
    path.write_text(text.replace(old, new))


def statement(node: str, *statements: str) -> Callable[[Any, Any, Any], None]:
    def run(fleet: Any, _primary: Place, _node1: Place) -> None:
        for each in statements:
            fleet.psql(node, each)

    return run


#: What is done to the fleet, the primary's files or those of node1.
FAULTS: dict[str, Callable[[Any, Place, Place], Any]] = {
    "a rule of the primary": lambda _fleet, primary, _node1: replace(primary.rules, "replication", "postgres"),
    "a rule of the standby": lambda _fleet, _primary, node1: replace(node1.rules, "scram-sha-256", "trust"),
    "who may read the rules": lambda _fleet, primary, _node1: primary.rules.chmod(0o644),
    "a setting of the standby": lambda _fleet, _primary, node1: replace(node1.settings, "'replica'", "'logical'"),
    "the standby's name": lambda _fleet, _primary, node1: replace(node1.auto, "application_name=node1", "application_name=x"),
    "a password in conninfo": lambda _fleet, _primary, node1: replace(node1.auto, "application_name=node1", "password=x application_name=node1"),
    "who may read the passwords": lambda _fleet, _primary, node1: node1.passfile.chmod(0o644),
    "the passwords": lambda _fleet, _primary, node1: replace(node1.passfile, "replicator:", "replicator:x"),
    "another slot": statement("node1", "ALTER SYSTEM SET primary_slot_name = ''", "SELECT pg_reload_conf()"),
    "the role": statement("primary", "ALTER ROLE replicator NOREPLICATION NOLOGIN"),
    "the role's password": statement("primary", "ALTER ROLE replicator PASSWORD 'other'"),
}  # fmt: skip


@pytest.mark.turns(2)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_one_change_by_hand_is_found_and_made_good(pair: Any, fault: Callable[[Any, Any, Any], Any]) -> None:
    places = {node: Place(pair, node) for node in ("primary", "node1")}
    before = {node: place.seen() for node, place in places.items()}
    role = pair.psql("primary", ROLE)
    fault(pair, places["primary"], places["node1"])
    assert pair.site().changed > 0
    after = {node: place.seen() for node, place in places.items()}
    for node, files in before.items():
        for name in set(files) - {"postgresql.auto.conf"}:  # whose lines may be in another order
            assert after[node][name] == files[name], (node, name)
    assert pair.psql("primary", ROLE) == role
    until(lambda: pair.psql("primary", SERVES) == "1", "the standby streams by its slot", 10)
    run = pair.site()
    assert run.changed == 0
    assert "All is well" in run.output


def test_a_standby_that_would_start_as_a_primary_is_named(pair: Any) -> None:
    signal = Place(pair, "node1").signal
    away = signal.rename(signal.with_name("standby.away"))
    try:
        run = pair.play("site.yml")
    finally:
        away.rename(signal)
    assert run.returncode != 0 and "it has no standby.signal" in " ".join(run.output.split()), run.output
