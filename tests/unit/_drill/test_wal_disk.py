"""The way to a small disk for the WAL and back, from wherever it was left."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._drill.wal_disk import NotPossible, WalDisk, plan_disk

THERE = ["set_aside", "mount", "fill"]
BACK = ["copy_back", "unmount", "take_copy", "forget"]
ROWS = {
    "small from normal": (WalDisk(), "small", THERE),
    "small again": (WalDisk(mounted=True, aside=True), "small", []),
    "small after a restart of the machine": (WalDisk(aside=True, empty=True), "small", ["put_back", *THERE]),
    "roomy": (WalDisk(running=True, mounted=True, aside=True), "roomy", ["enlarge"]),
    "roomy without a small one": (WalDisk(running=True), "roomy", []),
    "normal from small": (WalDisk(mounted=True, aside=True), "normal", BACK),
    "normal again": (WalDisk(running=True), "normal", []),
    "normal, interrupted while copying": (WalDisk(mounted=True, aside=True, incoming=True), "normal", BACK),
    "normal, interrupted after unmounting": (
        WalDisk(aside=True, incoming=True, empty=True),
        "normal",
        ["take_copy", "forget"],
    ),
    "normal, interrupted at the end": (WalDisk(aside=True), "normal", ["forget"]),
    "normal after a restart of the machine": (WalDisk(aside=True, empty=True), "normal", ["put_back"]),
}


@pytest.mark.parametrize(("found", "wanted", "steps"), ROWS.values(), ids=ROWS.keys())
def test_steps(found: WalDisk, wanted: str, steps: list[str]) -> None:
    assert plan_disk(found, wanted) == steps


@pytest.mark.parametrize(
    ("found", "wanted", "words"),
    [
        (WalDisk(link=True), "small", "a disk of its own"),
        (WalDisk(running=True), "small", "The server runs"),
        (WalDisk(running=True, mounted=True), "normal", "The server runs"),
    ],
)
def test_refusals(found: WalDisk, wanted: str, words: str) -> None:
    with pytest.raises(NotPossible, match=words):
        plan_disk(found, wanted)
