# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The recovery settings of a standby in postgresql.auto.conf, as texts: read, compare, change. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from .settings import read_settings

with suppress(ImportError):  # require_psycopg2 says so in the module
    import psycopg2
    import psycopg2.extensions

AUTO_CONF = "postgresql.auto.conf"
#: A peer whose machine or network is gone is noticed after less than half a minute, be the line idle, busy or only being made.
#: The kernel's own patience is two hours.
DEAD_PEER = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
#: Where a node's certificates lie.
OWN_FILES = re.compile(r"/pki/(ca\.pem|replication/(certificate|key)\.pem)$")
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)")


def parse_conninfo(text: str) -> dict[str, str]:
    """The parameters of a libpq connection string (manual: Connection Strings); none of a URI that libpq cannot read."""
    if re.match(r"postgres(ql)?://", text):
        try:
            return dict(psycopg2.extensions.parse_dsn(text))
        except psycopg2.Error:
            return {}
    pairs: dict[str, str] = {}
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
    if not pairs and conninfo:
        return "********"  # a URI that cannot be read, so nobody knows what is in it
    return make_conninfo({**pairs, "password": "********"}) if "password" in pairs else conninfo


def _certificates(pairs: Mapping[str, str]) -> set[str]:
    """The parameters that the collection writes for a fleet with certificates of its own; those of somebody else are not its to take."""
    files = {name for name in ("sslrootcert", "sslcert", "sslkey") if OWN_FILES.search(pairs.get(name, ""))}
    return files | {"channel_binding"} if files else files


@dataclass(frozen=True)
class Recovery:
    """What a standby follows, and how. Empty slot: whatever slot is set, or none, is left as it is.

    ``archive_only``: it follows no server and uses no slot; all its WAL comes by restore_command.
    """

    conninfo: Mapping[str, str]
    slot: str = ""
    archive_only: bool = False

    def needed(self, text: str) -> dict[str, str]:
        """The settings that have to be changed in this text of postgresql.auto.conf.

        Of ``primary_conninfo`` only the parameters that are wanted are compared, and others that are there stay:
        pg_basebackup and administrators add harmless ones, and who has chosen other keepalives keeps them. A password there would overrule the password file.
        """
        found = read_settings(text)
        if self.archive_only:
            return {name: "" for name in ("primary_conninfo", "primary_slot_name") if found.get(name)}
        needed = {}
        pairs = parse_conninfo(found.get("primary_conninfo", ""))
        wanted = {**self.conninfo, **{name: pairs[name] for name in DEAD_PEER if name in pairs}}
        overruled = "passfile" in self.conninfo and pairs.pop("password", None) is not None
        unwanted = _certificates(pairs) - set(wanted)
        pairs = {name: value for name, value in pairs.items() if name not in unwanted}
        if overruled or unwanted or any(pairs.get(name) != value for name, value in wanted.items()):
            needed["primary_conninfo"] = make_conninfo({**pairs, **wanted})
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
