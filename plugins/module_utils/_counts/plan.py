# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Row counts: what tables hold, what they should hold, and where the two differ. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._errors import InvalidInput, PgFleetError


class CountsDiffer(PgFleetError):
    """Tables hold other numbers of rows than they should."""

    code = "counts_differ"


class NotReplayed(PgFleetError):
    """A standby has not caught up in the time that was given."""

    code = "not_replayed"


@dataclass(frozen=True)
class Table:
    """A table that can be counted; a partition is also counted with its parent."""

    name: str
    partition: bool = False


@dataclass(frozen=True)
class Difference:
    """A table with another number of rows than expected; ``found`` is None where there is no such table."""

    table: str
    expected: int
    found: int | None

    def __str__(self) -> str:
        found = "is missing" if self.found is None else f"has {self.found}"
        return f"{self.table} {found} instead of {self.expected}"

    def as_result(self) -> dict[str, Any]:
        return asdict(self)


def expected_rows(tables: Mapping[str, Any] | None) -> dict[str, int]:
    """The option ``tables`` as numbers; raises InvalidInput."""
    rows = {str(name): _rows(str(name), value) for name, value in (tables or {}).items()}
    return dict(sorted(rows.items()))


def _rows(name: str, value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal():
        raise InvalidInput(f"'{value}' is not a number of rows (table '{name}').", "Give a whole number, 0 or more.")
    return int(text)


def tables_to_count(present: Iterable[Table], expected: Mapping[str, int]) -> tuple[str, ...]:
    """The expected tables that are there; without expectations every table, partitions within their parent only."""
    if expected:
        return tuple(sorted(table.name for table in present if table.name in expected))
    return tuple(sorted(table.name for table in present if not table.partition))


def compare_counts(expected: Mapping[str, int], found: Mapping[str, int]) -> tuple[Difference, ...]:
    """Where ``found`` is not what was expected, by table name. Tables nobody expected are no difference."""
    return tuple(
        Difference(name, rows, found.get(name)) for name, rows in sorted(expected.items()) if found.get(name) != rows
    )


def refusal(database: str, exists: bool, where: str, differences: tuple[Difference, ...]) -> CountsDiffer:
    """The error for differences that must not be."""
    facts: dict[str, Any] = {
        "database": database,
        "exists": exists,
        "differences": [each.as_result() for each in differences],
    }
    if not exists:
        return CountsDiffer(
            f"There is no database '{database}' on {where}.", "Create and load it first.", "database_missing", **facts
        )
    listed = ", ".join(str(each) for each in differences)
    return CountsDiffer(
        f"Database '{database}' on {where} does not hold the rows it should: {listed}.",
        "On a standby, give replayed_lsn and wait so that it is asked when it has caught up;"
        " on a primary, see who changed the rows, or load them again.",
        **facts,
    )
