# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What changes when a server that somebody else made becomes a node: as little as replication needs. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import PgFleetError
from .._postgres.settings import PRIMARY_BOUND

#: As the server has them without any line in a file.
DEFAULTS = {
    "wal_level": "replica",
    "hot_standby": "on",
    "wal_log_hints": "off",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "listen_addresses": "localhost",
}
#: What makes the server what it is for its clients; the inventory has to say the same of port and socket directory.
_LEFT = ("port", "unix_socket_directories", "cluster_name", "ssl", "password_encryption", "listen_addresses")
_FALSE = ("off", "false", "no", "0", "of", "f", "n", "fa", "fal", "fals")
#: A clone takes two, and one is for whoever looks.
_SPARE_SENDERS = 3


class AdoptionRefused(PgFleetError):
    """A server cannot become a node as it is; ``code`` says why. Nothing was changed."""

    code = "adopt_refused"


@dataclass(frozen=True)
class FoundServer:
    """A foreign server, or one that was adopted. ``values`` are those of its own files, without ours.

    ``running`` are those in force, None where the server does not run. ``written`` is what our file has. ``covered``: whether its
    listen_addresses cover the node's address. ``role``: what is known of the replication role, None where there is none.
    """

    name: str
    values: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    running: Mapping[str, str] | None = None
    restarting: frozenset[str] = frozenset()
    written: Mapping[str, str] = field(default_factory=dict)
    checksums: bool = False
    covered: bool = True
    running_covered: bool = True
    senders: tuple[Mapping[str, Any], ...] = ()
    slots: int = 0

    def value(self, name: str) -> str:
        return self.values.get(name, DEFAULTS.get(name, ""))

    def now(self, name: str) -> str:
        return (self.running or {}).get(name, self.value(name))


@dataclass(frozen=True)
class Wish:
    """What the fleet would set on a node of its own making; ``inventory`` are the names out of pg_server_settings."""

    settings: Mapping[str, str]
    inventory: frozenset[str] = frozenset()
    address: str = ""
    nodes: tuple[str, ...] = ()
    allow_restart: bool = False


@dataclass(frozen=True)
class Adoption:
    """``settings`` is all that our file gets; ``needed`` what contradicts replication, ``left`` what the inventory says in vain."""

    settings: dict[str, str]
    needed: dict[str, tuple[str, str]]
    left: dict[str, tuple[str, str]]
    restart: bool
    steps: tuple[str, ...]
    shared: dict[str, str]

    def as_result(self) -> dict[str, Any]:
        return {
            "settings": self.settings,
            "needed": [{"name": name, "found": old, "wanted": new} for name, (old, new) in self.needed.items()],
            "left": [{"name": name, "found": old, "wanted": new} for name, (old, new) in self.left.items()],
            "restart": self.restart,
            "steps": list(self.steps),
            "shared": self.shared,
        }


def plan_adoption(found: FoundServer, wish: Wish) -> Adoption:
    """What our settings file gets on this server, and whether it must restart; raises where it must and may not."""
    needed = {**_needs(found, wish, running=False)}
    restart = found.running is not None and bool(_needs(found, wish, running=True))
    if restart and not wish.allow_restart:
        raise _restart_needed(found, needed or _needs(found, wish, running=True))
    settings, left = dict[str, str](), dict[str, tuple[str, str]]()
    for name, text in wish.settings.items():
        if name in needed or name in _LEFT or _is_enough(found, wish, name):
            continue
        if name in found.values:
            if name in wish.inventory and found.values[name] != text:
                left[name] = (found.values[name], text)
        elif _must_wait(found, wish, name, text, restart):
            if name in wish.inventory:
                left[name] = (found.now(name), text)
        else:
            settings[name] = text
    settings.update({name: wanted for name, (_old, wanted) in needed.items()})
    after = {name: settings.get(name, found.now(name)) for name in PRIMARY_BOUND}
    return Adoption(
        settings,
        needed,
        left,
        restart,
        (*_steps(found, wish, needed, left, restart), *_followers(found, settings)),
        {k: v for k, v in after.items() if v},
    )


def _is_enough(found: FoundServer, wish: Wish, name: str) -> bool:
    """What standbys elsewhere would have to follow is not raised without need."""
    return name in PRIMARY_BOUND and not {name} & {*wish.inventory, *found.values, *found.written}


def _followers(found: FoundServer, settings: Mapping[str, str]) -> Iterable[str]:
    """A standby with less than its primary stops its replay, or does not start."""
    raised = [
        f"{name} = {text}"
        for name, text in settings.items()
        if name in PRIMARY_BOUND
        and _number(text) > (_number(found.now(name)) if found.now(name) else PRIMARY_BOUND[name])
    ]
    if raised:
        names = ", ".join(f"'{each.get('name')}'" for each in found.senders) or "none streams now"
        yield (
            f"{found.name}: set {', '.join(raised)} or more on every standby that was made by hand ({names}), and restart it, before"
            f" {found.name} has it: with less a standby stops its replay or does not start."
        )


def _must_wait(found: FoundServer, wish: Wish, name: str, text: str, restart: bool) -> bool:
    """A setting that only a restart brings into force, which nobody needs or allows."""
    if found.running is None or name not in found.restarting or name in found.written:
        return False
    return found.running.get(name) != text and not (wish.allow_restart and (restart or name in wish.inventory))


def _needs(found: FoundServer, wish: Wish, running: bool) -> dict[str, tuple[str, str]]:
    """Settings without which nobody could follow this server, or it nobody: as found, and as they must become."""
    value = found.now if running else found.value
    others = len(wish.nodes) - 1
    foreign = len([each for each in found.senders if each.get("name") not in wish.nodes])
    wanted: dict[str, str] = {}
    if value("wal_level") in ("minimal", "archive"):
        wanted["wal_level"] = "replica"
    if value("hot_standby").lower() in _FALSE:
        wanted["hot_standby"] = "on"
    if _number(value("max_wal_senders")) < others + foreign + _SPARE_SENDERS:
        wanted["max_wal_senders"] = wish.settings["max_wal_senders"]
    if _number(value("max_replication_slots")) < others + found.slots:
        wanted["max_replication_slots"] = wish.settings["max_replication_slots"]
    if not (found.running_covered if running else found.covered):
        listens = value("listen_addresses")
        wanted["listen_addresses"] = f"{listens},{wish.address}" if listens else f"localhost,{wish.address}"
    return {name: (value(name) or "nothing", text) for name, text in wanted.items()}


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def _restart_needed(found: FoundServer, needed: Mapping[str, tuple[str, str]]) -> AdoptionRefused:
    first = [f" {each}" for each in _followers(found, {name: wanted for name, (_old, wanted) in needed.items()})]
    return AdoptionRefused(
        f"The server of {found.name} has settings that replication cannot work with: {_listed(found, needed)}. Only a restart changes them.",
        "pg_server_adopt_restart: true lets site write them into conf.d/pgfleet.conf and restart the server."
        f"{''.join(first)} Nothing was changed.",
        "adopt_restart_needed",
    )


def _listed(found: FoundServer, settings: Mapping[str, tuple[str, str]]) -> str:
    return ", ".join(
        f"{name} is {old} ({found.files.get(name, 'default')}) and must be {new}"
        for name, (old, new) in settings.items()
    )


def _steps(
    found: FoundServer,
    wish: Wish,
    needed: Mapping[str, tuple[str, str]],
    left: Mapping[str, tuple[str, str]],
    restart: bool,
) -> Iterable[str]:
    yield f"{found.name}: data, postgresql.conf, rules, roles, databases and slots stay. conf.d/pgfleet.conf is written beside them."
    if needed:
        yield f"{found.name}: {_listed(found, needed)}."
    if restart:
        yield f"{found.name}: its server is restarted."
    for name, (old, new) in left.items():
        where = (
            f"its own files have it ({found.files[name]})" if name in found.files else "only a restart would change it"
        )
        yield f"{found.name}: {name} stays {old}, although pg_server_settings says {new}: {where}."
    if (
        "wal_log_hints" in wish.settings
        and not found.checksums
        and found.now("wal_log_hints").lower() in _FALSE
        and not restart
    ):
        yield f"{found.name}: without checksums and wal_log_hints a former primary cannot be rewound; rejoin.yml clones it."
    for each in found.senders:
        if each.get("name") not in wish.nodes:
            where = f" at {each['address']}" if each.get("address") else ""
            yield f"{found.name}: '{each.get('name')}'{where} follows it and is no node of the inventory; it is left as it is."


def refuse_overruled(name: str, plan: Adoption, effective: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Raise where a needed setting of our file would not count, because a file that is read later has another one."""
    for setting, (_old, wanted) in plan.needed.items():
        if effective.get(setting) == wanted:
            continue
        file = files.get(setting, "")
        by_system = file.endswith("postgresql.auto.conf")
        remedy = f"Run ALTER SYSTEM RESET {setting}" if by_system else f"Take the line out of {file}"
        raise AdoptionRefused(
            f"The server of {name} has {setting} = {effective.get(setting)} in {file}"
            f"{' (ALTER SYSTEM)' if by_system else ''}, which wins over conf.d/pgfleet.conf; it must be {wanted}.",
            f"{remedy}, then run again. Nothing was changed.",
            "adopt_overruled",
        )
