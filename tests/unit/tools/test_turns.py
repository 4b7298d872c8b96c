"""Which tests run in the turn of a commit."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.turns import reasons

MARKED = [("a", 3), ("a", 3), ("b", 2), ("a", 3), ("a", 3), ("b", 2)]


@pytest.mark.parametrize(
    ("turn", "run"),
    [
        pytest.param("all", [0, 1, 2, 3, 4, 5], id="all"),
        pytest.param("none", [], id="none"),
        pytest.param("0" * 40, [0, 2, 4], id="the first"),
        pytest.param(f"{1:012x}{'f' * 28}", [1, 5], id="the second"),
        pytest.param(f"{2:012x}{'f' * 28}", [2, 3], id="the third"),
        pytest.param("3", [0, 4, 5], id="a short name"),
    ],
)
def test_every_test_of_a_file_has_its_turn(turn: str, run: list[int]) -> None:
    assert [at for at, reason in enumerate(reasons(turn, MARKED)) if not reason] == run


@pytest.mark.parametrize(
    ("turn", "words"), [("none", "too little time"), ("1", "another commit (one in 3, this is 1)")]
)
def test_a_test_that_is_skipped_says_why_and_how_it_runs(turn: str, words: str) -> None:
    assert words in reasons(turn, MARKED)[0]
    assert "PGFLEET_TURNS=all" in reasons(turn, MARKED)[0]
