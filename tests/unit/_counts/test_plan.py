from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._counts.plan import (
    Difference,
    Table,
    compare_counts,
    expected_rows,
    refusal,
    tables_to_count,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput

PRESENT = (Table("rental"), Table("payment"), Table("payment_p2022_01", partition=True), Table("film"))


@pytest.mark.parametrize(
    ("tables", "rows"),
    [
        pytest.param(None, {}, id="not given"),
        pytest.param({}, {}, id="nothing expected"),
        pytest.param({"film": 1000, "actor": "200"}, {"actor": 200, "film": 1000}, id="numbers and text, by name"),
        pytest.param({"film": 0}, {"film": 0}, id="empty table"),
    ],
)
def test_expected_rows(tables: Any, rows: dict[str, int]) -> None:
    assert expected_rows(tables) == rows
    assert list(expected_rows(tables)) == sorted(rows)


@pytest.mark.parametrize("value", [-1, "-1", "many", "", None, 1.5, True, [1]], ids=str)
def test_expected_rows_refuses(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"not a number of rows \(table 'film'\)"):
        expected_rows({"film": value})


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        pytest.param({}, ("film", "payment", "rental"), id="all, partitions within their parent"),
        pytest.param({"film": 1}, ("film",), id="only the expected"),
        pytest.param(
            {"payment_p2022_01": 723, "payment": 1}, ("payment", "payment_p2022_01"), id="a partition by name"
        ),
        pytest.param({"actor": 200}, (), id="not there"),
    ],
)
def test_tables_to_count(expected: dict[str, int], names: tuple[str, ...]) -> None:
    assert tables_to_count(PRESENT, expected) == names


@pytest.mark.parametrize(
    ("expected", "found", "differences"),
    [
        pytest.param({"film": 1000}, {"film": 1000}, (), id="equal"),
        pytest.param({"film": 1000}, {"film": 1000, "extra": 3}, (), id="an unexpected table is no difference"),
        pytest.param({}, {"film": 1000}, (), id="nothing expected"),
        pytest.param({"film": 1000}, {"film": 999}, (Difference("film", 1000, 999),), id="too few"),
        pytest.param({"film": 0}, {}, (Difference("film", 0, None),), id="missing is not empty"),
        pytest.param(
            {"rental": 2, "actor": 1},
            {"rental": 3, "actor": 0},
            (Difference("actor", 1, 0), Difference("rental", 2, 3)),
            id="several, by name",
        ),
    ],
)
def test_compare_counts(expected: dict[str, int], found: dict[str, int], differences: tuple[Difference, ...]) -> None:
    assert compare_counts(expected, found) == differences


def test_refusal_names_tables_and_numbers() -> None:
    error = refusal(
        "pagila", True, "the server at /run:5432", (Difference("film", 1000, 999), Difference("actor", 200, None))
    )
    assert error.code == "counts_differ"
    assert "film has 999 instead of 1000, actor is missing instead of 200" in str(error)
    assert error.as_result()["differences"][0] == {"table": "film", "expected": 1000, "found": 999}


def test_refusal_of_a_missing_database() -> None:
    error = refusal("pagila", False, "the server at /run:5432", (Difference("film", 1000, None),))
    assert error.code == "database_missing"
    assert str(error) == "There is no database 'pagila' on the server at /run:5432. Create and load it first."
