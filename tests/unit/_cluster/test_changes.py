"""Who may lead next: switchover, failover and operations on one node, as tables of what the nodes say."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.failover import plan_failover
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.node import plan_node, plan_rolling
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.switchover import plan_switchover

SYSTEM = "7400000000000000001"
MB16 = 16 * 1024 * 1024


def status(role: str, running: bool = True, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "role": role, "running": running, "reachable": running, "system_identifier": SYSTEM, "timeline": 1,
        "cluster_state": None, "replay_paused": False, "standbys": [], "slots": [], "wal_receiver": None,
        "settings": {"pending_values": {}},
        "lsn": {"current": None, "flush": None, "receive": None, "replay": None}, **more,
    }  # fmt: skip
    return {"status": found, "reasons": []}


def primary(**more: Any) -> dict[str, Any]:
    names = more.pop("of", ("b", "c"))
    standbys = [{"name": name, "state": "streaming", "lag_bytes": 0, **more.pop(name, {})} for name in names]
    return status("primary", standbys=standbys, lsn={"flush": "0/5000100"}, **more)


def standby(receive: str | None = "0/5000100", replay: str = "0/4FFFF00", **more: Any) -> dict[str, Any]:
    return status("standby", lsn={"receive": receive, "replay": replay}, **more)


def stopped(role: str = "primary", state: str = "shut down", at: str = "0/50000A0", **more: Any) -> dict[str, Any]:
    return status(
        role, False, cluster_state=state, lsn={"flush": at if role == "primary" else None, "replay": at}, **more
    )


def refusing(answer: str, role: str = "primary", **more: Any) -> dict[str, Any]:
    """A server that runs and gives no ordinary session."""
    found = status(
        role, True, reachable=False, answer=answer, server_words="its words", cluster_state="in production", **more
    )
    return {**found, "reasons": [{"code": answer, "message": "It says so.", "remedy": "Do that."}]}


def finding(code: str, result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "findings": [{"code": code, "message": "It is so.", "remedy": "Do that."}]}


FROZEN = status(
    "primary", True, reachable=False, answer="frozen", cluster_state="in production", lsn={"flush": "0/5000000"}
)
HANDED_OVER = stopped("standby")
CRASHED = stopped(state="in production")
ABSENT: dict[str, Any] = {}


def archiver(**found: Any) -> dict[str, Any]:
    return {
        "mode": "on",
        "failing": False,
        "waiting": 0,
        "oldest_waiting_seconds": None,
        "last_archived_seconds": None,
        **found,
    }


def logical(name: str = "sub", **more: Any) -> dict[str, Any]:
    return {"name": name, "slot_type": "logical", "database": "app", "plugin": "pgoutput", "active": True, **more}


SWITCHOVERS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "as it should be": ({"a": primary(), "b": standby(), "c": standby()}, "b", "whole", "a"),
    "the primary was shut down cleanly": ({"a": stopped(), "b": standby(), "c": standby()}, "b", "whole", "a"),
    "interrupted after the shutdown": ({"a": HANDED_OVER, "b": standby(), "c": standby()}, "b", "promote", "a"),
    "interrupted, and another target now": ({"a": HANDED_OVER, "b": standby(), "c": standby()}, "c", "promote", "a"),
    "interrupted, and taken back": ({"a": HANDED_OVER, "b": standby(), "c": standby()}, "a", "done", "a"),
    "interrupted after the promotion": (
        {"a": HANDED_OVER, "b": primary(timeline=2, of=()), "c": standby()}, "b", "done", "b",
    ),
    "nothing to do": ({"a": primary(), "b": standby()}, "a", "done", "a"),
    "another standby is silent": ({"a": primary(of=("b",)), "b": standby(), "c": None}, "b", "whole", "a"),
}  # fmt: skip


@pytest.mark.parametrize(("results", "target", "stage", "old"), SWITCHOVERS.values(), ids=SWITCHOVERS.keys())
def test_switchover(results: dict[str, Any], target: str, stage: str, old: str) -> None:
    plan = plan_switchover(results, target, MB16)
    assert (plan.stage, plan.old, plan.target, plan.topology.primary) == (stage, old, target, target)
    assert plan.topology.roles[target] == "primary"
    assert list(plan.topology.roles.values()).count("primary") == 1
    assert target not in plan.slots
    assert set(plan.slots) == {name for name in results if name != target}
    assert plan.steps


def test_a_switchover_leaves_the_old_primary_to_be_started_as_a_standby() -> None:
    plan = plan_switchover({"a": primary(), "b": standby(), "c": standby()}, "b", MB16)
    assert plan.topology.roles == {"a": "standby", "b": "primary", "c": "standby"}
    assert plan.topology.running == ("b", "c")
    assert plan.following == ("c",)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (archiver(), ""),
        (archiver(waiting=1, oldest_waiting_seconds=5.0), "1 WAL files of a are yet to be archived"),
        (archiver(waiting=900, oldest_waiting_seconds=3000.0, last_archived_seconds=1.0), "900 WAL files of a"),
        (archiver(waiting=9, oldest_waiting_seconds=3000.0, failing=True), "archive_command of a fails; 9 WAL files"),
        ({}, ""),
    ],
    ids=["idle", "one file just now", "slow, but at work", "failing", "not known"],
)
def test_an_archiver_that_does_not_hang_is_no_obstacle(found: dict[str, Any], words: str) -> None:
    plan = plan_switchover({"a": primary(archiver=found), "b": standby(), "c": standby()}, "b", MB16)
    said = [step for step in plan.steps if "archive" in step]
    assert (words in " ".join(said)) if words else not said


SLOTS_OF_OTHERS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]] = {
    "a subscriber is connected": ([logical()], [], ["Logical slot sub (database app, plugin pgoutput, in use) stays on a"]),
    "nobody is connected": ([logical(active=False)], [], ["not in use) stays on a"]),
    "two": ([logical("s1"), logical("s2", plugin="wal2json")], [], ["slot s1", "plugin wal2json"]),
    "synchronized": ([logical(failover=True)], [logical(synced=True)], ["is synchronized to b"]),
    "synchronized, but lost": ([logical(failover=True)], [logical(synced=True, lost=True)], ["stays on a"]),
    "only physical ones": ([{"name": "b_slot", "slot_type": "physical"}], [], []),
    "temporary": ([logical(temporary=True)], [], []),
}  # fmt: skip


@pytest.mark.parametrize(("slots", "there", "words"), SLOTS_OF_OTHERS.values(), ids=SLOTS_OF_OTHERS.keys())
@pytest.mark.parametrize("operation", ["switchover", "failover"])
def test_plans_name_logical_slots(
    slots: list[dict[str, Any]], there: list[dict[str, Any]], words: list[str], operation: str
) -> None:
    results = {"a": primary(slots=slots), "b": standby(slots=there), "c": standby("0/5000000")}
    plan = (
        plan_switchover(results, "b", MB16)
        if operation == "switchover"
        else plan_failover(results, fenced=False, force=True).change
    )
    said = [step for step in plan.steps if "Logical slot" in step]
    assert len(said) == len(words)
    assert all(word in step for word, step in zip(words, said))


def test_a_failover_names_the_logical_slots_of_a_crashed_primary() -> None:
    crashed = stopped(state="in production", stored_logical_slots=["sub"])
    plan = plan_failover({"a": crashed, "b": standby(), "c": standby()}, fenced=False, force=False).change
    assert any("Logical slot sub stays on a" in step for step in plan.steps), plan.steps


def test_plans_name_subscriptions() -> None:
    orders = [{"name": "orders", "database": "app"}]
    for results in (
        {"a": primary(subscriptions=orders), "b": standby(), "c": standby()},
        {"a": primary(), "b": standby(subscriptions=orders), "c": standby()},
    ):
        said = [step for step in plan_switchover(results, "b", MB16).steps if "Subscription" in step]
        assert said == ["Subscription orders (database app) goes on from b: its publisher must let b log in."]


@pytest.mark.parametrize(
    ("nodes", "target", "words"),
    [
        ({"b": standby(apply_delay_ms=1000), "c": standby()}, "c", ""),
        ({"b": standby("0/6000000", apply_delay_ms=3_600_000), "c": standby()}, "b", "replays with a delay of 1 h"),
        ({"b": standby(apply_delay_ms=1000), "c": standby(apply_delay_ms=500)}, "c", "500 ms"),
    ],
    ids=["equal WAL", "more WAL", "the shorter delay"],
)
def test_a_delayed_standby_leads_only_when_it_has_the_most_wal(nodes: dict[str, Any], target: str, words: str) -> None:
    plan = plan_failover({"a": CRASHED, **nodes}, fenced=False, force=False).change
    assert plan.target == target
    assert words in " ".join(plan.steps)
    assert ("delay" in " ".join(plan.steps)) is bool(words)


REFUSED_SWITCHOVERS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "an unknown target": ({"a": primary(), "b": standby()}, "x", "node_unknown", "There is no node 'x'; there are a, b."),
    "no target": ({"a": primary(), "b": standby()}, "", "node_unknown", "No node was named"),
    "a stopped target": ({"a": primary(), "b": stopped("standby", "shut down in recovery")}, "b", "target_not_running", "b"),
    "a silent target": ({"a": primary(), "b": None}, "b", "target_not_running", "gives no answer"),
    "an absent target": ({"a": primary(), "b": ABSENT}, "b", "target_not_running", "b"),
    "a target that is not connected": ({"a": primary(of=()), "b": standby()}, "b", "not_streaming", "it is not connected"),
    "a target that catches up": (
        {"a": primary(b={"state": "catchup"}), "b": standby(), "c": standby()}, "b", "not_streaming", "'catchup'",
    ),
    "a lagging target": (
        {"a": primary(b={"lag_bytes": MB16 + 1}), "b": standby(), "c": standby()}, "b", "lagging", "16777217 bytes",
    ),
    "a lag that is not known": (
        {"a": primary(b={"lag_bytes": None}), "b": standby(), "c": standby()}, "b", "lagging", "not known",
    ),
    "a target on another timeline": ({"a": primary(), "b": standby(timeline=2)}, "b", "wrong_timeline", "timeline 2"),
    "paused replay": ({"a": primary(), "b": standby(replay_paused=True)}, "b", "replay_paused", "Replay is paused on b"),
    "a former primary": ({"a": stopped(), "b": primary(timeline=2, of=())}, "a", "target_former", "rejoin.yml -e node=a"),
    "two primaries": ({"a": primary(), "b": primary(timeline=2)}, "b", "two_primaries", "2 nodes are primaries"),
    "a crashed primary": ({"a": CRASHED, "b": standby()}, "b", "primary_crashed", "failover.yml"),
    "behind a stopped primary": (
        {"a": stopped(at="0/9000000"), "b": standby()}, "b", "lagging", "more than 16777216",
    ),
    "interrupted, and a node is silent": (
        {"a": HANDED_OVER, "b": standby(), "c": None}, "b", "no_answer", "it may have been promoted",
    ),
    "a target whose unit is masked": (
        {"a": primary(), "b": finding("unit_masked", standby()), "c": standby()}, "b", "unit_masked", "b: It is so.",
    ),
    "a target without room": (
        {"a": primary(), "b": finding("disk_nearly_full", standby()), "c": standby()}, "b", "disk_nearly_full", "b: It is so.",
    ),
    "an old primary that could not start again": (
        {"a": finding("unit_masked", primary()), "b": standby(), "c": standby()}, "b", "unit_masked", "a: It is so.",
    ),
    "an archiver that hangs": (
        {"a": primary(archiver=archiver(waiting=3, oldest_waiting_seconds=300.0, last_archived_seconds=400.0)), "b": standby(), "c": standby()},
        "b", "archive_stuck", "3 WAL files wait, the oldest for 300 s",
    ),
    "an archiver that never did anything": (
        {"a": primary(archiver=archiver(waiting=1, oldest_waiting_seconds=61.0)), "b": standby(), "c": standby()},
        "b", "archive_stuck", "none was archived for 61 s",
    ),
    "a delayed target": ({"a": primary(), "b": standby(apply_delay_ms=5_400_000), "c": standby()}, "b", "delayed_standby", "delay of 90 min"),
    "a delay of milliseconds": ({"a": primary(), "b": standby(apply_delay_ms=250), "c": standby()}, "b", "delayed_standby", "250 ms"),
    "a target that stops somewhere": (
        {"a": primary(), "b": standby(recovery_target="recovery_target_name = 'x'"), "c": standby()}, "b", "recovery_target_set", "'x'",
    ),
    "only standbys": ({"a": standby(), "b": standby()}, "b", "no_primary", "failover.yml"),
    "a primary that refuses its standbys' names": (
        {"a": refusing("rejected_by_hba"), "b": standby()}, "b", "session_refused", "a runs, but its server accepts no session",
    ),
    "a frozen primary": ({"a": FROZEN, "b": standby()}, "b", "session_refused", "(frozen)"),
    "the primary is not asked": ({"a": {"not_asked": True}, "b": standby()}, "b", "not_asked", "without --limit"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("results", "target", "code", "words"), REFUSED_SWITCHOVERS.values(), ids=REFUSED_SWITCHOVERS.keys()
)
def test_refused_switchover(results: dict[str, Any], target: str, code: str, words: str) -> None:
    with pytest.raises(PgFleetError) as caught:
        plan_switchover(results, target, MB16)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert "othing was changed" in str(caught.value)


# name: the nodes, options, the chosen one, how the old one is fenced, words about what is lost
FAILOVERS: dict[str, tuple[dict[str, Any], dict[str, bool], str, str, str]] = {
    "a crashed primary": ({"a": CRASHED, "b": standby(), "c": standby()}, {}, "b", "stopped", "had not sent yet is lost"),
    "the most WAL wins, received or replayed": (
        {"a": CRASHED, "b": standby("0/5000000"), "c": standby(None, "0/6000000")}, {}, "c", "stopped", "0/6000000",
    ),
    "a newer timeline counts more than the position": (
        {"a": CRASHED, "b": standby("0/9000000"), "c": standby("0/5000000", timeline=2)}, {}, "c", "stopped", "0/5000000",
    ),
    "a loss that is known": (
        {"a": stopped(at="0/5000200"), "b": standby()}, {}, "b", "stopped", "256 bytes more are known",
    ),
    "an alive primary is stopped by force": (
        {"a": refusing("too_many_clients", lsn={"flush": "0/5000000"}), "b": standby()}, {"force": True}, "b", "stop", "b has all WAL",
    ),
    "a standby that is full of readers": (
        {"a": CRASHED, "b": refusing("too_many_clients", "standby", known=True, lsn={"receive": "0/6000000", "replay": "0/6000000"}),
         "c": standby()}, {}, "b", "stopped", "b has all WAL",
    ),
    "a frozen primary is stopped": ({"a": FROZEN, "b": standby()}, {}, "b", "stop", "b has all WAL"),
    "a primary that is well is stopped by force": ({"a": primary(), "b": standby()}, {"force": True}, "b", "stop", "b"),
    "a silent primary that is fenced": ({"a": None, "b": standby()}, {"fenced": True}, "b", "given", "b has all"),
    "the primary's data are gone": ({"a": ABSENT, "b": standby()}, {}, "b", "none", "b has all"),
    "a switchover was interrupted": ({"a": HANDED_OVER, "b": standby()}, {}, "b", "none", "b has all"),
    "a switchover was interrupted before everything was sent": (
        {"a": stopped("standby", at="0/5000200"), "b": standby()}, {"synchronous": True}, "b", "none", "256 bytes more are known",
    ),
    "stopped standbys do not count": (
        {"a": CRASHED, "b": stopped("standby", "shut down in recovery", "0/4000000"), "c": standby()}, {}, "c", "stopped", "c",
    ),
    "a stopped standby that has more is passed over by force": (
        {"a": CRASHED, "b": stopped("standby", "shut down in recovery", "0/9000000"), "c": standby()}, {"force": True},
        "c", "stopped", "c has all",
    ),
    "commits waited for a standby": (
        {"a": CRASHED, "b": standby(), "c": standby()}, {"synchronous": True}, "b", "stopped", "none that was acknowledged is lost",
    ),
    "commits waited, but for whom is not known": (
        {"a": CRASHED, "b": standby(), "c": None}, {"synchronous": True, "fenced": True}, "b", "stopped", "because c had it, is lost",
    ),
    "commits waited, perhaps for a standby that is stopped": (
        {"a": CRASHED, "b": standby(), "c": stopped("standby", "shut down in recovery", "0/4000000")}, {"synchronous": True},
        "b", "stopped", "because c had it, is lost",
    ),
    "after an earlier failover": (
        {"a": stopped(), "b": stopped(timeline=2), "c": standby(timeline=2)}, {}, "c", "stopped", "c has all",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("results", "options", "target", "fence", "lost"), FAILOVERS.values(), ids=FAILOVERS.keys())
def test_failover(results: dict[str, Any], options: dict[str, bool], target: str, fence: str, lost: str) -> None:
    plan = plan_failover(results, **{"fenced": False, "force": False, **options})
    assert (plan.change.target, plan.fence) == (target, fence)
    assert lost in plan.lost
    assert plan.change.topology.primary == target
    assert list(plan.change.topology.roles.values()).count("primary") == 1
    assert plan.as_result()["candidates"][0]["behind_bytes"] == 0


def test_a_failover_says_what_is_wrong_with_the_one_that_is_to_lead() -> None:
    nodes = {"a": CRASHED, "b": finding("disk_nearly_full", standby()), "c": standby(receive="0/5000000")}
    plan = plan_failover(nodes, fenced=False, force=False).change
    assert plan.target == "b"
    assert "b: It is so. Do that." in plan.steps


def test_bytes_behind_the_best() -> None:
    results = {"a": CRASHED, "b": standby("0/5000100"), "c": standby("0/5000110")}
    found = plan_failover(results, fenced=False, force=False).as_result()
    assert [(each["name"], each["behind_bytes"]) for each in found["candidates"]] == [("c", 0), ("b", 16)]


def test_the_old_primary_becomes_a_former_one_and_gets_a_slot() -> None:
    plan = plan_failover({"a": CRASHED, "b": standby(), "c": standby()}, fenced=False, force=False).change
    assert plan.topology.roles == {"a": "former", "b": "primary", "c": "standby"}
    assert plan.slots == ("c", "a")
    assert plan.following == ("c",)


@pytest.mark.parametrize(
    ("results", "fenced"),
    [
        ({"a": CRASHED, "b": primary(timeline=2, of=()), "c": standby()}, False),
        ({"a": None, "b": primary(timeline=2, of=()), "c": standby()}, True),
    ],
    ids=["the old one is stopped", "the old one is silent"],
)
def test_a_failover_that_was_interrupted_after_the_promotion_is_finished(results: dict[str, Any], fenced: bool) -> None:
    plan = plan_failover(results, fenced=fenced, force=False)
    assert (plan.change.stage, plan.change.target, plan.change.following) == ("done", "b", ("c",))


def test_force_is_not_taken_for_the_end_of_an_earlier_failover() -> None:
    results = {"a": stopped(), "b": primary(timeline=2, of=("c",)), "c": standby(timeline=2)}
    with pytest.raises(PgFleetError) as caught:
        plan_failover(results, fenced=False, force=True)
    assert caught.value.code == "former_not_rejoined"
    results["b"] = primary(timeline=2, of=())
    assert plan_failover(results, fenced=False, force=True).change.stage == "done", "that one was interrupted"


REFUSED_FAILOVERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "the primary is well": ({"a": primary(), "b": standby()}, "primary_alive", "switchover.yml"),
    **{
        f"the primary is alive: {answer}": (
            {"a": refusing(answer, lsn={"flush": "0/5000000"}), "b": standby()},
            "primary_alive",
            "It says so. Do that.",
        )
        for answer in (
            "too_many_clients",
            "rejected_by_hba",
            "authentication_failed",
            "starting_up",
            "shutting_down",
            "refused",
            "not_listening",
        )
    },
    "the primary is not asked": ({"a": {"not_asked": True}, "b": standby()}, "not_asked", "a was not asked"),
    "the primary is alive and not in the inventory": (
        {"b": standby(wal_receiver={"status": "streaming", "sender_host": "192.0.2.9", "sender_port": 5432})},
        "primary_not_in_inventory",
        "b streams from 192.0.2.9:5432",
    ),
    "the primary is silent": ({"a": None, "b": standby()}, "not_fenced", "-e fenced=yes"),
    "any node is silent": ({"a": CRASHED, "b": standby(), "c": None}, "not_fenced", "No answer from c"),
    "nobody can lead": (
        {"a": CRASHED, "b": stopped("standby", "shut down in recovery")},
        "no_candidate",
        "No standby runs",
    ),
    "two primaries": ({"a": primary(), "b": primary(timeline=2)}, "two_primaries", "2 nodes"),
    "a standby that accepts nobody has more": (
        {"a": CRASHED, "b": refusing("hot_standby_off", "standby", lsn={"replay": "0/9000000"}), "c": standby()},
        "standby_ahead",
        "(hot_standby off)",
    ),
    "a stopped standby has more": (
        {"a": CRASHED, "b": stopped("standby", "shut down in recovery", "0/9000000"), "c": standby()},
        "standby_ahead",
        "b has WAL up to 0/9000000",
    ),
}


@pytest.mark.parametrize(("results", "code", "words"), REFUSED_FAILOVERS.values(), ids=REFUSED_FAILOVERS.keys())
def test_refused_failover(results: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(PgFleetError) as caught:
        plan_failover(results, fenced=False, force=False)
    assert caught.value.code == code
    assert words in str(caught.value)


# name: the nodes, the operation on c, stage, role of c afterwards (None: not in the cluster)
OPERATIONS: dict[str, tuple[dict[str, Any], str, str, str | None]] = {
    "a former primary comes back": (
        {"a": primary(timeline=2, of=("b",)), "b": standby(timeline=2), "c": CRASHED}, "rejoin", "whole", "standby",
    ),
    "a stopped rival on a newer timeline gives in": (
        {"a": primary(of=("b",)), "b": standby(), "c": stopped(timeline=2)}, "rejoin", "whole", "standby",
    ),
    "it is back already": ({"a": primary(), "b": standby(), "c": standby()}, "rejoin", "done", "standby"),
    "a standby that does not stream": ({"a": primary(of=("b",)), "b": standby(), "c": standby()}, "rejoin", "whole", "standby"),
    "a standby is rebuilt": ({"a": primary(), "b": standby(), "c": standby()}, "rebuild", "whole", "standby"),
    "a standby goes": ({"a": primary(), "b": standby(), "c": standby()}, "remove", "whole", None),
    "a silent standby goes": ({"a": primary(), "b": standby(), "c": None}, "remove", "whole", None),
}  # fmt: skip


@pytest.mark.parametrize(("results", "operation", "stage", "role"), OPERATIONS.values(), ids=OPERATIONS.keys())
def test_operation_on_one_node(results: dict[str, Any], operation: str, stage: str, role: str | None) -> None:
    plan = plan_node(results, "c", operation)
    assert (plan.old, plan.target, plan.stage) == ("c", "a", stage)
    assert plan.topology.roles.get("c") == role
    if stage == "whole":
        assert "c" not in plan.topology.running


@pytest.mark.parametrize("operation", ["rejoin", "rebuild", "remove"])
@pytest.mark.parametrize(
    ("results", "name", "code"),
    [
        ({"a": primary(), "b": standby()}, "a", "node_is_primary"),
        ({"a": primary(), "b": standby()}, "x", "node_unknown"),
        ({"a": stopped(), "b": standby()}, "b", "primary_not_running"),
        ({"a": primary(), "b": primary(timeline=2)}, "b", "two_primaries"),
        ({"a": HANDED_OVER, "b": standby()}, "b", "switchover_interrupted"),
        ({"a": refusing("too_many_clients", known=True), "b": standby()}, "b", "session_refused"),
        ({"a": FROZEN, "b": standby()}, "b", "session_refused"),
        ({"a": {"not_asked": True}, "b": standby()}, "b", "not_asked"),
        ({"a": primary(), "b": standby(), "c": {"not_asked": True}}, "b", "not_asked"),
    ],
)
def test_refused_operation(results: dict[str, Any], name: str, code: str, operation: str) -> None:
    with pytest.raises(PgFleetError) as caught:
        plan_node(results, name, operation)
    assert caught.value.code == code


def test_a_silent_node_cannot_come_back() -> None:
    with pytest.raises(PgFleetError) as caught:
        plan_node({"a": primary(), "c": None}, "c", "rejoin")
    assert caught.value.code == "no_answer"


SINKS = {"settings": {"pending_values": {"max_connections": {"setting": "100", "wanted": "60"}}}}
GROWS = {"settings": {"pending_values": {"max_connections": {"setting": "100", "wanted": "200"}}}}


@pytest.mark.parametrize(
    ("leader", "switchover", "order", "target"),
    [
        (primary(), False, ("b", "c", "a"), ""),
        (primary(**GROWS), False, ("b", "c", "a"), ""),
        (primary(**SINKS), False, ("a", "b", "c"), ""),
        (primary(), True, ("b", "c"), "b"),
    ],
    ids=["standbys first", "a value grows", "a value sinks", "another one leads"],
)
def test_rolling_restart(leader: dict[str, Any], switchover: bool, order: tuple[str, ...], target: str) -> None:
    plan = plan_rolling({"a": leader, "b": standby(), "c": standby()}, switchover, "")
    assert (plan.order, plan.target) == (order, target)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ({"a": primary(**SINKS), "b": standby(), "c": standby()}, "primary_first"),
        ({"a": primary(barred_roles={"replicator": "NOLOGIN"}), "b": standby()}, "role_barred"),
        (
            {
                "a": primary(standby_limits={"max_connections": 200}),
                "b": standby(standby_limits={"max_connections": 100}),
            },
            "standby_below_primary",
        ),
        ({"a": primary(), "b": stopped("standby", "shut down in recovery")}, "no_candidate"),
        ({"a": stopped(), "b": standby()}, "primary_not_running"),
        ({"a": refusing("authentication_failed"), "b": standby()}, "session_refused"),
        ({"a": primary(), "b": refusing("frozen", "standby")}, "session_refused"),
        ({"a": primary(), "b": {"not_asked": True}}, "not_asked"),
        ({"a": primary(), "b": finding("unit_masked", standby()), "c": standby()}, "unit_masked"),
    ],
)
def test_refused_rolling_restart(results: dict[str, Any], code: str) -> None:
    with pytest.raises(PgFleetError) as caught:
        plan_rolling(results, True, "")
    assert caught.value.code == code
