# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which SSH keys of a fleet are to be made or removed, and what known_hosts says then. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import InvalidInput

USER_KEY = "id_ed25519"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class KeyHost:
    """A machine whose host key is kept."""

    name: str
    address: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == USER_KEY:
            raise InvalidInput(f"'{self.name}' is not a name for a machine.", "Use a host name.")

    @property
    def words(self) -> tuple[str, ...]:
        """By which known_hosts knows it."""
        return tuple(filter(None, (self.name, self.address)))


@dataclass(frozen=True)
class FoundKeys:
    """What is there: type and key of each machine, without comments, and the lines of known_hosts."""

    user: bool = False
    hosts: Mapping[str, str] = field(default_factory=dict)
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeysPlan:
    """``all``: no other machine's keys are left, so the user's key and the directory go, too."""

    make: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    all: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        return self.before != self.after

    @property
    def changed(self) -> bool:
        return bool(self.make or self.remove or self.all or self.writes)

    def diff(self) -> dict[str, Any]:
        return {"before": _text(self.before), "after": _text(self.after)}


def plan_present(found: FoundKeys, machines: Sequence[KeyHost]) -> KeysPlan:
    """What known_hosts says is planned once every key is there."""
    user = () if found.user else (USER_KEY,)
    missing = (*user, *(each.name for each in machines if each.name not in found.hosts))
    if missing:
        return KeysPlan(make=missing)
    lines = [f"{','.join(each.words)} {found.hosts[each.name]}" for each in machines]
    return KeysPlan(before=found.known, after=tuple(sorted([*_others(found.known, machines), *lines])))


def plan_absent(found: FoundKeys, machines: Sequence[KeyHost]) -> KeysPlan:
    removed = tuple(each.name for each in machines if each.name in found.hosts)
    last = set(found.hosts) <= set(removed) and (bool(found.hosts) or found.user)
    after = () if last else tuple(_others(found.known, machines))
    return KeysPlan(remove=removed, all=last, before=found.known, after=after)


def _others(lines: Iterable[str], machines: Sequence[KeyHost]) -> list[str]:
    """Lines of machines that are not named and hold none of their addresses."""
    named = {word for machine in machines for word in machine.words}
    return [line for line in lines if not set(line.split(" ", 1)[0].split(",")) & named]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
