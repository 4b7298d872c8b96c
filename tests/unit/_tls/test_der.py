"""The encoding of certificates: what is read, and what is refused."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.der import (
    DerError,
    Element,
    element_at,
    elements,
    object_identifier,
    time,
)


def test_values_in_each_other() -> None:
    outer = element_at(bytes.fromhex("3006020101040161"))
    assert outer.tag == 0x30
    assert [(child.tag, child.content) for child in outer.children] == [(0x02, b"\x01"), (0x04, b"a")]


def test_a_long_value() -> None:
    content = b"x" * 300
    data = b"\x04\x82\x01\x2c" + content
    assert element_at(data) == Element(0x04, content, data)


@pytest.mark.parametrize("data", ["", "30", "3006020101", "3082", "308200", "3080", "1f0101", "3085010101010101"])
def test_what_ends_too_early_or_is_no_certificate(data: str) -> None:
    with pytest.raises(DerError):
        element_at(bytes.fromhex(data))


def test_the_second_value_is_cut_off() -> None:
    with pytest.raises(DerError, match="ends too early"):
        list(elements(bytes.fromhex("02010102")))


@pytest.mark.parametrize(
    ("data", "identifier"),
    [("550403", "2.5.4.3"), ("551d11", "2.5.29.17"), ("2b06010505070301", "1.3.6.1.5.5.7.3.1"), ("2a864886f70d010101", "1.2.840.113549.1.1.1"),
     ("883703", "2.999.3")],
)  # fmt: skip
def test_object_identifiers(data: str, identifier: str) -> None:
    assert object_identifier(bytes.fromhex(data)) == identifier


@pytest.mark.parametrize(
    ("tag", "words", "year"),
    [(0x17, b"261130225806Z", 2026), (0x17, b"500101000000Z", 1950), (0x17, b"491231235959Z", 2049), (0x18, b"20501231235959Z", 2050)],
)  # fmt: skip
def test_times(tag: int, words: bytes, year: int) -> None:
    found = time(Element(tag, words, b""))
    assert found.year == year and found.tzinfo == timezone.utc


def test_no_time() -> None:
    with pytest.raises(DerError, match="'2026' is no time"):
        time(Element(0x18, b"2026", b""))
    assert time(Element(0x17, b"261130225806Z", b"")) == datetime(2026, 11, 30, 22, 58, 6, tzinfo=timezone.utc)
