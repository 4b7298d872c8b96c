"""What two histories share, and what of the WAL tells whether they are one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._datadir.facts import DataDir
from ansible_collections.pgfleet.cluster.plugins.module_utils._lineage.plan import (
    FOREVER,
    WINDOW,
    Checkpoint,
    Shared,
    end_of_wal,
    first_window,
    last_checkpoint,
    last_windows,
    needed_from_source,
    segment_name,
    shared_history,
    timeline_at,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.source import Source

MB = 1024 * 1024
SEGMENT = 16 * MB
DEST = DataDir("/d", timeline=1, history=())
SOURCE = Source("b:5432", 150004, "700", timeline=2, position=0x5000000, history=((1, 0x3000100),))


@pytest.mark.parametrize(
    ("timeline", "history", "expected"),
    [
        (1, (), Shared(1, 0, 0x3000100)),
        (2, ((1, 0x3000100),), Shared(2, 0x3000100, FOREVER)),
        (2, ((1, 0x2000000),), Shared(1, 0, 0x2000000)),
        (2, None, Shared(2, 0x3000100, FOREVER)),
        (3, ((1, 0x3000100), (2, 0x4000000)), Shared(2, 0x3000100, 0x4000000)),
        (7, ((6, 0x100),), None),
    ],
)
def test_shared_history(timeline: int, history: Any, expected: Shared | None) -> None:
    assert shared_history(replace(DEST, timeline=timeline, history=history), SOURCE) == expected


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (0, 20 * MB, [(20 * MB - WINDOW, 20 * MB)]),
        (0, SEGMENT + 100, [(SEGMENT + 100 - WINDOW, SEGMENT + 100), (SEGMENT, SEGMENT + 100)]),
        (0, SEGMENT, [(SEGMENT - WINDOW, SEGMENT)]),
        (20 * MB - 100, 20 * MB, [(20 * MB - 100, 20 * MB)]),
        (20 * MB, 20 * MB, []),
    ],
    ids=["within a segment", "just after its beginning", "at its end", "young timeline", "nothing was written"],
)
def test_last_windows(begin: int, end: int, expected: list[tuple[int, int]]) -> None:
    assert list(last_windows(Shared(2, begin, FOREVER), end, SEGMENT)) == expected


def test_first_window() -> None:
    assert first_window(Shared(2, 1000, FOREVER), 9000) == (1000, 1064)
    assert first_window(Shared(2, 1000, FOREVER), 1024) == (1000, 1024)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("pg_waldump: error: error in WAL record at 0/1000060: invalid record length at 0/1000098: wanted 24, got 0", 0x1000078),
        ("pg_waldump: fatal: error in WAL record at 0/1000060: unexpected pageaddr 0/A000 in log segment x", 0x1000078),
        ("pg_waldump: error: error in WAL record at 0/0: invalid magic number 0000 in log segment x", 0x1000028),
        ("pg_waldump: error: could not find a valid record after 0/1000028", None),
        ("", 0x2000000),
    ],
    ids=["zeros", "a recycled segment", "nothing good", "not one record", "up to the end of the last segment"],
)  # fmt: skip
def test_end_of_wal(said: str, expected: int | None) -> None:
    assert end_of_wal(said, 0x1000028, 0x2000000) == expected


CHECKPOINTS = """\
rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: 0/02000060, prev 0/02000028, desc: CHECKPOINT_ONLINE redo 0/2000028; tli 1; prev tli 1
rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 0/020000D8, prev 0/02000060, desc: SWITCH
rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: 0/03000100, prev 0/02000028, desc: CHECKPOINT_SHUTDOWN redo 0/3000100; tli 2; prev tli 1
"""


@pytest.mark.parametrize(
    ("fork", "expected"),
    [
        (0x3000101, Checkpoint(0x3000100, 0x3000100, 2)),
        (0x3000100, Checkpoint(0x2000060, 0x2000028, 1)),
        (0x2000060, None),
    ],
)
def test_last_checkpoint(fork: int, expected: Checkpoint | None) -> None:
    assert last_checkpoint(CHECKPOINTS, fork) == expected


IN_ONE = Checkpoint(0x5000060, 0x5000028, 1)
IN_TWO = Checkpoint(0x6000060, 0x5000028, 1)


@pytest.mark.parametrize(
    ("checkpoint", "fork", "program", "expected"),
    [
        (IN_ONE, 0x5100000, (15, 4), None),
        (IN_ONE, 0x7000000, (15, 10), None),
        (IN_ONE, 0x7000000, (15, 9), 0x5000028),
        (IN_ONE, 0x7000000, (18, 0), None),
        (IN_ONE, 0x7000000, (13, 20), 0x5000028),
        (IN_TWO, 0x7000000, (15, 18), 0x5000028),
    ],
    ids=["all in one segment", "kept", "not kept yet", "a later major", "an earlier one", "recovery begins before what is kept"],
)  # fmt: skip
def test_wal_that_the_source_must_have(
    checkpoint: Checkpoint, fork: int, program: tuple[int, int], expected: int | None
) -> None:
    assert needed_from_source(checkpoint, fork, SEGMENT, program) == expected


@pytest.mark.parametrize(
    ("timeline", "position", "segment", "name"),
    [
        (1, 0x3000148, SEGMENT, "000000010000000000000003"),
        (0x1A, 0x2FE000000, SEGMENT, "0000001A00000002000000FE"),
        (2, 0x140000000, 64 * MB, "000000020000000100000010"),
        (1, 0x100100000, MB, "000000010000000100000001"),
    ],
)
def test_segment_names(timeline: int, position: int, segment: int, name: str) -> None:
    assert segment_name(timeline, position, segment) == name


@pytest.mark.parametrize(("position", "timeline"), [(0, 1), (0x2FFFFFF, 1), (0x3000000, 2), (0x4000000, 3)])
def test_timeline_of_a_position(position: int, timeline: int) -> None:
    assert timeline_at(((1, 0x3000000), (2, 0x4000000)), 3, position) == timeline
