# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read the status of a node from its server: one session, three statements."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

from .._errors import ConnectFailed, QueryFailed
from .._postgres.answer import ACCEPTS, TOO_MANY, own_words
from .._postgres.connection import Server, connect, version_text
from .._postgres.login import Login
from .._postgres.recovery import parse_conninfo
from .._settings.state import Line, override_of
from .._slot.server import read_slots
from .sql import DATABASE_BYTES, FACTS, RIGHTS, config_query
from .values import (
    ARCHIVE,
    PRIMARY,
    STANDBY,
    STREAM,
    Archiver,
    Checksums,
    ConfigError,
    Connecting,
    Lsns,
    Overridden,
    PendingValue,
    Settings,
    Standby,
    Status,
    Subscription,
    Wal,
    WalReceiver,
    real_file_errors,
    timeline_of_wal_file,
    upstream_of,
)

_MEGABYTE = 1024 * 1024
_INSUFFICIENT_PRIVILEGE = "42501"
_NOT_IN_PREREQUISITE_STATE = "55000"
_SESSION_ENDED = ("08", "57P")


class Watch:
    """Reads the status again and again over one session, which is opened again when it dies.

    ``conninfo`` is the parsed primary_conninfo of the last reading, None where the role may not see it. It has the
    password, so it never leaves this side.
    """

    def __init__(self, login: Login) -> None:
        self.login = login
        self.conninfo: dict[str, str] | None = None
        self.local = False
        self._stack = ExitStack()
        self._server: Server | None = None
        self._rights: dict[str, bool] = {}
        self._timeout: int | None = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def refusal(self) -> ConnectFailed | None:
        """Why ordinary logins fail, although this session, one of those for WAL senders, works."""
        return self._server.refusal if self._server else None

    def read(self, patience: float = 0) -> Status:
        """The status now; connecting may take as long as ``connect_timeout`` and, when given, ``patience`` allow.

        Raises ConnectFailed, or QueryFailed for what a new session does not heal.
        """
        self._timeout = min(self.login.connect_timeout, max(2, round(patience))) if patience else None
        try:
            return self._read()
        except QueryFailed as error:
            promoted_meanwhile = error.facts.get("sqlstate") == _NOT_IN_PREREQUISITE_STATE
            if not _ended(error) and not promoted_meanwhile:
                raise
        self._close()
        try:
            return self._read()
        except QueryFailed as error:
            if _ended(error):
                raise _hung_up(self.login, error) from error
            raise

    def database_bytes(self) -> int | None:
        """The size of all databases, for which the server looks at every file; None when the role may not ask."""
        if not self._alive or self._server is None:
            return None
        try:
            return int(self._server.row(DATABASE_BYTES)["bytes"])
        except QueryFailed:
            return None

    @property
    def _alive(self) -> bool:
        return self._server is not None and not self._server.connection.closed

    def _close(self) -> None:
        self._stack.close()
        self._server = None

    def _open(self) -> Server:
        if self._server is None or not self._alive:
            self._close()
            timeout = self._timeout or self.login.connect_timeout
            server = self._stack.enter_context(connect(replace(self.login, connect_timeout=timeout)))
            self._rights = server.row(RIGHTS)
            self.local = self._rights.pop("local")
            self._server = server
        return self._server

    def _read(self) -> Status:
        server = self._open()
        config = self._config(server)  # first: only then does this session know of pending restarts before a reload
        facts = server.row(FACTS)
        told = facts["setting"].get("primary_conninfo")
        self.conninfo = None if told is None else parse_conninfo(told)
        return _status(self.login, server, self._rights, facts, config, self.conninfo or {}, self.local)

    def _config(self, server: Server) -> dict[str, Any]:
        try:
            return server.row(config_query(server.major, self._rights))
        except QueryFailed as error:
            if error.facts.get("sqlstate") != _INSUFFICIENT_PRIVILEGE:
                raise
            self._rights = dict.fromkeys(self._rights, False)
            return server.row(config_query(server.major, self._rights))


def _ended(error: QueryFailed) -> bool:
    """The session is over: the server went away, ends it, or is not there any more."""
    state = error.facts.get("sqlstate")
    return state is None or state.startswith(_SESSION_ENDED)


def _hung_up(login: Login, error: QueryFailed) -> ConnectFailed:
    return ConnectFailed(
        f"The session with {login.address} ended: {error.message}",
        "Wait until the server has started, then try again.",
        "not_accepting_connections",
        server_words=error.message,
    )


def _status(
    login: Login,
    server: Server,
    rights: Mapping[str, bool],
    facts: dict[str, Any],
    config: dict[str, Any],
    conninfo: Mapping[str, str],
    local: bool,
) -> Status:
    setting, refusal = facts["setting"], server.refusal
    receiver = WalReceiver(**facts["wal_receiver"]) if facts["wal_receiver"] else None
    data = setting.get("data_directory")
    return Status(
        address=login.address,
        running=True,
        reachable=refusal is None,
        answer=TOO_MANY if refusal else ACCEPTS,
        server_words=own_words(refusal.facts["server_words"]) if refusal else None,
        known=True,
        role=STANDBY if facts["recovering"] else PRIMARY,
        system_identifier=facts["system_identifier"],
        timeline=_timeline(facts, receiver, config["wal_timeline"]),
        version=version_text(server.version),
        cluster_name=setting["cluster_name"],
        data_directory=data,
        lsn=Lsns(facts["current"], facts["flush"], facts["receive"], facts["replay"]),
        standbys=tuple(Standby(**row) for row in facts["standbys"]),
        slots=tuple(slot for slot in read_slots(server) if not slot.temporary),
        subscriptions=tuple(Subscription(**row) for row in facts["subscriptions"]),
        wal_source=_wal_source(setting) if facts["recovering"] else None,
        restores=bool(setting["restore_command"]),
        wal_receiver=receiver,
        connecting=Connecting(*facts["connecting"]) if facts["connecting"] else None,
        upstream=upstream_of(conninfo, setting.get("primary_slot_name")) if facts["recovering"] else None,
        replay_paused=facts["replay_paused"],
        replay_lag_seconds=facts["replay_lag_seconds"],
        replayed_age_seconds=facts["replayed_age_seconds"],
        apply_delay_ms=int(setting["recovery_min_apply_delay"]) if facts["recovering"] else None,
        recovery_target=facts["recovery_target"] if facts["recovering"] else None,
        checksums=Checksums(setting["data_checksums"] == "on", facts["checksum_failures"]),
        archiver=Archiver(**facts["archiver"], **_archive_waiting(config["archive_waiting"])),
        settings=_settings(rights, facts, config, local),
        standby_limits=facts["standby_limits"],
        barred_roles=facts["barred_roles"],
        max_wal_senders=int(setting["max_wal_senders"]),
        free_wal_senders=int(setting["max_wal_senders"]) - facts["used_wal_senders"],
        max_replication_slots=int(setting["max_replication_slots"]),
        wal=Wal(os.path.join(data, "pg_wal") if data else None, config["wal_bytes"], _keep_size(setting)),
    )


def _wal_source(setting: Mapping[str, str]) -> str | None:
    """None where the role may not see it, or where there is none."""
    conninfo = setting.get("primary_conninfo")
    if conninfo:
        return STREAM
    return ARCHIVE if conninfo is not None and setting["restore_command"] else None


def _timeline(facts: Mapping[str, Any], receiver: WalReceiver | None, written: int | None) -> int:
    """The control file lags behind: after a promotion until the next checkpoint, on a standby until a restartpoint."""
    if facts["wal_file"]:
        return timeline_of_wal_file(facts["wal_file"])
    return max(int(facts["control_timeline"]), (receiver and receiver.received_tli) or 0, written or 0)


def _archive_waiting(found: tuple[int, float | None] | None) -> dict[str, Any]:
    waiting, oldest = found or (None, None)
    return {"waiting": waiting, "oldest_waiting_seconds": oldest}


def _keep_size(setting: Mapping[str, str]) -> int:
    megabytes = int(setting["max_slot_wal_keep_size"])
    return megabytes if megabytes < 0 else megabytes * _MEGABYTE


def _settings(rights: Mapping[str, bool], facts: dict[str, Any], config: dict[str, Any], local: bool) -> Settings:
    pending, written = facts["pending_restart"] or {}, config["written"] or {}
    file_errors = real_file_errors(_config_errors(config["file_errors"]), pending)
    return Settings(
        pending_restart=tuple(pending),
        pending_values={
            name: PendingValue(now, written.get(name, default)) for name, (now, default) in pending.items()
        },
        reload_pending=_reload_pending(config, rights["file_settings"], local),
        file_errors=file_errors if rights["file_settings"] else None,
        hba_errors=_config_errors(config["hba_errors"]) if rights["hba_rules"] else None,
        overridden=_overridden(config["our_lines"] or ()) if rights["file_settings"] else None,
    )


def _overridden(rows: Iterable[dict[str, Any]]) -> tuple[Overridden, ...]:
    found = filter(None, (override_of(Line(**row)) for row in rows))
    return tuple(Overridden(each.setting, each.wanted, each.found, each.file, each.line, each.remedy) for each in found)


def _config_errors(rows: Iterable[dict[str, Any]]) -> tuple[ConfigError, ...]:
    return tuple(ConfigError(**row) for row in rows)


def _reload_pending(config: Mapping[str, Any], all_known: bool, local: bool) -> bool | None:
    times = [_modified(name, told, local) for name, told in (config["modified"] or {}).items()]
    if config["moved"] or any(time is not None and time > config["loaded"] for time in times):
        return True
    return False if all_known and times and None not in times else None


def _modified(path: str, told: float | None, local: bool) -> float | None:
    """The server tells whole seconds; on its own machine the file itself tells more."""
    try:
        return os.stat(path).st_mtime if local else told
    except OSError:
        return told
