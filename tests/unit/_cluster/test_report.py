"""The cluster as a document and as a table."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.filter.cluster import report
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.report import cluster_document, cluster_table


def primary(standbys: tuple[str, ...] = ("b",), lost: tuple[str, ...] = (), **different: Any) -> dict[str, Any]:
    rows = [
        {"name": name, "state": "streaming", "slot": f"{name}_slot", "lag_bytes": 2048, "lag_seconds": 0.25}
        for name in standbys
    ]
    slots = [{"name": f"{name}_slot", "lost": name in lost} for name in (*standbys, *lost)]
    status = {
        "role": "primary", "running": True, "reachable": True, "system_identifier": "1", "timeline": 2,
        "standbys": rows, "slots": slots, "upstream": None, **different,
    }  # fmt: skip
    return {"status": status, "reasons": []}


def standby(**different: Any) -> dict[str, Any]:
    status = {
        "role": "standby", "running": True, "reachable": True, "system_identifier": "1", "timeline": 2,
        "standbys": [], "slots": [], "upstream": {"slot": "b_slot"}, **different,
    }  # fmt: skip
    return {"status": status, "reasons": []}


PAGILA = {"source": "generated", "scale": 1, "release": "v3.1.0"}
ROWS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "well": ({"a": primary(), "b": standby()}, "streaming", None),
    "not connected": ({"a": primary(standbys=()), "b": standby()}, "not streaming", "b is not streaming"),
    "stopped standby": ({"a": primary(standbys=()), "b": standby(running=False)}, "stopped", "b: stopped."),
    "absent": ({"a": primary(standbys=()), "b": {}}, "absent", "b: absent."),
    "unreachable": ({"a": primary(standbys=()), "b": None}, "unreachable", "b: unreachable."),
    "lost slot": ({"a": primary(standbys=(), lost=("b",)), "b": standby()}, "not streaming", "'b_slot' is lost"),
    "stopped primary": ({"a": primary(running=False), "b": standby()}, "not streaming", "a: stopped."),
    "split brain": ({"a": primary(), "b": primary(standbys=())}, "running", "2 nodes are primaries of one cluster"),
}


@pytest.mark.parametrize(("results", "state", "problem"), ROWS.values(), ids=ROWS.keys())
def test_document(results: dict[str, Any], state: str, problem: str | None) -> None:
    document = cluster_document(results, {"a": "192.0.2.1:5432", "b": "192.0.2.2:5432"}, ["a"], {})
    assert document["nodes"][1]["state"] == state
    assert bool(document["problems"]) == bool(problem)
    assert problem is None or any(problem in sentence for sentence in document["problems"])


def test_table() -> None:
    results = {"a": primary(), "b": standby()}
    document = cluster_document(results, {"a": "192.0.2.1:5432", "b": "192.0.2.2:5432"}, ["a"], PAGILA)
    assert cluster_table(document).splitlines() == [
        "node  role     address         state      slot    lag     lag time  timeline",
        "----  -------  --------------  ---------  ------  ------  --------  --------",
        "a     primary  192.0.2.1:5432  running    -       -       -         2",
        "b     standby  192.0.2.2:5432  streaming  b_slot  2.0 kB  0.250 s   2",
        "",
        "Pagila: generated rows (scale 1, release v3.1.0)",
        "",
        "All is well.",
    ]


def reason(code: str, message: str = "It is so.", **facts: Any) -> dict[str, Any]:
    return {"code": code, "message": message, "remedy": "Do that.", **facts}


def found(result: dict[str, Any], *reasons: dict[str, Any], **different: Any) -> dict[str, Any]:
    """The result with findings, and with parts of its status changed."""
    return {**result, "status": {"address": "/run:1", **result["status"], **different}, "findings": list(reasons)}


SLOTS = {"a": "a_slot", "b": "b_slot", "c": "c_slot"}
DOWN = {"running": False, "reachable": False, "answer": "stopped"}
FULL = {"reachable": False, "answer": "too_many_clients", "server_words": "sorry, too many clients already"}
#: name: the nodes; code and node of each finding of the fleet
FINDINGS: dict[str, tuple[dict[str, Any], list[tuple[str, str | None]]]] = {
    "all is well": ({"a": primary(), "b": standby()}, []),
    "what a primary finds": (
        {"a": found(primary(), reason("archive_failing"), reason("hba_error")), "b": standby()},
        [("archive_failing", "a"), ("hba_error", "a")],
    ),
    "errors come first": (
        {"a": found(primary(), reason("pending_restart")), "b": found(standby(), reason("checksum_failures"))},
        [("checksum_failures", "b"), ("pending_restart", "a")],
    ),
    "a slot that is no node's": (
        {"a": found(primary(), reason("slot_inactive", slot="barman")), "b": standby()}, [("slot_foreign", "a")],
    ),
    "the unused slot of a standby that is stopped": (
        {"a": found(primary(standbys=()), reason("slot_inactive", slot="b_slot")), "b": found(standby(), reason("not_running"), **DOWN)},
        [("not_running", "b")],
    ),
    "the unused slot of a standby that is not asked": (
        {"a": found(primary(standbys=()), reason("slot_inactive", slot="b_slot")), "b": {"not_asked": True}}, [("not_asked", None)],
    ),
    "a slot at risk stays, whoever should use it": (
        {"a": found(primary(standbys=()), reason("slot_at_risk", slot="b_slot")), "b": None},
        [("slot_at_risk", "a"), ("unreachable", "b")],
    ),
    "a standby that receives nothing, and why": (
        {"a": found(primary(standbys=()), reason("slot_inactive", slot="b_slot")),
         "b": found(standby(), reason("no_wal_receiver"), reason("replication_login_refused"))},
        [("replication_login_refused", "b")],
    ),
    "standbys of a primary that is stopped": (
        {"a": found(primary(standbys=()), reason("not_running"), **DOWN),
         "b": found(standby(), reason("no_wal_receiver"), reason("upstream_unreachable"))},
        [("not_running", "a")],
    ),
    "standbys of a primary that runs and cannot be reached": (
        {"a": found(primary(standbys=()), reason("slot_inactive", slot="b_slot")),
         "b": found(standby(), reason("no_wal_receiver"), reason("upstream_unreachable"))},
        [("upstream_unreachable", "b")],
    ),
    "a lost slot from both sides": (
        {"a": found(primary(standbys=(), lost=("b",)), reason("slot_lost", slot="b_slot")),
         "b": found(standby(), reason("no_wal_receiver"), reason("wal_removed"))},
        [("slot_lost", "b")],
    ),
    "a standby that catches up, from both sides": (
        {"a": found(primary(), reason("not_streaming", standby="b")), "b": found(standby(), reason("not_streaming"))},
        [("not_streaming", "b")],
    ),
    "a standby that streams from somebody else": (
        {"a": primary(standbys=()), "b": found(standby(), wal_receiver={"status": "streaming"})}, [("standby_missing", "b")],
    ),
    "a full primary": (
        {"a": found(primary(), reason("too_many_connections"), known=True, **FULL), "b": standby()}, [("too_many_connections", "a")],
    ),
    "a full primary that nobody can ask": (
        {"a": found(primary(standbys=()), reason("too_many_connections"), known=False, **FULL),
         "b": found(standby(), wal_receiver={"status": "streaming"})},
        [("too_many_connections", "a")],
    ),
    "a former primary": (
        {"a": found(primary(timeline=1), reason("not_running"), **DOWN), "b": primary(standbys=(), timeline=2)}, [("former_primary", "a")],
    ),
    "two primaries": ({"a": primary(), "b": primary(standbys=())}, [("two_primaries", None)]),
    "a new code of a node needs nothing here": ({"a": found(primary(), reason("brand_new")), "b": standby()}, [("brand_new", "a")]),
}  # fmt: skip


@pytest.mark.parametrize(("results", "codes"), FINDINGS.values(), ids=FINDINGS.keys())
def test_findings_of_the_fleet(results: dict[str, Any], codes: list[tuple[str, str | None]]) -> None:
    document = cluster_document(results, {}, ["a"], {}, SLOTS)
    assert [(each["code"], each["node"]) for each in document["findings"]] == codes
    assert len(document["problems"]) == len(codes)
    assert all({"code", "severity", "message", "remedy"} <= set(each) for each in document["findings"])
    assert all(each["remedy"] for each in document["findings"])
    assert document["summary"].startswith("All is well." if not codes else f"{len(codes)} finding")
    for node in document["nodes"]:  # whatever a node found stays with it
        told = {each["code"] for each in (results[node["name"]] or {}).get("findings", [])}
        kept = {each["code"] for each in node["findings"]}
        assert told <= kept | {"not_running"} | ({"slot_inactive"} if "slot_foreign" in kept else set())


STATES: dict[str, tuple[dict[str, Any] | None, str]] = {
    "not asked": ({"not_asked": True}, "not asked"),
    "unreachable": (None, "unreachable"),
    "absent": ({}, "absent"),
    **{
        words: (found(standby(), reachable=False, answer=answer), words)
        for answer, words in (
            ("too_many_clients", "too many clients"), ("rejected_by_hba", "rejected by pg_hba.conf"),
            ("authentication_failed", "authentication failed"), ("starting_up", "starting up"), ("frozen", "frozen"),
            ("shutting_down", "shutting down"), ("hot_standby_off", "hot_standby off"), ("not_listening", "not listening"),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize(("result", "state"), STATES.values(), ids=STATES.keys())
def test_state(result: dict[str, Any] | None, state: str) -> None:
    document = cluster_document({"a": primary(standbys=()), "b": result}, {}, ["a"], {}, SLOTS)
    assert document["nodes"][1]["state"] == state
    assert document["findings"]


def test_a_limited_run_gives_no_dangerous_advice() -> None:
    table = cluster_table(
        cluster_document({"a": {"not_asked": True}, "b": standby(), "c": {"not_asked": True}}, {}, ["a"], {})
    )
    assert "a, c were not asked, because this run is limited" in " ".join(table.split())
    assert "promote" not in table
    assert "Start the primary" not in table


def test_table_with_findings() -> None:
    results = {
        "a": found(primary(), reason("archive_failing", "/run:1 cannot archive 000000010000000000000007."), reason("hba_error", "Line 8 is wrong.")),
        "b": found(standby(), reason("pending_restart", "/run:1 must be restarted to change shared_buffers, max_connections, max_wal_senders.")),
    }  # fmt: skip
    addresses = {"a": "192.0.2.1:5432", "b": "192.0.2.2:5432"}
    lines = cluster_table(cluster_document(results, addresses, ["a"], {}, SLOTS)).splitlines()
    assert lines[4:] == [
        "",
        "! a cannot archive 000000010000000000000007. Do that.",
        "! a: Line 8 is wrong. Do that.",
        "! b must be restarted to change shared_buffers, max_connections, max_wal_senders. restart.yml",
        "  restarts the servers one after the other.",
        "",
        "3 findings: archive_failing on a, hba_error on a, pending_restart on b.",
    ]
    assert max(map(len, lines)) < 100


@pytest.mark.parametrize(
    ("active", "again", "state"),
    [
        (["a", "b"], [], "streaming"),
        (["a"], [], "unreachable"),
        (["a"], [{"item": "b", "unreachable": True}], "unreachable"),
        (["a"], [{"item": "b", **found(standby(), **DOWN)}], "stopped"),
    ],
    ids=["it takes part", "it failed", "it failed and is gone", "it was asked again"],
)
def test_what_a_failed_node_said_is_forgotten(active: list[str], again: list[dict[str, Any]], state: str) -> None:
    facts = {"address": "192.0.2.1", "port": 5432, "slot": "x_slot", "asked": ["a", "b"]}
    nodes = {
        name: {"pg_server_node": {"version": 15}, "pg_server_facts": facts, "pg_server_status": status}
        for name, status in (("a", primary()), ("b", standby()))
    }
    document = report(["a", "b", "c"], {**nodes, "c": {}}, ["a"], active, again)
    assert isinstance(document, dict)
    assert [node["state"] for node in document["nodes"]] == ["running", state, "not asked"]
