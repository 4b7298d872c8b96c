# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._lsn import format_lsn, lsn_distance, parse_lsn


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("0/0", 0),
        ("0/3000060", 0x3000060),
        ("16/B374D848", 0x16B374D848),
        ("1/0", 1 << 32),
        ("FFFFFFFF/FFFFFFFF", (1 << 64) - 1),
    ],
)
def test_notation_both_ways(text, position):
    assert parse_lsn(text) == position
    assert format_lsn(position) == text


def test_lower_case_is_understood():
    assert parse_lsn("a/bc") == 0xA000000BC


@pytest.mark.parametrize("text", ["", "0", "0/", "/0", "0/G", "0/123456789", " 0/1", "0/1 ", "0/1\n", "0x1/0", "-1/0"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(InvalidInput) as refused:
        parse_lsn(text)
    assert repr(text)[1:-1] in repr(refused.value.message)
    assert "0/3000060" in refused.value.remedy


@pytest.mark.parametrize(
    ("ahead", "behind", "distance"),
    [
        pytest.param("0/3000060", "0/3000000", 0x60, id="behind"),
        pytest.param("1/0", "0/FFFFFFFF", 1, id="across the high half"),
        pytest.param("0/1", "0/1", 0, id="equal"),
        pytest.param("0/1", "0/2", 0, id="ahead counts as nothing"),
        pytest.param(None, "0/1", None, id="end unknown"),
        pytest.param("0/1", None, None, id="start unknown"),
    ],
)
def test_distance(ahead, behind, distance):
    assert lsn_distance(ahead, behind) == distance
