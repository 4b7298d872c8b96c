"""What a history needs, and what of it an archive lacks."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.gaps import (
    Gap,
    Lineage,
    WrongHistory,
    first_archived,
    lineage_of,
    missing,
    reach,
    runs,
    spans,
    wrong_histories,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.names import HISTORY, PARTIAL, WalFile

S = 16 << 20
ONE = Lineage(1)
#: Timeline 1 was left inside of segment 4, timeline 2 at the end of segment 6.
THREE = Lineage(3, ((1, 4 * S + 328), (2, 7 * S)))
WHOLE = [WalFile(1, 2), WalFile(1, 3), WalFile(2, 4), WalFile(2, 5), WalFile(2, 6), WalFile(3, 7), WalFile(3, 8)]

TABLE: dict[str, tuple[list[WalFile], Lineage, list[Gap]]] = {
    "whole": (WHOLE, THREE, []),
    "one in the middle": ([f for f in WHOLE if f.number != 5], THREE, [Gap(2, 5, 5)]),
    "over a fork": ([f for f in WHOLE if f.number not in (6, 7)], THREE, [Gap(2, 6, 6), Gap(3, 7, 7)]),
    "a partial does for nothing": ([*[f for f in WHOLE if f.number != 3], WalFile(1, 3, PARTIAL)], THREE, [Gap(1, 3, 3)]),
    "a partial beside the next timeline's": ([*WHOLE, WalFile(1, 4, PARTIAL)], THREE, []),
    "the old timeline's file is not the new one's": ([*[f for f in WHOLE if f.number != 4], WalFile(1, 4)], THREE, [Gap(2, 4, 4)]),
    "beyond a fork nobody asks": ([*WHOLE, WalFile(1, 5), WalFile(1, 6)], THREE, []),
    "two gaps": ([WalFile(1, 2), WalFile(1, 4), WalFile(1, 7)], ONE, [Gap(1, 3, 3), Gap(1, 5, 6), Gap(1, 8, 8)]),
    "nothing": ([], ONE, [Gap(1, 2, 8)]),
}  # fmt: skip


@pytest.mark.parametrize(("files", "lineage", "gaps"), TABLE.values(), ids=TABLE)
def test_gaps(files: list[WalFile], lineage: Lineage, gaps: list[Gap]) -> None:
    assert list(runs(missing(files, lineage, 2, 9, S))) == gaps
    first = min((gap.first for gap in gaps), default=9)
    assert reach(files, lineage, 2, S) == first


def test_first_archived() -> None:
    assert first_archived([WalFile(2, 1), WalFile(1, 3), WalFile(2, 5)], THREE, S) == 3
    assert first_archived([], THREE, S) is None


def test_lineage_of_an_archive() -> None:
    history = "1\t0/4000148\tx\n2\t0/7000000\ty\n"
    found = lineage_of([*WHOLE, WalFile(3, 0, HISTORY)], {3: history})
    assert found == Lineage(3, ((1, 4 * S + 328), (2, 7 * S)))
    assert lineage_of([], {}) is None


HISTORIES = {
    "as they are": ({2: "1\t0/4000148\tx\n", 3: "1\t0/4000148\tx\n2\t0/7000000\ty\n"}, []),
    "another reason": ({2: "1\t0/4000148\tother\n", 3: "1 0/4000148 x\n\n2 0/7000000 y"}, []),
    "left elsewhere": ({2: "1\t0/4000150\tx\n", 3: "1\t0/4000148\tx\n2\t0/7000000\ty\n"}, [WrongHistory(2, "differs")]),
    "not there": ({3: "1\t0/4000148\tx\n2\t0/7000000\ty\n"}, [WrongHistory(2, "missing")]),
    "a newer one": (
        {2: "1\t0/4000148\tx\n", 3: "1\t0/4000148\tx\n2\t0/7000000\ty\n", 4: "1\t0/2000000\tz\n"}, [WrongHistory(4, "foreign")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("histories", "wrong"), HISTORIES.values(), ids=HISTORIES)
def test_histories(histories: dict[int, str], wrong: list[WrongHistory]) -> None:
    assert list(wrong_histories(histories, THREE, [])) == wrong


def test_a_history_that_waits_is_not_missing() -> None:
    assert wrong_histories({}, THREE, [WalFile(2, 0, HISTORY), WalFile(3, 0, HISTORY)]) == ()


def test_spans() -> None:
    assert spans(WHOLE, S)[0] == {
        "timeline": 1,
        "first": "000000010000000000000002",
        "last": "000000010000000000000003",
        "count": 2,
    }
