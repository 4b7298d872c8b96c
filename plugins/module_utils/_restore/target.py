# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The point at which a recovery ends (manual: Recovery Target). No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .._errors import InvalidInput
from .._lsn import format_lsn, parse_lsn

LATEST, TIME, LSN, NAME, XID, IMMEDIATE = "latest", "time", "lsn", "name", "xid", "immediate"
TYPES = (LATEST, TIME, LSN, NAME, XID, IMMEDIATE)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)", re.IGNORECASE
)
_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?")
_NAME_BYTES = 63
_FIRST_XID = 3
_SETTINGS = {
    TIME: "recovery_target_time",
    LSN: "recovery_target_lsn",
    NAME: "recovery_target_name",
    XID: "recovery_target_xid",
}
#: All settings of a target. The server refuses a second one, and an empty text beside the wanted one, too.
TARGET_SETTINGS = (
    "recovery_target",
    *_SETTINGS.values(),
    "recovery_target_inclusive",
    "recovery_target_action",
    "recovery_target_timeline",
)


@dataclass(frozen=True)
class Target:
    """``value`` as the server reads it. ``moment``: a time in seconds since the epoch; ``lsn``: a position in bytes."""

    type: str = LATEST
    value: str = ""
    inclusive: bool = True
    moment: float | None = None
    lsn: int | None = None

    @property
    def sentence(self) -> str:
        if self.type == LATEST:
            return "the end of the archive"
        if self.type == IMMEDIATE:
            return "the end of the backup"
        return f"{self.type} {self.value}{'' if self.inclusive or self.type == NAME else ', exclusive'}"

    @property
    def as_noted(self) -> dict[str, object]:
        return {"type": self.type, "value": self.value or None, "inclusive": self.inclusive}

    def settings(self, timeline: int, action: str) -> dict[str, str]:
        """The settings of the target; the others of TARGET_SETTINGS must not be given."""
        wanted = {"recovery_target_timeline": str(timeline)}
        if self.type == LATEST:
            return wanted
        name = _SETTINGS.get(self.type, "recovery_target")
        wanted[name] = self.value or self.type
        if self.type in (TIME, LSN, XID):
            wanted["recovery_target_inclusive"] = "on" if self.inclusive else "off"
        return {**wanted, "recovery_target_action": action}


def parse_target(kind: str, text: str, inclusive: bool = True) -> Target:
    """The target that the options give; raises InvalidInput for one that can never work."""
    text = text.strip()
    if kind in (LATEST, IMMEDIATE):
        if text:
            raise InvalidInput(
                f"target '{text}' means nothing to target_type {kind}.", "Leave it out, or give its target_type."
            )
        return Target(kind)
    if not text:
        raise InvalidInput(f"target_type {kind} needs a target.", f"Give target, {_EXAMPLES[kind]}.")
    return _PARSERS[kind](text, inclusive)


def parse_moment(text: str) -> datetime:
    """A time with its offset from UTC."""
    found = _TIME.fullmatch(text)
    if not found:
        what = "has no offset from UTC" if _NO_ZONE.fullmatch(text) else "is not a time"
        raise InvalidInput(f"target '{text}' {what}.", f"Give {_EXAMPLES[TIME]}.")
    year, month, day, hour, minute, second = (int(each or 0) for each in found.groups()[:6])
    fraction = int((found.group(7) or "0").ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, fraction, _zone(found.group(8)))
    except ValueError as error:
        raise InvalidInput(f"target '{text}' is not a time: {error}.", f"Give {_EXAMPLES[TIME]}.") from error


def _zone(text: str) -> timezone:
    if text in "Zz":
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _time(text: str, inclusive: bool) -> Target:
    moment = parse_moment(text)
    utc = moment.astimezone(timezone.utc)
    return Target(TIME, utc.strftime("%Y-%m-%d %H:%M:%S.%f+00"), inclusive, moment=utc.timestamp())


def _lsn(text: str, inclusive: bool) -> Target:
    position = parse_lsn(text)
    if not position:
        raise InvalidInput("target '0/0' is no position of any WAL.", f"Give {_EXAMPLES[LSN]}.")
    return Target(LSN, format_lsn(position), inclusive, lsn=position)


def _name(text: str, _inclusive: bool) -> Target:
    if len(text.encode()) > _NAME_BYTES or not text.isprintable():
        raise InvalidInput(
            f"target '{text}' is not the name of a restore point, which has at most {_NAME_BYTES} bytes.",
            f"Give {_EXAMPLES[NAME]}.",
        )
    return Target(NAME, text)


def _xid(text: str, inclusive: bool) -> Target:
    if not re.fullmatch(r"\d{1,20}", text) or not _FIRST_XID <= int(text) < 1 << 64:
        raise InvalidInput(f"target '{text}' is not a transaction ID.", f"Give {_EXAMPLES[XID]}.")
    return Target(XID, str(int(text)), inclusive)


_PARSERS: Mapping[str, Callable[[str, bool], Target]] = {TIME: _time, LSN: _lsn, NAME: _name, XID: _xid}
_EXAMPLES = {
    TIME: "a time with 'Z' or its offset from UTC, such as '2026-05-21T14:05:00+02:00'",
    LSN: "a position, such as '0/3000060'",
    NAME: "the name that pg_create_restore_point() was given",
    XID: "a number, as pg_current_xact_id() returned it",
}
