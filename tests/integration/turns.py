"""Tests that take turns: a commit runs some of them, another commit others, and PGFLEET_TURNS=all runs all.

A test with the marker ``turns(n)`` runs in one of n commits, and of those of a file that bear the same marker, every n-th runs in each.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOW = "PGFLEET_TURNS=all or make test-all runs it"
NO_TIME = f"too little time is left for tests that take turns; {HOW}"


def chosen() -> str:
    """Whose turn it is: ``all``, ``none`` or a commit, which PGFLEET_TURNS may name."""
    given = os.environ.get("PGFLEET_TURNS")
    if given:
        return given
    command = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "all"


def why_not(turn: str, position: int, of: int) -> str:
    """Why the test at this position does not run now; nothing where it does."""
    if turn == "all":
        return ""
    if turn == "none":
        return NO_TIME
    now = int(turn[:12], 16) % of
    return "" if position % of == now else f"the turn of another commit (one in {of}, this is {turn[:7]}); {HOW}"


def of_this_commit(values: Sequence[str]) -> Sequence[str]:
    """Of several ways that a whole file of tests can go, the one whose turn it is."""
    turn = chosen()
    if turn == "all":
        return values
    return values[:1] if turn == "none" else [values[int(turn[:12], 16) % len(values)]]


def reasons(turn: str, marked: Iterable[tuple[str, int]]) -> Sequence[str]:
    """The same for tests in their order, each a file and its number of turns."""
    seen: Counter[tuple[str, int]] = Counter()
    found = []
    for file, of in marked:
        found.append(why_not(turn, seen[file, of], of))
        seen[file, of] += 1
    return found
