# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether the sample database is kept, loaded or refused, and which rows there will be. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._counts.plan import compare_counts
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError

CUSTOM = "custom"
AUTO, UPSTREAM, DATA, GENERATED = "auto", "upstream", "data", "generated"
_MARKER = re.compile(r"pgfleet pagila: source=([a-z]+) scale=([0-9]+) release=([^ ]+)")
_REMEDY = "Nothing was touched. Drop the database to load it again, or set pagila_load_database to another name."


class SampleRefused(PgFleetError):
    """What is there must not be touched."""

    code = "sample_foreign"


@dataclass(frozen=True)
class Release:
    """A release of Pagila: the digest of its data file, and the rows of its tables; those that a scale multiplies are apart."""

    name: str
    sha256: str
    rows: Mapping[str, int]
    scaled_rows: Mapping[str, int]

    def counts(self, scale: int) -> dict[str, int]:
        return {**self.rows, **{table: rows * scale for table, rows in self.scaled_rows.items()}}


@dataclass(frozen=True)
class Rows:
    """Which rows: where they come from, how many times the usual number, and of which release."""

    source: str
    scale: int
    release: str

    def __str__(self) -> str:
        return f"{self.source} rows (scale {self.scale}, release {self.release})"


@dataclass(frozen=True)
class Wanted:
    """What the inventory asks for. ``sha256`` is that of the data file, ``fetched`` what a download has come to, if there was one."""

    release: Release
    database: str = "pagila"
    source: str = AUTO
    scale: int = 1
    sha256: str = ""
    has_upstream_dir: bool = False
    fetched: str = ""

    @property
    def asked(self) -> str:
        """A scale is a wish for generated rows."""
        return GENERATED if self.source == AUTO and self.scale != 1 else self.source

    @property
    def rows(self) -> Rows:
        """What a load makes, as far as that is known before a download."""
        source = self.asked
        if source == AUTO:
            source = UPSTREAM if self.has_upstream_dir else self.fetched or GENERATED
        custom = source == DATA and self.sha256 != self.release.sha256
        return Rows(source, self.scale if source == GENERATED else 1, CUSTOM if custom else self.release.name)


@dataclass(frozen=True)
class Found:
    """What the primary says of the database: its comment, the number of its relations, and the rows of its tables."""

    comment: str = ""
    relations: int = 0
    counts: Mapping[str, int] | None = None

    @property
    def marker(self) -> Rows | None:
        """What the comment of a load by the role says."""
        told = _MARKER.fullmatch(self.comment)
        return Rows(told[1], int(told[2]), told[3]) if told else None


@dataclass(frozen=True)
class LoadPlan:
    """Whether to load, and what is there in the end."""

    needed: bool
    asked: str
    rows: Rows
    counts: Mapping[str, int]

    def as_result(self) -> dict[str, Any]:
        return {"needed": self.needed, "asked": self.asked, **asdict(self.rows), "counts": dict(self.counts)}


def plan_load(where: str, wanted: Wanted, found: Found) -> LoadPlan:
    """Keep, load, or raise SampleRefused. ``where`` is the primary's name."""
    if not found.relations:
        return LoadPlan(True, wanted.asked, wanted.rows, wanted.release.counts(wanted.rows.scale))
    there = f"Database '{wanted.database}' on {where}"
    marker = found.marker
    if marker is None:
        raise SampleRefused(
            f"{there} holds {found.relations} tables and other relations that were not loaded by this role.", _REMEDY
        )
    counts = wanted.release.counts(marker.scale)
    differences = compare_counts(counts, found.counts or {})
    if differences:
        raise SampleRefused(
            f"{there} was loaded by this role, but its rows are not those of a complete load any more:"
            f" {', '.join(map(str, differences))}.",
            _REMEDY,
            "sample_changed",
        )
    if not _is_asked(wanted, marker):
        asked = Rows(wanted.asked, wanted.scale, wanted.rows.release)
        raise SampleRefused(
            f"{there} holds {marker}, but {asked} were asked for.",
            f"{_REMEDY} To keep what is there, set pagila_load_source to auto and leave pagila_load_scale out.",
            "sample_differs",
        )
    return LoadPlan(False, wanted.asked, marker, counts)


def _is_asked(wanted: Wanted, there: Rows) -> bool:
    if wanted.asked == AUTO:
        return True
    if wanted.asked != there.source:
        return False
    return wanted.rows.release == there.release if there.source == DATA else wanted.rows.scale == there.scale
