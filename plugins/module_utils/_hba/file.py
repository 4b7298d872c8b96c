# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The text of a pg_hba.conf: marked blocks that are ours, and all the rest, which is not. No I/O.

The server uses the first rule that matches. Our blocks come first, so that no other line keeps the collection's own
sessions out; the general rule for logins over the socket comes last, so that it takes nobody's own rule out of force.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._errors import PgFleetError
from .rule import LOCAL, Rule, Word, parse_line
from .wanted import machine_address

#: The block of the fleet, and the one behind all other lines.
FLEET, LAST = "rules of the fleet", "last rules of the fleet"
_MARK = re.compile(r"# (BEGIN|END) pgfleet: (.+?)\s*$")


class HbaFileBroken(PgFleetError):
    """Somebody has damaged the marks of a block."""

    code = "hba_marks_broken"


@dataclass(frozen=True)
class HbaText:
    """The lines of our blocks by name, in the order of the file, and everything else as it is."""

    blocks: Mapping[str, tuple[str, ...]]
    foreign: str

    def render(self) -> str:
        """Blocks with rules, foreign lines between them, and a line break at the end."""
        foreign = self.foreign + "\n" if self.foreign and not self.foreign.endswith("\n") else self.foreign
        names = [name for name, lines in self.blocks.items() if lines]
        head = sorted((name for name in names if name != LAST), key=lambda name: name == FLEET)
        tail = [name for name in names if name == LAST]
        return "".join(map(self._block, head)) + foreign + "".join(map(self._block, tail))

    def _block(self, name: str) -> str:
        lines = "".join(f"{line}\n" for line in self.blocks[name])
        return f"# BEGIN pgfleet: {name}\n{lines}# END pgfleet: {name}\n"


@dataclass(frozen=True)
class WantedBlocks:
    """Rules of blocks by name; a block without rules goes.

    ``absent`` are rules that leave the file wherever they stand. ``logins`` are databases and users of nodes; by rules for
    the last of them one sees that an earlier version of the collection wrote the file, without a block.
    """

    blocks: Mapping[str, Sequence[Rule]]
    absent: Sequence[Rule] = ()
    logins: Sequence[tuple[str, str]] = ()


def lines_of(text: str) -> list[str]:
    """The lines with their ends, as the server sees them."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def read_text(text: str, path: str) -> HbaText:
    """Take a file apart."""
    blocks: dict[str, tuple[str, ...]] = {}
    foreign: list[str] = []
    open_block = ""
    for line in lines_of(text):
        mark = _MARK.match(line)
        if mark:
            open_block = _next_block(mark, open_block, blocks, path)
        elif open_block:
            blocks[open_block] += (line.rstrip("\r\n"),)
        else:
            foreign.append(line)
    if open_block:
        raise _broken(path, f"'# BEGIN pgfleet: {open_block}' has no end")
    return HbaText(blocks, "".join(foreign))


def _next_block(mark: re.Match[str], open_block: str, blocks: dict[str, tuple[str, ...]], path: str) -> str:
    kind, name = mark.groups()
    if kind == "END":
        if name != open_block:
            raise _broken(path, f"'# END pgfleet: {name}' has no begin")
        return ""
    if open_block or name in blocks:
        raise _broken(path, f"'# BEGIN pgfleet: {name}' is there twice, or inside another block")
    blocks[name] = ()
    return name


def _broken(path: str, what: str) -> HbaFileBroken:
    return HbaFileBroken(
        f"The marks of this collection in '{path}' are damaged: {what}.",
        "Remove the lines of the damaged block and its marks; the next run writes it again. Nothing was changed.",
    )


def plan_text(text: str, path: str, wanted: WantedBlocks) -> str:
    """The text with exactly the wanted rules in our blocks, every other line untouched and in its order."""
    now = read_text(text, path)
    go = {single.meaning for rule in wanted.absent for single in (rule, *_singles(rule))}
    if not now.blocks:
        go |= _earlier(now.foreign, wanted)
    blocks = {
        **now.blocks,
        **{name: tuple(rule.line() for rule in unique(rules)) for name, rules in wanted.blocks.items()},
    }
    return HbaText(blocks, _without(now.foreign, go)).render()


def unique(rules: Iterable[Rule]) -> list[Rule]:
    """Each rule once, where it stands first."""
    first: dict[object, Rule] = {}
    for rule in rules:
        first.setdefault(rule.meaning, rule)
    return list(first.values())


def without_effect(rules: Iterable[Rule]) -> list[tuple[Rule, Rule]]:
    """Rules that never match because another one for the same logins comes first, each with that one."""
    first: dict[object, Rule] = {}
    hidden = []
    for rule in unique(rules):
        before = first.setdefault(rule.target, rule)
        if before is not rule:
            hidden.append((rule, before))
    return hidden


def _earlier(foreign: str, wanted: WantedBlocks) -> set[tuple[object, ...]]:
    """Rules in a file without a block that an earlier version of the collection has written.

    Only it wrote rules for the role of rewinds; without one all lines are foreign. They tell all nodes that it had, too.
    """
    signs = [user_word(user) for _database, user in wanted.logins[-1:]]
    addresses = {rule.address for rule in _rules(foreign) if list(rule.users) == signs}
    if not addresses:
        return set()
    rules = [rule for block in wanted.blocks.values() for rule in block]
    gone = [login_rule(database, user, address) for database, user in wanted.logins for address in addresses]
    return {single.meaning for rule in (*rules, *gone) for single in _singles(rule)}


def _singles(rule: Rule) -> list[Rule]:
    """Earlier versions wrote a line for each database and user."""
    return [
        Rule(rule.contype, (database,), (user,), rule.address, rule.method, rule.options)
        for database in rule.databases
        for user in rule.users
    ]


def _rules(text: str) -> list[Rule]:
    return [rule for line in lines_of(text) if (rule := parse_line(line))]


def _without(foreign: str, meanings: set[tuple[object, ...]]) -> str:
    if not meanings:
        return foreign
    return "".join(line for line in lines_of(foreign) if not ((rule := parse_line(line)) and rule.meaning in meanings))


def fleet_rules(
    nodes: Iterable[str], logins: Sequence[tuple[str, str]], own: Sequence[Rule] = (), certificates: bool = False
) -> tuple[list[Rule], list[Rule]]:
    """The rules of a node of a fleet: those before all other lines, and the one behind them.

    Every node may lead, so each lets every other in: standbys for replication only, and the role of a rewind.
    """
    rule = certified_rule if certificates else login_rule
    first = [Rule(LOCAL, (Word("all"),), (Word("postgres"),), "", "peer")]
    addresses = list(dict.fromkeys(map(machine_address, nodes)))
    first += [rule(database, user, address) for database, user in logins for address in addresses]
    return [*first, *own], [Rule(LOCAL, (Word("all"),), (Word("all"),), "", "peer")]


def login_rule(database: str, user: str, address: str) -> Rule:
    """A login over TCP with a password."""
    return Rule("host", (Word(database),), (user_word(user),), address, "scram-sha-256")


def certified_rule(database: str, user: str, address: str) -> Rule:
    """A login over TLS with a password and a certificate of the role."""
    words = (Word(database),), (user_word(user),)
    return Rule("hostssl", *words, address, "scram-sha-256", (("clientcert", "verify-full"),))


def user_word(user: str) -> Word:
    """A role of any name; what would be a keyword or a group is quoted."""
    return Word(user, quoted=user in ("all",) or user[:1] in ("+", "@", "/") or not re.fullmatch(r"[\w.+@/-]+", user))
