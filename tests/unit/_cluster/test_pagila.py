"""The sample database: kept, loaded or left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.pagila import (
    Found,
    Release,
    Rows,
    SampleRefused,
    Wanted,
    plan_load,
)

RELEASE = Release("v3.1.0", "f00d", {"film": 1000}, {"rental": 16044})
WANTED = Wanted(RELEASE)
GENERATED = Found("pgfleet pagila: source=generated scale=1 release=v3.1.0", 30, {"film": 1000, "rental": 16044})
TWICE = Found("pgfleet pagila: source=generated scale=2 release=v3.1.0", 30, {"film": 1000, "rental": 32088})
CUSTOM = replace(GENERATED, comment="pgfleet pagila: source=data scale=1 release=custom")
UPSTREAM = replace(GENERATED, comment="pgfleet pagila: source=upstream scale=1 release=v3.1.0")

LOADED: dict[str, tuple[dict[str, Any], Rows]] = {
    "whatever can be had": ({}, Rows("generated", 1, "v3.1.0")),
    "downloaded": ({"fetched": "upstream"}, Rows("upstream", 1, "v3.1.0")),
    "could not be downloaded": ({"fetched": "generated"}, Rows("generated", 1, "v3.1.0")),
    "from a directory": ({"has_upstream_dir": True}, Rows("upstream", 1, "v3.1.0")),
    "a scale means generated": ({"scale": 3, "has_upstream_dir": True}, Rows("generated", 3, "v3.1.0")),
    "upstream": ({"source": "upstream"}, Rows("upstream", 1, "v3.1.0")),
    "the release's own data": ({"source": "data", "sha256": "f00d"}, Rows("data", 1, "v3.1.0")),
    "other data": ({"source": "data", "sha256": "beef"}, Rows("data", 1, "custom")),
}


@pytest.mark.parametrize(("wanted", "rows"), LOADED.values(), ids=LOADED)
def test_an_empty_database_is_loaded(wanted: dict[str, Any], rows: Rows) -> None:
    plan = plan_load("primary", replace(WANTED, **wanted), Found())
    assert (plan.needed, plan.rows) == (True, rows)
    assert plan.counts == {"film": 1000, "rental": 16044 * rows.scale}


KEPT: dict[str, tuple[dict[str, Any], Found]] = {
    "auto takes what is there": ({}, UPSTREAM),
    "auto takes other data": ({}, CUSTOM),
    "generated": ({"source": "generated"}, GENERATED),
    "twice": ({"scale": 2}, TWICE),
    "auto takes twice": ({}, TWICE),
    "the same data": ({"source": "data", "sha256": "beef"}, CUSTOM),
    "upstream": ({"source": "upstream"}, UPSTREAM),
}


@pytest.mark.parametrize(("wanted", "found"), KEPT.values(), ids=KEPT)
def test_what_is_asked_for_is_kept(wanted: dict[str, Any], found: Found) -> None:
    plan = plan_load("primary", replace(WANTED, **wanted), found)
    assert (plan.needed, plan.rows, plan.counts) == (False, found.marker, found.counts)


REFUSED: dict[str, tuple[dict[str, Any], Found, str, str]] = {
    "no marker": ({}, replace(GENERATED, comment="ours"), "sample_foreign", "holds 30 tables and other relations"),
    "a row more": ({}, replace(GENERATED, counts={"film": 1001, "rental": 16044}), "sample_changed", "film has 1001"),
    "a table less": ({}, replace(GENERATED, counts={"film": 1000}), "sample_changed", "rental is missing"),
    "another source": ({"source": "upstream"}, GENERATED, "sample_differs", "but upstream rows"),
    "another scale": ({"scale": 2}, GENERATED, "sample_differs", "but generated rows (scale 2"),
    "no scale": ({"source": "generated"}, TWICE, "sample_differs", "holds generated rows (scale 2"),
    "other data": ({"source": "data", "sha256": "f00d"}, CUSTOM, "sample_differs", "release v3.1.0) were asked for"),
}


@pytest.mark.parametrize(("wanted", "found", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_left_alone(wanted: dict[str, Any], found: Found, code: str, words: str) -> None:
    with pytest.raises(SampleRefused) as caught:
        plan_load("primary", replace(WANTED, **wanted), found)
    assert caught.value.code == code
    assert words in caught.value.message
    assert "Nothing was touched" in str(caught.value)
