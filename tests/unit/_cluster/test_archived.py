"""Standbys that read an archive: how far they are, what is said of them, and who may lead."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.archived import lag_of, lagging, saved_by_archive
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.certificates import show_certificates
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.failover import plan_failover
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.node import plan_node, plan_rolling
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.report import cluster_document
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.settings import NoRestoreCommand, fleet_settings
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.switchover import plan_switchover

BASE: dict[str, Any] = {
    "running": True, "reachable": True, "known": True, "answer": "accepts_connections", "system_identifier": "7", "timeline": 1,
    "cluster_state": None, "replay_paused": False, "standbys": [], "slots": [], "wal_receiver": None, "upstream": None,
    "settings": {"pending_values": {}}, "address": "/run:1",
}  # fmt: skip
MB64 = 64 * 1024 * 1024


def primary(**more: Any) -> dict[str, Any]:
    archiver = {"last_archived_lsn": "0/5000000", "last_archived_seconds": 3.0, "timeout_seconds": 60}
    rows = [{"name": "c", "state": "streaming", "slot": "c_slot", "lag_bytes": 0, "lag_seconds": 0.0}]
    lsn = {"current": "0/5000400", "flush": "0/5000400"}
    return {
        "status": {**BASE, "role": "primary", "standbys": rows, "lsn": lsn, "archiver": archiver, **more},
        "reasons": [],
        "findings": [],
        "upstream": "stream",
    }


def reader(replay: str | None = "0/5000000", age: float | None = 40.0, **more: Any) -> dict[str, Any]:
    own = {"role": "standby", "wal_source": "archive", "restores": True, "replayed_age_seconds": age}
    return {
        "status": {**BASE, **own, "lsn": {"receive": None, "replay": replay}, **more},
        "reasons": [],
        "findings": [],
        "upstream": "archive",
    }


def streaming(receive: str = "0/5000400", **more: Any) -> dict[str, Any]:
    own = {"role": "standby", "wal_source": "stream", "restores": True, "replayed_age_seconds": 0.1}
    receiver = {"status": "streaming", "sender_host": "a", "sender_port": 1, "latest_end_lsn": receive}
    lsn = {"receive": receive, "replay": receive}
    return {
        "status": {**BASE, **own, "wal_receiver": receiver, "lsn": lsn, **more}, "reasons": [], "findings": [], "upstream": "stream",
    }  # fmt: skip


LAGS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int | None, float | None], bool]] = {
    "all that is archived": (reader(), primary(), (1024, 3.0), False),
    "and nobody writes": (reader(age=2.0), primary(), (1024, 2.0), False),
    "level": (reader("0/5000400"), primary(), (0, 0.0), False),
    "not yet all": (reader("0/4000000", 80.0), primary(), (16 * 1024 * 1024 + 1024, 80.0), False),
    "late": (reader("0/4000000", 91.0), primary(), (16 * 1024 * 1024 + 1024, 91.0), True),
    "replayed nothing": (reader("0/4000000", None), primary(), (16 * 1024 * 1024 + 1024, None), True),
    "nothing archived": (reader("0/4000000", 91.0), primary(archiver={"last_archived_lsn": None, "last_archived_seconds": None}),
                         (16 * 1024 * 1024 + 1024, 91.0), False),
}  # fmt: skip


@pytest.mark.parametrize(("node", "leader", "lag", "late"), LAGS.values(), ids=LAGS.keys())
def test_lag(node: dict[str, Any], leader: dict[str, Any], lag: tuple[int | None, float | None], late: bool) -> None:
    assert lag_of(node["status"], leader["status"]) == lag
    found = lagging("b", node["status"], leader["status"])
    assert (found is not None and found.code == "archive_lagging") is late


def test_nothing_is_known_without_a_primary() -> None:
    assert lag_of(reader()["status"], {}) == (None, None)
    assert lagging("b", reader("0/4000000", 91.0)["status"], {}) is None


def codes(results: dict[str, Any]) -> list[tuple[str | None, str]]:
    slots = {"a": "a_slot", "b": "b_slot", "c": "c_slot"}
    document = cluster_document(results, {}, ["a"], {}, slots)
    return [(each["node"], each["code"]) for each in document["findings"]]


def test_a_reader_is_no_finding() -> None:
    document = cluster_document({"a": primary(), "b": reader()}, {}, ["a"], {})
    node = document["nodes"][1]
    assert (node["state"], node["slot"], node["lag_bytes"], document["findings"]) == ("archive", None, 1024, [])
    assert codes({"a": primary(), "b": reader("0/4000000", 91.0)}) == [("b", "archive_lagging")]


def reason(code: str, **facts: Any) -> dict[str, Any]:
    return {"code": code, "message": "It is so.", "remedy": "Do that.", **facts}


def test_a_lost_slot_is_no_finding_of_its_own_while_its_standby_catches_up() -> None:
    own: dict[str, Any] = {"wal_source": "stream", "upstream": {"slot": "b_slot"}}
    catching = {
        **reader(**own),
        "upstream": "stream",
        "findings": [reason("no_wal_receiver"), reason("catching_up_from_archive")],
    }
    lost = {**primary(slots=[{"name": "b_slot", "lost": True}]), "findings": [reason("slot_lost", slot="b_slot")]}
    assert codes({"a": lost, "b": catching}) == [("b", "catching_up_from_archive")]
    late = {**catching, "status": {**catching["status"], "lsn": {"replay": "0/4000000"}, "replayed_age_seconds": 91.0}}
    assert codes({"a": lost, "b": late}) == [("b", "archive_lagging"), ("b", "catching_up_from_archive")]


def test_switchover() -> None:
    results = {"a": primary(), "b": reader(), "c": streaming()}
    with pytest.raises(PgFleetError) as refused:
        plan_switchover(results, "b", MB64)
    assert refused.value.code == "archive_only"
    plan = plan_switchover(results, "c", MB64)
    assert (plan.following, plan.slots) == (("b",), ("a",))
    assert "b follows as the archive gets the WAL of c." in plan.steps
    returns = plan_switchover({**results, "a": {**primary(), "upstream": "archive"}}, "c", MB64)
    assert returns.slots == ("a",), "the old primary needs its slot until it has been handed over"


GONE = {**primary(), "status": {**BASE, "role": "primary", "running": False, "reachable": False, "answer": "stopped",
                                "cluster_state": "in production", "lsn": {"flush": "0/5000400", "replay": None}}}  # fmt: skip


def test_failover() -> None:
    plan = plan_failover({"a": GONE, "b": reader(), "c": streaming(wal_receiver=None)}, False, False).change
    assert (plan.target, plan.following, plan.slots) == ("c", ("b",), ("a",))
    assert (
        plan_failover(
            {"a": GONE, "b": reader("0/5000400"), "c": streaming(wal_receiver=None)}, False, False
        ).change.target
        == "c"
    )
    assert (
        plan_failover(
            {"a": GONE, "b": reader("0/6000000"), "c": streaming(wal_receiver=None)}, False, False
        ).change.target
        == "b"
    )


def test_a_rolling_restart_lets_one_lead_that_streams() -> None:
    with pytest.raises(PgFleetError) as refused:
        plan_rolling({"a": primary(), "b": reader()}, True, "")
    assert refused.value.code == "no_candidate"
    assert plan_rolling({"a": primary(), "b": reader("0/6000000"), "c": streaming()}, True, "").target == "c"


def test_one_node() -> None:
    results = {"a": primary(), "b": reader(), "c": streaming()}
    assert plan_node(results, "b", "rejoin").stage == "done"
    assert plan_node({**results, "b": reader(timeline=2)}, "b", "rejoin").stage == "whole"
    rebuilt = plan_node(results, "b", "rebuild")
    assert rebuilt.slots == ()
    assert rebuilt.steps[-1] == "Start it as a standby that reads the archive."


OWN = {"max_wal_senders": 32, "max_replication_slots": 32, "max_slot_wal_keep_size": "1GB"}


def test_settings_that_a_reader_needs() -> None:
    facts = {"nodes": ["a", "b"], "tls": True, "strict": False, "reads_archive": True}
    with pytest.raises(NoRestoreCommand):
        fleet_settings(OWN, {}, facts)
    assert fleet_settings(OWN, {"restore_command": "cp /a/%f %p"}, facts)
    assert fleet_settings(OWN, {}, {**facts, "reads_archive": False})


def test_slots_that_an_archive_saves() -> None:
    settings = {"pg_server_wanted_settings": {"settings": {"restore_command": "x"}}}
    hostvars = {
        "b": {"pg_server_facts": {"slot": "b_slot", "upstream": "archive"}, **settings},
        "c": {"pg_server_facts": {"slot": "c_slot", "upstream": "stream"}, **settings},
        "d": {"pg_server_facts": {"slot": "d_slot", "upstream": "stream"}, **settings},
        "e": {"pg_server_facts": {"slot": "e_slot", "upstream": "stream"}},
    }
    assert saved_by_archive("bcde", {"existing": ["b", "c", "e"]}, hostvars) == ["c_slot"]


def test_a_reader_shows_no_certificate() -> None:
    certified = {"primary_conninfo": "host=a sslcert=/etc/x/pki/replication/certificate.pem"}
    hostvars: dict[str, Any] = {
        "b": {"pg_server_node": {"recovery": {"primary_conninfo": ""}}, "pg_server_facts": {"upstream": "archive"}},
        "c": {"pg_server_node": {"recovery": certified}, "pg_server_facts": {"upstream": "stream"}},
    }
    topology = {"standbys": ["b", "c"], "existing": ["a", "b", "c"]}
    assert show_certificates(topology, hostvars)
    hostvars["b"]["pg_server_node"]["recovery"]["primary_conninfo"] = "host=a"
    assert not show_certificates(topology, hostvars)
