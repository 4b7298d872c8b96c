# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""One rule of pg_hba.conf: how it is written and read, and whether two are the same. No I/O."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

LOCAL = "local"
CONTYPES = (LOCAL, "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc")
SECRET_OPTIONS = ("ldapbindpasswd", "radiussecrets")
NETWORK_KEYWORDS = ("all", "samehost", "samenet")
_KEYWORDS = ("all", "replication", "sameuser", "samerole", "samegroup", *NETWORK_KEYWORDS)
DELIMITERS = re.compile(r'[\s,#"]')


class Word(NamedTuple):
    """A word of a line; keywords lose their meaning in quotes."""

    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule as it is written; ``address`` is empty for a local one."""

    contype: str
    databases: tuple[Word, ...]
    users: tuple[Word, ...]
    address: str
    method: str
    options: tuple[tuple[str, str], ...] = ()
    comment: str = ""

    @property
    def target(self) -> tuple[object, ...]:
        """Whom it is for: of rules that agree in this, the server uses the first."""
        names = (frozenset(map(_meaning, field)) for field in (self.databases, self.users))
        return (self.contype, *names, _canonical_address(self.address))

    @property
    def meaning(self) -> tuple[object, ...]:
        """Rules that agree in this are the same."""
        return (*self.target, self.method, frozenset(self.options))

    def line(self, secrets: bool = True) -> str:
        """As it stands in the file; without secrets, as messages show it."""
        options = [
            f"{name}={quoted(value) if secrets or name not in SECRET_OPTIONS else '***'}"
            for name, value in self.options
        ]
        fields = [self.contype, _joined(self.databases), _joined(self.users), self.address, self.method, *options]
        return " ".join(filter(None, fields)) + (f" # {self.comment}" if self.comment else "")


def _meaning(word: Word) -> Word:
    special = word.text in _KEYWORDS or word.text[:1] in ("+", "@", "/")
    return word if special else Word(word.text)


def _canonical_address(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address, strict=False))
    except ValueError:
        return address.lower()


def quoted(text: str) -> str:
    """The text as one word of the file."""
    return '"' + text.replace('"', '""') + '"' if DELIMITERS.search(text) or not text else text


def _joined(words: Iterable[Word]) -> str:
    return ",".join('"' + word.text.replace('"', '""') + '"' if word.quoted else quoted(word.text) for word in words)


def split_line(line: str) -> list[list[Word]]:
    """The fields of a line, each a list of words with commas between them (hba.c: next_token, next_field_expand)."""
    fields: list[list[Word]] = []
    at, after_comma = 0, False
    while True:
        while at < len(line) and (line[at].isspace() or line[at] == ","):
            at += 1
        if at >= len(line) or line[at] == "#":
            return fields
        word, at, comma = _next_word(line, at)
        if after_comma:
            fields[-1].append(word)
        else:
            fields.append([word])
        after_comma = comma


def _next_word(line: str, at: int) -> tuple[Word, int, bool]:
    text, inside, was_quote, first_quoted = "", False, False, line[at] == '"'
    while at < len(line) and (inside or not line[at].isspace()):
        char = line[at]
        if not inside and char in "#,":
            return Word(text, first_quoted), at + (char == ","), char == ","
        if char != '"' or was_quote:
            text += char
        was_quote = inside and char == '"' and not was_quote
        if char == '"':
            inside = not inside
        at += 1
    return Word(text, first_quoted), at, False


def parse_line(line: str) -> Rule | None:
    """The rule of a line of a file; None for everything else."""
    fields = split_line(line)
    if len(fields) < 4 or fields[0][0].text not in CONTYPES:
        return None
    contype, rest = fields[0][0].text, [field[0].text for field in fields[3:]]
    address = "" if contype == LOCAL else rest.pop(0)
    if address and "/" not in address and is_ip(address) and rest:
        address = f"{address}/{prefix_length(rest.pop(0))}"
    if not rest:
        return None
    options = tuple(option_of(text) for text in rest[1:])
    return Rule(contype, tuple(fields[1]), tuple(fields[2]), address, rest[0], options)


def option_of(text: str) -> tuple[str, str]:
    name, _equals, value = text.partition("=")
    return name, value


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def prefix_length(mask: str) -> int:
    """-1 for what is no mask; 64-bit halves and holes are none."""
    try:
        value = ipaddress.ip_address(mask)
    except ValueError:
        return -1
    bits = f"{int(value):0{value.max_prefixlen}b}"
    return -1 if "01" in bits else bits.count("1")
