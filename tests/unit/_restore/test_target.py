# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What may be a target, and which settings it becomes."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._restore.target import TARGET_SETTINGS, parse_target

# type and text, and the value as the server gets it (None when refused)
TEXTS = {
    "latest": ("latest", "", ""),
    "latest has no value": ("latest", "0/1", None),
    "immediate": ("immediate", "", ""),
    "time with Z": ("time", "2026-05-21T14:05:00Z", "2026-05-21 14:05:00.000000+00"),
    "time east of UTC": ("time", "2026-05-21 14:05:00.25+02", "2026-05-21 12:05:00.250000+00"),
    "time with minutes of offset": ("time", "2026-05-21 14:05:00+05:30", "2026-05-21 08:35:00.000000+00"),
    "time west of UTC over midnight": ("time", "2026-05-21 23:05-0300", "2026-05-22 02:05:00.000000+00"),
    "time without seconds": ("time", "2026-05-21 14:05Z", "2026-05-21 14:05:00.000000+00"),
    "time without offset": ("time", "2026-05-21 14:05:00", None),
    "time of nowhere": ("time", "yesterday", None),
    "time of a 13th month": ("time", "2026-13-21 14:05:00Z", None),
    "time with an offset of a day": ("time", "2026-05-21 14:05:00+24:00", None),
    "time without a value": ("time", "", None),
    "lsn": ("lsn", "0/3000060", "0/3000060"),
    "lsn in lower case": ("lsn", "a/b374d848", "A/B374D848"),
    "lsn of nowhere": ("lsn", "0/0", None),
    "lsn without a slash": ("lsn", "3000060", None),
    "name": ("name", "before the change", "before the change"),
    "name too long": ("name", "x" * 64, None),
    "name with a line break": ("name", "a\nb", None),
    "xid": ("xid", " 739 ", "739"),
    "xid with its epoch": ("xid", "4294968035", "4294968035"),
    "xid of no transaction": ("xid", "2", None),
    "xid as words": ("xid", "x739", None),
}


@pytest.mark.parametrize(("kind", "text", "value"), TEXTS.values(), ids=TEXTS)
def test_parse(kind: str, text: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(InvalidInput) as refused:
            parse_target(kind, text)
        assert refused.value.remedy
    else:
        assert parse_target(kind, text).value == value


def test_a_time_without_offset_says_so() -> None:
    with pytest.raises(InvalidInput, match="has no offset from UTC"):
        parse_target("time", "2026-05-21 14:05:00")


# type, text, inclusive, and the settings beside action and timeline
SETTINGS: dict[str, tuple[str, str, bool, dict[str, str]]] = {
    "immediate": ("immediate", "", True, {"recovery_target": "immediate"}),
    "lsn": ("lsn", "0/3000060", False, {"recovery_target_lsn": "0/3000060", "recovery_target_inclusive": "off"}),
    "name": ("name", "n", False, {"recovery_target_name": "n"}),
    "xid": ("xid", "739", True, {"recovery_target_xid": "739", "recovery_target_inclusive": "on"}),
}


@pytest.mark.parametrize(("kind", "text", "inclusive", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_settings(kind: str, text: str, inclusive: bool, expected: dict[str, str]) -> None:
    found = parse_target(kind, text, inclusive).settings(3, "pause")
    assert found == {**expected, "recovery_target_timeline": "3", "recovery_target_action": "pause"}
    assert set(found) <= set(TARGET_SETTINGS)


def test_the_end_of_the_archive_is_no_target_for_the_server() -> None:
    assert parse_target("latest", "").settings(3, "promote") == {"recovery_target_timeline": "3"}
