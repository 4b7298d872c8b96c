# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What is expected of a node, and which expectations its status does not meet. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._lsn import parse_lsn
from .findings import (
    hidden,
    receiver_trouble,
    reload_trouble,
    restart_trouble,
    settings_trouble,
    slot_trouble,
    standby_state,
)
from .reasons import Reason, reason
from .values import ARCHIVE, PRIMARY, STANDBY, STREAMING, Standby, Status

ANY = "any"
#: States of a WAL sender that are as good as the wanted one.
_GOOD_STATES = {STREAMING: (STREAMING,), "catchup": ("catchup", STREAMING)}


@dataclass(frozen=True)
class Expectations:
    """None means that it does not matter."""

    role: str | None = None
    system_identifier: str | None = None
    timeline: int | None = None
    standbys: tuple[str, ...] | None = None
    slots: tuple[str, ...] = ()
    state: str = STREAMING
    sync_state: str | None = None
    max_lag_bytes: int | None = None
    max_lag_seconds: float | None = None
    replayed_lsn: str | None = None
    primary: Mapping[str, Any] | None = None
    no_pending_restart: bool = False
    no_pending_reload: bool = False
    no_settings_errors: bool = False

    def __post_init__(self) -> None:
        if self.replayed_lsn is not None:
            parse_lsn(self.replayed_lsn)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Expectations:
        """Option C(expect) as values; raises InvalidInput."""
        given: dict[str, Any] = {name: value for name, value in params.items() if value is not None}
        given.update({name: tuple(value) for name, value in given.items() if isinstance(value, list)})
        return cls(**given)


def check(status: Status, expect: Expectations) -> tuple[Reason, ...]:
    """Every expectation that is not met. Those that need a session are not looked at without one."""
    identity = tuple(_identity(status, expect))
    if not (status.reachable or status.known) or any(each.code == "wrong_role" for each in identity):
        return identity
    return identity + tuple(_live(status, expect))


def _identity(status: Status, expect: Expectations) -> Iterator[Reason]:
    node = status.address
    wanted = STANDBY if expect.primary else expect.role
    if wanted and status.role in (PRIMARY, STANDBY) and status.role != wanted:
        yield reason("wrong_role", f"{node} is a {status.role}, not a {wanted}.", found=status.role, expected=wanted)
    found, system = status.system_identifier, expect.system_identifier
    if system and found and found != system:
        yield reason(
            "wrong_system_identifier",
            f"{node} has system identifier {found}, not {system}.",
            found=found,
            expected=system,
        )
    if expect.timeline and status.timeline and status.timeline != expect.timeline:
        yield reason(
            "wrong_timeline",
            f"{node} is on timeline {status.timeline}, not {expect.timeline}.",
            found=status.timeline,
            expected=expect.timeline,
        )


def _live(status: Status, expect: Expectations) -> Iterator[Reason]:
    if status.is_standby:
        yield from _own_state(status, expect)
    if expect.standbys is not None or not status.is_standby:
        yield from _standbys(status, expect)
    yield from _expected_slots(status, expect)
    yield from _settings(status, expect)


def _own_state(status: Status, expect: Expectations) -> Iterator[Reason]:
    """What a standby knows about itself."""
    if expect.state == ARCHIVE:
        yield from _archive_only(status)
    elif expect.state != ANY:
        yield from receiver_trouble(status)
    if expect.primary:
        yield from _followed(status, expect.primary)
    behind = [
        *_lag(status.address, status.replay_lag_bytes, status.replay_lag_seconds, expect),
        *_replayed(status.address, status.lsn.replay, expect),
    ]
    yield from behind
    if behind and status.replay_paused:
        yield reason("replay_paused", f"Replay is paused on {status.address}.")


def _archive_only(status: Status) -> Iterator[Reason]:
    """What keeps a standby from reading its WAL from the archive, and from nowhere else."""
    upstream = status.upstream
    if upstream is not None:
        found = f"follows {upstream.host}:{upstream.port}"
    elif not status.restores:
        found = "has no restore_command"
    elif status.wal_receiver is not None:
        found = "still has a WAL receiver"
    else:
        return
    yield reason("not_from_archive", f"{status.address} is to get its WAL from the archive only, but {found}.")


def _followed(status: Status, primary: Mapping[str, Any]) -> Iterator[Reason]:
    receiver, upstream = status.wal_receiver, status.upstream
    hosts = {each for each in (receiver and receiver.sender_host, upstream and upstream.host) if each}
    ports = {each for each in (receiver and receiver.sender_port, upstream and upstream.port) if each}
    if receiver and receiver.sender_port:  # what it is connected to counts more than what it is told
        ports = {receiver.sender_port}
    right_port = primary.get("port") is None or primary["port"] in ports
    if primary["host"] in hosts and right_port:
        return
    found = " or ".join(sorted(hosts)) or "nobody"
    wanted = primary["host"] + (f":{primary['port']}" if primary.get("port") else "")
    yield reason(
        "wrong_primary",
        f"{status.address} follows {found}{_ports(ports)}, not {wanted}.",
        found=found,
        expected=wanted,
    )


def _ports(ports: set[int]) -> str:
    return f" (port {', '.join(str(port) for port in sorted(ports))})" if ports else ""


def _standbys(status: Status, expect: Expectations) -> Iterator[Reason]:
    """What the server that feeds them knows about the expected standbys, or about all when none is named."""
    names = expect.standbys
    if names is None:
        names = tuple(dict.fromkeys(each.name for each in status.standbys)) if _about_standbys(expect) else ()
    for name in names:
        rows = [each for each in status.standbys if each.name == name]
        if not rows:
            yield reason("standby_missing", f"Standby '{name}' is not connected to {status.address}.", standby=name)
            continue
        yield from _standby(max(rows, key=_rank), status, expect)


def _about_standbys(expect: Expectations) -> bool:
    wanted = (expect.sync_state, expect.max_lag_bytes, expect.max_lag_seconds, expect.replayed_lsn)
    return any(each is not None for each in wanted)


def _rank(standby: Standby) -> tuple[bool, int]:
    """A standby that has come back may for a while be there twice."""
    return standby.state == STREAMING, parse_lsn(standby.replay_lsn or "0/0")


def _standby(standby: Standby, status: Status, expect: Expectations) -> Iterator[Reason]:
    name = f"Standby '{standby.name}' of {status.address}"
    if standby.state is None:
        yield hidden(f"the state of standby '{standby.name}'", status, standby=standby.name)
        return
    if standby.state not in _GOOD_STATES.get(expect.state, (standby.state,)):
        yield standby_state(standby, status)
    if expect.sync_state and standby.sync_state != expect.sync_state:
        yield reason(
            "wrong_sync_state",
            f"{name} is '{standby.sync_state}', not '{expect.sync_state}'.",
            standby=standby.name,
            found=standby.sync_state,
            expected=expect.sync_state,
        )
    yield from _lag(name, standby.lag_bytes, standby.lag_seconds, expect, standby=standby.name)
    yield from _replayed(name, standby.replay_lsn, expect, standby=standby.name)


def _lag(who: str, in_bytes: int | None, seconds: float | None, expect: Expectations, **facts: Any) -> Iterator[Reason]:
    for found, limit, unit in ((in_bytes, expect.max_lag_bytes, "bytes"), (seconds, expect.max_lag_seconds, "seconds")):
        if limit is None or (found is not None and found <= limit):
            continue
        if found is None and in_bytes == 0:
            continue
        shown = "an unknown number of" if found is None else str(round(found, 1))
        yield reason(
            "lagging", f"{who} is {shown} {unit} behind; {limit} are allowed.", found=found, expected=limit, **facts
        )


def _replayed(who: str, lsn: str | None, expect: Expectations, **facts: Any) -> Iterator[Reason]:
    wanted = expect.replayed_lsn
    if wanted is None or (lsn is not None and parse_lsn(lsn) >= parse_lsn(wanted)):
        return
    yield reason(
        "not_replayed", f"{who} has replayed up to {lsn}, not yet {wanted}.", found=lsn, expected=wanted, **facts
    )


def _expected_slots(status: Status, expect: Expectations) -> Iterator[Reason]:
    have = {slot.name: slot for slot in status.slots}
    for name in expect.slots:
        if name not in have:
            yield reason("slot_missing", f"Slot '{name}' does not exist on {status.address}.", slot=name)
        else:
            yield from slot_trouble(have[name], status)


def _settings(status: Status, expect: Expectations) -> Iterator[Reason]:
    found = status.settings
    asked = (
        (expect.no_pending_restart, found.pending_restart, "whether a restart is pending"),
        (expect.no_pending_reload, found.reload_pending, "whether a reload is pending"),
        (expect.no_settings_errors, found.file_errors, "whether the configuration files have errors"),
        (expect.no_settings_errors, found.hba_errors, "whether pg_hba.conf has errors"),
    )
    yield from (hidden(what, status) for wanted, fact, what in asked if wanted and fact is None)
    if expect.no_pending_restart:
        yield from restart_trouble(status)
    if expect.no_pending_reload:
        yield from reload_trouble(status)
    if expect.no_settings_errors:
        yield from settings_trouble(status)
