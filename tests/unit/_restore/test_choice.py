# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which timeline, which set, and what is refused before anything is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.names import WalFile
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.repository import Archived
from ansible_collections.pgfleet.cluster.plugins.module_utils._backup.sets import BackupSet
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.choice import Choice, Found, choose
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.lineage import find_lineage, lineage_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.target import Target, parse_target

MB = 1 << 24
NOW = 1_790_000_000.0


def backup(
    label: str, segment: int, stopped: float, timeline: int = 1, kind: str = "full", parent: str = ""
) -> BackupSet:
    start = segment * MB + 0x28
    return BackupSet(label, kind, stopped - 1, stopped, start, start + 0x100, timeline, "700", "15", 1, 1, parent)


def segments(timeline: int, first: int, last: int) -> set[WalFile]:
    return {WalFile(timeline, number) for number in range(first, last + 1)}


FIRST, SECOND = backup("first", 2, NOW - 3000), backup("second", 6, NOW - 1000)
INCREMENT = backup("increment", 8, NOW - 500, kind="incr", parent="second")
ONE = Found((FIRST, SECOND), Archived(frozenset(segments(1, 1, 9))), MB, NOW)
#: Timeline 2 left 1 in the middle of segment 5; the old primary went on to segment 7. 3 left 1 in segment 4, by mistake.
FORK = "1\t0/5800000\tno recovery target specified\n"
MISTAKE = "1\t0/4800000\tno recovery target specified\n"
TWO = Found(
    (FIRST, backup("old", 6, NOW - 1500), backup("new", 7, NOW - 1000, 2)),
    Archived(frozenset(segments(1, 1, 7) | segments(2, 5, 9)), {2: FORK}),
    MB,
    NOW,
)
THREE = replace(TWO, archived=replace(TWO.archived, histories={2: FORK, 3: MISTAKE}))
LATEST = parse_target("latest", "")


def at(segment: int) -> Target:
    return parse_target("lsn", f"0/{segment * MB + 0x800:X}")


def ago(seconds: float) -> Target:
    return Target("time", "t", True, moment=NOW - seconds)


def without(found: Found, *gone: tuple[int, int]) -> Found:
    left = found.archived.files - {WalFile(timeline, number) for timeline, number in gone}
    return replace(found, archived=replace(found.archived, files=left))


# what the repository has, target, label, timeline, and the chosen set or the code of the refusal
CHOICES: dict[str, tuple[Found, Target, str, int | None, str]] = {
    "newest for the end": (ONE, LATEST, "auto", None, "second"),
    "newest for a name": (ONE, parse_target("name", "n"), "auto", None, "second"),
    "newest for a transaction": (ONE, parse_target("xid", "739"), "auto", None, "second"),
    "newest for its own end": (ONE, parse_target("immediate", ""), "auto", None, "second"),
    "the one before a time": (ONE, ago(2000), "auto", None, "first"),
    "the newer one before a time": (ONE, ago(999), "auto", None, "second"),
    "exactly the end of a set is too early for it": (ONE, ago(1000), "auto", None, "first"),
    "before all": (ONE, ago(3001), "auto", None, "target_before_backup"),
    "in the future": (ONE, ago(-1), "auto", None, "target_not_reached"),
    "position in the newer set's WAL": (ONE, at(6), "auto", None, "second"),
    "position before the newer set": (ONE, at(5), "auto", None, "first"),
    "position at the end of a set": (ONE, parse_target("lsn", "0/6000128"), "auto", None, "second"),
    "position before all": (ONE, at(1), "auto", None, "target_before_backup"),
    "position in the last segment": (ONE, at(9), "auto", None, "second"),
    "position beyond the archive": (ONE, at(10), "auto", None, "target_not_reached"),
    "named": (ONE, LATEST, "first", None, "first"),
    "named, unknown": (ONE, LATEST, "third", None, "set_missing"),
    "named, behind the target": (ONE, ago(2000), "second", None, "target_before_backup"),
    "increment": (replace(ONE, sets=(FIRST, SECOND, INCREMENT)), LATEST, "auto", None, "increment"),
    "increment without its full set": (replace(ONE, sets=(FIRST, INCREMENT)), LATEST, "auto", None, "first"),
    "named increment without its full set": (replace(ONE, sets=(FIRST, INCREMENT)), LATEST, "increment", None, "set_broken"),
    "broken": (replace(ONE, sets=(FIRST, replace(SECOND, broken=True))), LATEST, "auto", None, "first"),
    "all broken": (replace(ONE, sets=(replace(FIRST, broken=True),)), LATEST, "auto", None, "no_backup"),
    "no set": (replace(ONE, sets=()), LATEST, "auto", None, "no_backup"),
    "gap before the newest set": (without(ONE, (1, 5)), LATEST, "auto", None, "second"),
    "gap behind the newest set": (without(ONE, (1, 8)), LATEST, "auto", None, "archive_gap"),
    "gap before a position": (without(ONE, (1, 8)), at(9), "auto", None, "archive_gap"),
    "gap behind a position": (without(ONE, (1, 8)), at(7), "auto", None, "second"),
    "gap at the position": (without(ONE, (1, 8)), at(8), "auto", None, "archive_gap"),
    "gap within a set": (without(ONE, (1, 6)), parse_target("immediate", ""), "auto", None, "archive_gap"),
    "gap behind a set that is all there is to be": (
        without(ONE, (1, 7)), parse_target("immediate", ""), "auto", None, "second",
    ),
    "one history": (TWO, LATEST, "auto", None, "new"),
    "one history, by its number": (TWO, LATEST, "auto", 2, "new"),
    "the timeline that was left": (TWO, LATEST, "auto", 1, "old"),
    "before the fork": (TWO, at(5), "auto", 2, "first"),
    "a set behind the fork on the timeline that was left": (TWO, LATEST, "old", 2, "other_timeline"),
    "a position only the old primary has": (TWO, at(9), "auto", 1, "other_timeline"),
    "unknown timeline": (TWO, LATEST, "auto", 7, "timeline_missing"),
    "two histories": (THREE, LATEST, "auto", None, "timeline_ambiguous"),
    "two histories, one named": (THREE, LATEST, "auto", 2, "new"),
    "promoted by mistake": (THREE, LATEST, "auto", 3, "first"),
    "segment of the fork on both timelines, the old one gone": (without(TWO, (1, 5)), at(5), "auto", 2, "first"),
    "segment of the fork on the old timeline alone": (without(TWO, (2, 5)), at(5), "auto", 2, "first"),
    "history gone": (replace(TWO, archived=replace(TWO.archived, histories={})), LATEST, "auto", 2, "archive_gap"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "target", "label", "timeline", "expected"), CHOICES.values(), ids=CHOICES)
def test_choose(found: Found, target: Target, label: str, timeline: int | None, expected: str) -> None:
    try:
        chosen = choose(found, target, label, timeline).backup.label
    except PgFleetError as refused:
        chosen = refused.code if refused.remedy else "no remedy"
    assert chosen == expected


def choice_of(found: Found, target: Target, whole_way: bool = False) -> Choice:
    return choose(found, target, whole_way=whole_way)


def test_a_gap_may_lie_behind_a_time() -> None:
    choice = choice_of(without(ONE, (1, 8)), ago(100))
    assert choice.doubt == "000000010000000000000008"
    with pytest.raises(PgFleetError, match="000000010000000000000008") as refused:
        choice_of(without(ONE, (1, 8)), ago(100), whole_way=True)
    assert refused.value.code == "archive_gap"


def test_the_oldest_usable_set_is_named() -> None:
    with pytest.raises(PgFleetError, match="oldest usable set 'first'"):
        choice_of(ONE, at(1))


def test_the_chain_begins_with_the_full_set() -> None:
    choice = choice_of(replace(ONE, sets=(FIRST, SECOND, INCREMENT)), LATEST)
    assert [each.label for each in choice.chain] == ["second", "increment"]


def test_what_timelines_come_of() -> None:
    lineage = lineage_of(2, TWO.archived.histories)
    assert [(span.timeline, span.begin) for span in lineage.spans] == [(1, 0), (2, 0x5800000)]
    assert [lineage.timeline_at(position) for position in (0, 0x57FFFFF, 0x5800000)] == [1, 1, 2]


def test_the_forks_of_ambiguous_histories_are_told() -> None:
    with pytest.raises(PgFleetError, match=r"Timeline 2 left 1 at 0/5800000\. Timeline 3 left 1 at 0/4800000"):
        find_lineage(None, THREE.archived, THREE.sets)
