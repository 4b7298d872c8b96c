# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput, SlotConflict
from ansible_collections.pgfleet.cluster.plugins.module_utils._slot.plan import (
    Policy,
    ServerLimits,
    Slot,
    WantedSlot,
    plan_slots,
    record_of,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._slot.record import recorded_slots, with_record

A = Slot("a", "physical", restart_lsn="0/3000000", wal_status="reserved", two_phase=False)
B = replace(A, name="b")
BUSY = replace(A, active=True, active_pid=7)
LOST = replace(A, restart_lsn=None, wal_status="lost")
IDLE_LOST = replace(A, invalidation_reason="idle_timeout")
NEVER_USED = replace(A, restart_lsn=None, wal_status=None)
TEMPORARY = replace(A, temporary=True, active=True, active_pid=8)
LOGICAL = Slot(
    "l", "logical", "pgoutput", "shop", restart_lsn="0/3000000", confirmed_flush_lsn="0/3000000", wal_status="reserved",
    two_phase=False,
)  # fmt: skip
WANT_A, WANT_B = WantedSlot("a"), WantedSlot("b")
WANT_L = WantedSlot("l", slot_type="logical", plugin="pgoutput", database="shop")
NO_A, NO_L = WantedSlot("a", present=False), WantedSlot("l", present=False)
ROOM = ServerLimits(10, "logical", ("postgres", "shop"))
STRICT = Policy()
EXCLUSIVE = Policy(exclusive=True)
FORCE = Policy(on_active="terminate", on_lost="recreate")
RECREATE = Policy(on_lost="recreate")

# existing, wanted, policy -> actions in their order, names afterwards, names spared
PLANS = [
    ("nothing there, nothing wanted", [], [], STRICT, [], [], []),
    ("create", [], [WANT_A], STRICT, ["created a"], ["a"], []),
    ("create several, in the order of the wish", [], [WANT_B, WANT_A], STRICT, ["created b", "created a"], ["b", "a"], []),
    ("create one beside another", [A], [WANT_B], STRICT, ["created b"], ["a", "b"], []),
    ("keep", [A], [WANT_A], STRICT, [], ["a"], []),
    ("keep an active one", [BUSY], [WANT_A], STRICT, [], ["a"], []),
    ("keep one at risk: it is not lost yet", [replace(A, wal_status="unreserved")], [WANT_A], STRICT, [], ["a"], []),
    ("keep a logical one", [LOGICAL], [WANT_L], STRICT, [], ["l"], []),
    ("create a logical one", [], [WANT_L], STRICT, ["created l"], ["l"], []),
    ("drop", [A, B], [NO_A], STRICT, ["dropped a"], ["b"], []),
    ("drop what is not there", [B], [NO_A], STRICT, [], ["b"], []),
    ("drop a logical one by its name", [LOGICAL], [NO_L], STRICT, ["dropped l"], [], []),
    ("drop a lost one", [LOST], [NO_A], STRICT, ["dropped a"], [], []),
    ("drop an active one after waiting", [BUSY], [NO_A], Policy(on_active="wait"), ["dropped a"], [], []),
    ("drop an active one by force", [BUSY], [NO_A], Policy(on_active="terminate"), ["dropped a"], [], []),
    ("drops come before creations", [A], [WANT_B, NO_A], STRICT, ["dropped a", "created b"], ["b"], []),
    ("recreate a lost one", [LOST], [WANT_A], RECREATE, ["recreated a"], ["a"], []),
    ("recreate an invalidated one", [IDLE_LOST], [WANT_A], RECREATE, ["recreated a"], ["a"], []),
    ("recreate a lost logical one", [replace(LOGICAL, wal_status="lost")], [WANT_L], RECREATE, ["recreated l"], ["l"], []),
    ("recreate a lost active one by force", [replace(LOST, active=True)], [WANT_A], FORCE, ["recreated a"], ["a"], []),
    ("recreate one that reserves nothing", [NEVER_USED], [WANT_A], STRICT, ["recreated a"], ["a"], []),
    ("one that reserves nothing is wanted so", [NEVER_USED], [WantedSlot("a", reserve_wal=False)], STRICT, [], ["a"], []),
    ("one that reserves nothing yet but is in use", [replace(NEVER_USED, active=True)], [WANT_A], STRICT, [], ["a"], []),
    ("a reserving one where none need", [A], [WantedSlot("a", reserve_wal=False)], STRICT, [], ["a"], []),
    ("exclusive: drop the others", [A, B], [WANT_B], EXCLUSIVE, ["dropped a"], ["b"], []),
    ("exclusive: drop all", [A, B], [], EXCLUSIVE, ["dropped a", "dropped b"], [], []),
    ("exclusive: drop a lost one", [LOST], [], EXCLUSIVE, ["dropped a"], [], []),
    ("exclusive: listed as absent is listed", [A], [NO_A], EXCLUSIVE, ["dropped a"], [], []),
    ("exclusive: logical ones stay", [LOGICAL], [], EXCLUSIVE, [], ["l"], []),
    ("exclusive: active ones are spared", [BUSY, B], [], EXCLUSIVE, ["dropped b"], ["a"], ["a"]),
    ("exclusive: active ones after waiting", [BUSY], [], Policy(exclusive=True, on_active="wait"), ["dropped a"], [], []),
    ("exclusive: active ones by force", [BUSY], [], Policy(exclusive=True, on_active="terminate"), ["dropped a"], [], []),
    ("exclusive: temporary ones stay", [TEMPORARY], [], EXCLUSIVE, [], [], []),
    ("a temporary one is not there", [TEMPORARY], [NO_A], STRICT, [], [], []),
]  # fmt: skip


def test_exclusive_drops_only_what_is_ours() -> None:
    other = replace(A, name="other")
    plan = plan_slots([A, B, other, LOGICAL], [WANT_B], Policy(exclusive=True, ours=frozenset(["a", "b", "l"])), ROOM)
    assert [(step.action, step.name) for step in plan.steps] == [("dropped", "a")]
    assert [slot.name for slot in plan.foreign] == ["other"]
    assert record_of(plan, [WANT_B], ["a", "b", "l"], ["c"]) == {"b", "c", "l"}
    busy = plan_slots([BUSY], [], Policy(exclusive=True, ours=frozenset()), ROOM)
    assert not busy.steps and not busy.spared and [slot.name for slot in busy.foreign] == ["a"]


@pytest.mark.parametrize(
    ("comment", "names", "after"),
    [
        ("", [], ""),
        ("", ["b", "a"], "[pgfleet slots: a b]"),
        ("for standbys", ["a"], "for standbys [pgfleet slots: a]"),
        ("x [pgfleet slots: a b] y", ["c"], "x y [pgfleet slots: c]"),
        ("[pgfleet slots: a]", [], ""),
    ],
)
def test_the_record_in_a_comment(comment: str, names: list[str], after: str) -> None:
    assert with_record(comment, names) == after
    assert recorded_slots(after) == set(names)


@pytest.mark.parametrize(
    ("existing", "wanted", "policy", "actions", "after", "spared"),
    [row[1:] for row in PLANS],
    ids=[row[0] for row in PLANS],
)
def test_plan(existing, wanted, policy, actions, after, spared):
    plan = plan_slots(existing, wanted, policy, ROOM)
    assert [f"{step.action} {step.name}" for step in plan.steps] == actions
    assert [slot.name for slot in plan.after] == after
    assert [slot.name for slot in plan.spared] == spared
    assert plan.changed == bool(actions)
    for word in actions:
        action, name = word.split()
        assert plan.action_of(name) == action
    assert plan.action_of("unheard_of") == "none"


@pytest.mark.parametrize(
    ("existing", "wanted", "policy", "actions", "after", "spared"),
    [row[1:] for row in PLANS],
    ids=[row[0] for row in PLANS],
)
def test_plan_again_does_nothing(existing, wanted, policy, actions, after, spared):
    done = [replace(slot, restart_lsn=slot.restart_lsn or ("0/1" if slot.wal_status else None))
            for slot in plan_slots(existing, wanted, policy, ROOM).after]  # fmt: skip
    assert plan_slots(done, wanted, policy, ROOM).steps == ()


FULL = ServerLimits(1, "logical", ("shop",))
REFUSED = [
    ("lost", [LOST], [WANT_A], STRICT, ROOM, "slot_lost", ["'a'", "wal_status is 'lost'", "on_lost"]),
    ("invalidated", [IDLE_LOST], [WANT_A], STRICT, ROOM, "slot_lost", ["idle_timeout"]),
    ("lost and still active", [replace(LOST, active=True, active_pid=9)], [WANT_A], RECREATE, ROOM, "slot_active", ["process 9"]),
    ("drop an active one", [BUSY], [NO_A], STRICT, ROOM, "slot_active", ["'a'", "process 7", "on_active"]),
    ("physical, logical wanted", [replace(A, name="l")], [WANT_L], STRICT, ROOM, "slot_mismatch", ["'physical'", "'logical'", "state: absent"]),
    ("logical, physical wanted", [LOGICAL], [WantedSlot("l")], STRICT, ROOM, "slot_mismatch", ["'logical'", "'physical'"]),
    ("other plugin", [LOGICAL], [replace(WANT_L, plugin="wal2json")], STRICT, ROOM, "slot_mismatch", ["plugin 'pgoutput'", "'wal2json'"]),
    ("other database", [LOGICAL], [replace(WANT_L, database="postgres")], STRICT, ROOM, "slot_mismatch", ["database 'shop'", "'postgres'"]),
    ("two_phase wanted", [LOGICAL], [replace(WANT_L, two_phase=True)], STRICT, ROOM, "slot_mismatch", ["two_phase false", "true was"]),
    ("two_phase not wanted", [replace(LOGICAL, two_phase=True)], [WANT_L], STRICT, ROOM, "slot_mismatch", ["two_phase true", "false was"]),
    ("failover not wanted", [replace(LOGICAL, failover=True)], [WANT_L], STRICT, ROOM, "slot_mismatch", ["failover true"]),
    ("failover wanted, server does not tell", [LOGICAL], [replace(WANT_L, failover=True)], STRICT, ROOM, "slot_mismatch", ["failover"]),
    ("mismatch before lost", [replace(LOGICAL, wal_status="lost")], [WantedSlot("l")], RECREATE, ROOM, "slot_mismatch", []),
    ("a temporary one has the name", [TEMPORARY], [WANT_A], STRICT, ROOM, "slot_mismatch", ["temporary", "process 8"]),
    ("no room", [A], [WANT_B], STRICT, FULL, "too_many_slots", ["2 slots", "max_replication_slots is 1"]),
    ("no room, temporary ones count", [TEMPORARY], [WANT_B], STRICT, FULL, "too_many_slots", ["2 slots"]),
    ("no room for all", [], [WANT_A, WANT_B], STRICT, FULL, "too_many_slots", ["2 slots"]),
    ("wal_level", [], [WANT_L], STRICT, ServerLimits(10), "wal_level_too_low", ["'replica'", "restart"]),
    ("no such database", [], [replace(WANT_L, database="nowhere")], STRICT, ROOM, "database_missing", ["'nowhere'", "'l'"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("existing", "wanted", "policy", "limits", "code", "words"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_refused(existing, wanted, policy, limits, code, words):
    with pytest.raises(SlotConflict) as refused:
        plan_slots(existing, wanted, policy, limits)
    assert refused.value.code == code
    assert refused.value.remedy
    for word in words:
        assert word in str(refused.value)


FITS = [
    ("replacing needs no room", [A], [NO_A, WANT_B], STRICT, FULL),
    ("exclusive makes room", [A], [WANT_B], EXCLUSIVE, FULL),
    ("recreating needs no room", [LOST], [WANT_A], RECREATE, FULL),
    ("a lowered limit only hinders creations", [A, B], [WANT_A], STRICT, FULL),
    ("dropping is never hindered", [A, B], [NO_A], STRICT, ServerLimits(0)),
    ("wal_level does not matter for what is there", [LOGICAL], [WANT_L], STRICT, ServerLimits(10)),
    ("databases unknown", [], [WANT_L], STRICT, ServerLimits(10, "logical")),
]


@pytest.mark.parametrize(
    ("existing", "wanted", "policy", "limits"), [row[1:] for row in FITS], ids=[row[0] for row in FITS]
)
def test_limits_hinder_only_what_needs_them(existing, wanted, policy, limits):
    plan_slots(existing, wanted, policy, limits)


@pytest.mark.parametrize(
    "name",
    ["", "A", "a-b", "a b", "a.b", "ä", "a\n", "x" * 64],
    ids=["empty", "upper", "dash", "space", "dot", "umlaut", "newline", "long"],
)
def test_invalid_names(name):
    with pytest.raises(InvalidInput, match="lower-case letters, digits and underscores"):
        WantedSlot(name)


@pytest.mark.parametrize("name", ["a", "_", "0", "node1_slot", "x" * 63])
def test_valid_names(name):
    assert WantedSlot(name).name == name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"slot_type": "logical", "database": "d"}, "lacks its plugin", id="no plugin"),
        pytest.param({"slot_type": "logical", "plugin": "p"}, "lacks its plugin or its database", id="no database"),
        pytest.param({"plugin": "p"}, "is physical", id="physical with plugin"),
        pytest.param({"database": "d"}, "is physical", id="physical with database"),
        pytest.param({"two_phase": True}, "is physical", id="physical with two_phase"),
        pytest.param({"failover": True}, "is physical", id="physical with failover"),
    ],
)
def test_contradictions(options, words):
    with pytest.raises(InvalidInput, match=words):
        WantedSlot("a", **options)


def test_a_logical_slot_that_shall_go_needs_no_plugin():
    assert not WantedSlot("a", present=False, slot_type="logical").present


def test_a_slot_is_listed_once():
    with pytest.raises(InvalidInput, match="'a' is listed 2 times"):
        plan_slots([], [WANT_A, WANT_B, NO_A], STRICT, ROOM)


@pytest.mark.parametrize(
    ("slot", "lost"),
    [
        pytest.param(A, False, id="reserved"),
        pytest.param(replace(A, wal_status="extended"), False, id="extended"),
        pytest.param(replace(A, wal_status="unreserved"), False, id="unreserved"),
        pytest.param(NEVER_USED, False, id="never used"),
        pytest.param(LOST, True, id="lost"),
        pytest.param(IDLE_LOST, True, id="invalidated"),
    ],
)
def test_lost(slot, lost):
    assert slot.lost is lost
    assert slot.as_result()["lost"] is lost
