# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The encoding of certificates. No I/O.

Python's standard library gives the fields of a certificate only after it has verified it; one that is expired or foreign must be read, too.
Source: ITU-T X.690, Distinguished Encoding Rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

SEQUENCE = 0x30
UTC_TIME = 0x17
_STRINGS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}


class DerError(ValueError):
    """The bytes are not what they should be."""


@dataclass(frozen=True)
class Element:
    """One value. ``whole`` has the bytes with tag and length, ``content`` those without."""

    tag: int
    content: bytes
    whole: bytes

    @property
    def children(self) -> tuple[Element, ...]:
        return tuple(elements(self.content))

    def context(self, number: int) -> Element | None:
        """The child that is marked with a number."""
        return next((child for child in self.children if child.tag in (0xA0 | number, 0x80 | number)), None)


def elements(data: bytes) -> Iterator[Element]:
    """The values that follow each other in some bytes."""
    at = 0
    while at < len(data):
        element = element_at(data, at)
        yield element
        at += len(element.whole)


def element_at(data: bytes, at: int = 0) -> Element:
    try:
        tag, first = data[at], data[at + 1]
        width = first & 0x7F if first & 0x80 else 0
        if tag & 0x1F == 0x1F or width > 4 or first == 0x80:
            raise DerError(f"an encoding that certificates do not use, at byte {at}")
        start = at + 2 + width
        length = int.from_bytes(data[at + 2 : start], "big") if width else first
    except IndexError:
        raise DerError("the data ends too early") from None
    end = start + length
    if end > len(data):
        raise DerError("the data ends too early")
    return Element(tag, data[start:end], data[at:end])


def object_identifier(content: bytes) -> str:
    """Numbers with dots, such as 2.5.4.3."""
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        raise DerError("an empty object identifier")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def text(element: Element) -> str:
    return element.content.decode(_STRINGS.get(element.tag, "latin-1"), errors="replace")


def time(element: Element) -> datetime:
    """Two digits of a year below 50 are of this century (RFC 5280, 4.1.2.5.1)."""
    words = element.content.decode("ascii", errors="replace")
    if element.tag == UTC_TIME:
        words = ("20" if words[:2] < "50" else "19") + words
    try:
        return datetime.strptime(words, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise DerError(f"'{words}' is no time") from None
