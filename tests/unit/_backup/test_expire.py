"""What goes and what stays when only the newest full backups are kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.names import WalFile
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.expire import plan_expiry, wal_to_drop
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.sets import BackupSet, chain_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.tests.unit._backup.make import SEGMENT, a_set

A, B, C = a_set("A", 2), a_set("B", 10), a_set("C", 20)
A1, A2 = a_set("A1", 4, "incr", parent="A"), a_set("A2", 6, "incr", parent="A1")
B1, B2 = a_set("B1", 12, "diff", parent="B"), a_set("B2", 14, "incr", parent="B1")
BROKEN = a_set("C", 20, broken=True)
ALL = (A, A1, A2, B, B1, B2, C)

PLANS: dict[str, tuple[Sequence[BackupSet], int, str]] = {
    "nothing there": ((), 1, ""),
    "as many as are kept": (ALL, 3, ""),
    "the oldest with its children, they first": (ALL, 2, "A2 A1 A"),
    "all but the newest": (ALL, 1, "B2 B1 B A2 A1 A"),
    "a broken one does not count": ((A, A1, B, BROKEN), 1, "A1 A"),
    "only a broken one is newer": ((A, BROKEN), 1, ""),
    "in any order": ((C, A1, A, B), 2, "A1 A"),
}


@pytest.mark.parametrize(("sets", "keep", "dropped"), PLANS.values(), ids=PLANS)
def test_plan(sets: Sequence[BackupSet], keep: int, dropped: str) -> None:
    plan = plan_expiry(sets, keep)
    assert " ".join(each.label for each in plan.dropped) == dropped
    assert {*plan.dropped, *plan.kept} == set(sets)


def test_one_is_always_kept() -> None:
    with pytest.raises(InvalidInput):
        plan_expiry(ALL, 0)


WAL = {
    "what is before the oldest": ([B], [WalFile(1, 9), WalFile(1, 10), WalFile(1, 11)], [WalFile(1, 9)]),
    "never a history": ([B], [WalFile(2, 0, "history"), WalFile(1, 9, "backup")], [WalFile(1, 9, "backup")]),
    "older timelines too": (
        [a_set("D", 10, timeline=2)],
        [WalFile(1, 9), WalFile(1, 9, "partial"), WalFile(2, 9)],
        [WalFile(1, 9), WalFile(1, 9, "partial"), WalFile(2, 9)],
    ),
    "never of a newer timeline": ([B], [WalFile(2, 5)], []),
    "nothing without a set": ([], [WalFile(1, 1)], []),
}


@pytest.mark.parametrize(("kept", "files", "dropped"), WAL.values(), ids=WAL)
def test_wal(kept: list[BackupSet], files: list[WalFile], dropped: list[WalFile]) -> None:
    assert wal_to_drop(files, kept, SEGMENT) == sorted(dropped)


@pytest.mark.parametrize(("label", "chain"), [("A2", "A A1 A2"), ("A", "A"), ("none", ""), ("B2", "B B1 B2")])
def test_chain(label: str, chain: str) -> None:
    assert " ".join(each.label for each in chain_of(ALL, label)) == chain


def test_a_chain_with_a_hole() -> None:
    assert chain_of((A, A2), "A2") == ()
