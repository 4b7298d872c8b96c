"""Which backup is due, and to which times backups lead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.gaps import Lineage
from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.names import WalFile
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.plan import State, plan_backup
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.report import Inventory, report
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.window import is_restorable, since, windows
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import MissingFeature
from ansible_collections.pgfleet.cluster.tests.unit._backup.make import SEGMENT, a_set

FULL, INCR = a_set("F", 10), a_set("F_I", 20, "incr", parent="F")
WAL = frozenset(WalFile(1, number) for number in range(10, 31))
BASE = State((FULL, INCR), Lineage(1), WAL, SEGMENT, 100.0)
OLD = MissingFeature("too old", "upgrade")

PLANS: dict[str, tuple[dict[str, Any], str, float | None, str, str, str]] = {
    "the first": ({"sets": ()}, "incr", None, "full", "no_parent", ""),
    "auto builds on the newest": ({}, "auto", None, "incr", "wanted", "F_I"),
    "diff builds on the full one": ({}, "diff", None, "diff", "wanted", "F"),
    "full": ({}, "full", None, "full", "wanted", ""),
    "young": ({}, "auto", 90.0, "", "young_enough", ""),
    "a full one serves for an incremental one": ({"sets": (FULL,)}, "incr", 95.0, "", "young_enough", ""),
    "an incremental one does not serve for a full one": ({}, "full", 85.0, "full", "wanted", ""),
    "no longer young": ({}, "auto", 70.0, "incr", "wanted", "F_I"),
    "a gap since": ({"files": WAL - {WalFile(1, 25)}}, "incr", 90.0, "full", "parent_unusable", ""),
    "damaged": ({"sets": (FULL, replace(INCR, broken=True))}, "incr", None, "full", "parent_unusable", ""),
    "of an abandoned timeline": (
        {"lineage": Lineage(2, ((1, 15 * SEGMENT),))},
        "incr",
        None,
        "full",
        "parent_unusable",
        "",
    ),
    "auto where the provider cannot": ({"trouble": OLD}, "auto", None, "full", "missing_feature", ""),
}


@pytest.mark.parametrize(("state", "kind", "age", "taken", "reason", "parent"), PLANS.values(), ids=PLANS)
def test_plan(state: dict[str, Any], kind: str, age: float | None, taken: str, reason: str, parent: str) -> None:
    plan = plan_backup(replace(BASE, **state), kind, age)
    assert (plan.kind, plan.reason, plan.parent.label if plan.parent else "") == (taken, reason, parent)
    assert plan.sentence


def test_what_was_asked_for_and_cannot_be() -> None:
    with pytest.raises(MissingFeature):
        plan_backup(replace(BASE, trouble=OLD), "incr", None)


def test_windows() -> None:
    whole = windows((FULL, INCR), Lineage(1), WAL, SEGMENT)
    assert [(each.open, each.end, len(each.sets)) for each in whole] == [(True, 31 * SEGMENT, 2)]
    parts = windows((FULL, INCR), Lineage(1), WAL - {WalFile(1, 15)}, SEGMENT)
    assert [(each.open, each.end) for each in parts] == [(False, 15 * SEGMENT), (True, 31 * SEGMENT)]
    assert [each.sets[0].label for each in windows((FULL, INCR), Lineage(1), WAL - {WalFile(1, 10)}, SEGMENT)] == [
        "F_I"
    ]
    assert since((FULL, INCR), Lineage(1)) == FULL.start_lsn
    assert since((INCR,), Lineage(1)) is None, "without what it builds on"
    assert is_restorable(FULL, WAL, Lineage(1), SEGMENT) and not is_restorable(FULL, (), Lineage(1), SEGMENT)


REPORTS: dict[str, tuple[dict[str, Any], float | None, list[str]]] = {
    "well": ({}, 90.0, []),
    "none": ({"sets": (), "kept": ()}, None, ["no_backup"]),
    "old": ({}, 10.0, ["backup_too_old"]),
    "a gap between": ({"files": WAL - {WalFile(1, 15)}}, None, ["archive_gap"]),
    "a gap in its own": ({"files": WAL - {WalFile(1, 10)}}, None, ["archive_gap"]),
    "damaged": ({"kept": (FULL, replace(INCR, broken=True))}, None, ["backup_broken"]),
}


@pytest.mark.parametrize(("found", "age", "codes"), REPORTS.values(), ids=REPORTS)
def test_report(found: dict[str, Any], age: float | None, codes: list[str]) -> None:
    inventory = replace(Inventory("1", (FULL, INCR), (FULL, INCR), WAL, Lineage(1), SEGMENT), **found)
    result = report(inventory, 100.0, age).as_result()
    assert [each["code"] for each in result["findings"]] == codes
    assert (result["window"] is None) == ("no_backup" in codes)


def test_ages() -> None:
    result = report(Inventory("1", (FULL, INCR), (FULL, INCR), WAL, Lineage(1), SEGMENT), 100.0, None).as_result()
    assert result["last"] == {"any": 79.5, "full": 89.5}
