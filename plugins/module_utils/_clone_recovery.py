# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The recovery settings of a standby in postgresql.auto.conf, as texts: read, compare, change. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

AUTO_CONF = "postgresql.auto.conf"
_SETTING = re.compile(r"^\s*([A-Za-z_][\w.]*)\s*(?:=\s*|\s)('(?:[^'\\]|''|\\.)*'|[^\s#']*)")
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)")


def parse_conninfo(text: str) -> dict[str, str]:
    """The parameters of a libpq connection string of the form ``host=a user='b c'``; those of a URI are not read."""
    pairs: dict[str, str] = {}
    if re.match(r"postgres(ql)?://", text):
        return pairs
    for name, value in _PAIR.findall(text):
        bare = value[1:-1] if value.startswith("'") else value
        pairs[name] = re.sub(r"\\(.)", r"\1", bare)
    return pairs


def make_conninfo(pairs: Mapping[str, str]) -> str:
    """The connection string of these parameters, quoted where libpq needs it."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items())


def _quoted(value: str) -> str:
    if value and not re.search(r"[\s'\\]", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def hidden(conninfo: str) -> str:
    """The same with the password, if there is one, made unreadable."""
    pairs = parse_conninfo(conninfo)
    return make_conninfo({**pairs, "password": "********"}) if "password" in pairs else conninfo


def read_settings(text: str) -> dict[str, str]:
    """The settings of a configuration file; of several lines for one setting the last counts, as for the server."""
    found = (_SETTING.match(line) for line in text.splitlines())
    return {line.group(1).lower(): _unquoted(line.group(2)) for line in found if line}


def _unquoted(value: str) -> str:
    if not value.startswith("'"):
        return value
    return re.sub(r"''|\\(.)", lambda found: found.group(1) or "'", value[1:-1])


def write_settings(text: str, settings: Mapping[str, str]) -> str:
    """The text with these settings in it once, in their old places or at the end; everything else stays."""
    left = dict(settings)
    lines = []
    for line in text.splitlines():
        found = _SETTING.match(line)
        name = found.group(1).lower() if found else ""
        if name not in settings:
            lines.append(line)
        elif name in left:
            lines.append(_line(name, left.pop(name)))
    lines += [_line(name, value) for name, value in left.items()]
    return "\n".join(lines) + "\n"


def _line(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"{name} = '{escaped}'"


@dataclass(frozen=True)
class Recovery:
    """What a standby follows, and how. Empty slot: whatever slot is set, or none, is left as it is."""

    conninfo: Mapping[str, str]
    slot: str = ""

    def needed(self, text: str) -> dict[str, str]:
        """The settings that have to be changed in this text of postgresql.auto.conf.

        Of ``primary_conninfo`` only the parameters that are wanted are compared, and others that are there stay:
        pg_basebackup and administrators add harmless ones. A password there would overrule the password file.
        """
        found = read_settings(text)
        needed = {}
        pairs = parse_conninfo(found.get("primary_conninfo", ""))
        overruled = "passfile" in self.conninfo and pairs.pop("password", None) is not None
        if overruled or any(pairs.get(name) != value for name, value in self.conninfo.items()):
            needed["primary_conninfo"] = make_conninfo({**pairs, **self.conninfo})
        if self.slot and found.get("primary_slot_name") != self.slot:
            needed["primary_slot_name"] = self.slot
        return needed

    def fresh(self) -> dict[str, str]:
        """The settings of a new standby, whatever its source had in its own file."""
        return {"primary_conninfo": make_conninfo(self.conninfo), "primary_slot_name": self.slot}


def shown_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """The two settings of a standby as they may be shown."""
    shown = {"primary_conninfo": hidden(settings.get("primary_conninfo", ""))}
    return {**shown, "primary_slot_name": settings.get("primary_slot_name", "")}
