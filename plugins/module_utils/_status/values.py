# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What one node is and does, as values: one structure for a primary, a standby and a stopped server. No I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .._lsn import lsn_distance, parse_lsn
from .._postgres.answer import UNREACHABLE
from .._slot.plan import Slot

PRIMARY = "primary"
STANDBY = "standby"
ABSENT = "absent"
UNKNOWN = "unknown"
STREAMING = "streaming"
#: Where a standby gets its WAL from.
ARCHIVE, STREAM = "archive", "stream"
#: What pg_file_settings says both of a wrong value and of a right one that needs a restart.
_NOT_APPLIED = "setting could not be applied"


@dataclass(frozen=True)
class Lsns:
    """Positions in the write-ahead log. A primary has the first two, a standby the last two."""

    current: str | None = None
    flush: str | None = None
    receive: str | None = None
    replay: str | None = None


@dataclass(frozen=True)
class Standby:
    """One row of pg_stat_replication; ``name`` is its application_name."""

    name: str
    address: str | None = None
    pid: int | None = None
    state: str | None = None
    sync_state: str | None = None
    sent_lsn: str | None = None
    write_lsn: str | None = None
    flush_lsn: str | None = None
    replay_lsn: str | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    slot: str | None = None


@dataclass(frozen=True)
class WalReceiver:
    """The row of pg_stat_wal_receiver."""

    status: str | None = None
    sender_host: str | None = None
    sender_port: int | None = None
    slot: str | None = None
    received_tli: int | None = None
    flushed_lsn: str | None = None
    latest_end_lsn: str | None = None
    last_message_age_seconds: float | None = None


@dataclass(frozen=True)
class Connecting:
    """A WAL receiver that has no connection yet; pg_stat_wal_receiver does not show it."""

    pid: int
    seconds: float


@dataclass(frozen=True)
class Upstream:
    """The server that a standby is told to follow: primary_conninfo without its password."""

    host: str | None = None
    port: int | None = None
    slot: str | None = None
    application_name: str | None = None
    user: str | None = None


@dataclass(frozen=True)
class Subscription:
    """An enabled subscription of logical replication, which the next primary goes on with."""

    name: str
    database: str


@dataclass(frozen=True)
class Checksums:
    enabled: bool | None = None
    failures: int | None = None


@dataclass(frozen=True)
class Archiver:
    """pg_stat_archiver; ``failing`` means that the last attempt failed, ``waiting`` counts the files that are yet to be archived.

    ``nowhere``: archiving is on, and there is no command and no library for it. ``last_archived_lsn``: where the last archived file ends.
    """

    mode: str | None = None
    archived_count: int | None = None
    failed_count: int | None = None
    last_archived_wal: str | None = None
    last_failed_wal: str | None = None
    failing: bool | None = None
    last_archived_seconds: float | None = None
    waiting: int | None = None
    oldest_waiting_seconds: float | None = None
    nowhere: bool = False
    last_archived_lsn: str | None = None
    timeout_seconds: int | None = None


@dataclass(frozen=True)
class ConfigError:
    """A line of a configuration file that the server cannot use."""

    file: str | None
    line: int | None
    name: str | None
    error: str


@dataclass(frozen=True)
class PendingValue:
    """A setting that waits for a restart: as it is in force, and as the files have it where they may be seen."""

    setting: str
    wanted: str | None


@dataclass(frozen=True)
class Overridden:
    """A setting of our file that another file (None: the server's command line) overrides."""

    setting: str
    wanted: str
    found: str
    file: str | None
    line: int | None
    remedy: str


@dataclass(frozen=True)
class Settings:
    """Whether the configuration files are in force; None where the role may not see it."""

    pending_restart: tuple[str, ...] | None = None
    pending_values: Mapping[str, PendingValue] | None = None
    reload_pending: bool | None = None
    file_errors: tuple[ConfigError, ...] | None = None
    hba_errors: tuple[ConfigError, ...] | None = None
    overridden: tuple[Overridden, ...] | None = None


@dataclass(frozen=True)
class Wal:
    """``bytes`` is the size of the files that are there; ``max_slot_wal_keep_size`` is in bytes, -1 without limit."""

    directory: str | None = None
    bytes: int | None = None
    max_slot_wal_keep_size: int | None = None


@dataclass(frozen=True)
class Status:
    """The truth about one node. What is not known, or may not be seen, is None.

    ``reachable``: an ordinary session was opened. ``known``: the facts are the server's own, over whatever session.
    ``restores``: restore_command is set. ``wal_source``: a standby that follows no server has only the archive, if it has that.
    ``replayed_age_seconds``: how long ago the newest transaction that it has replayed was committed.
    """

    address: str
    running: bool = False
    reachable: bool = False
    answer: str = UNREACHABLE
    server_words: str | None = None
    known: bool = False
    role: str = UNKNOWN
    system_identifier: str | None = None
    timeline: int | None = None
    version: str | None = None
    cluster_name: str | None = None
    data_directory: str | None = None
    cluster_state: str | None = None
    lsn: Lsns = Lsns()
    standbys: tuple[Standby, ...] = ()
    slots: tuple[Slot, ...] = ()
    stored_logical_slots: tuple[str, ...] | None = None
    subscriptions: tuple[Subscription, ...] = ()
    wal_receiver: WalReceiver | None = None
    connecting: Connecting | None = None
    upstream: Upstream | None = None
    wal_source: str | None = None
    restores: bool | None = None
    replay_paused: bool = False
    replay_lag_seconds: float | None = None
    replayed_age_seconds: float | None = None
    apply_delay_ms: int | None = None
    recovery_target: str | None = None
    checksums: Checksums = Checksums()
    archiver: Archiver = Archiver()
    settings: Settings = Settings()
    standby_limits: Mapping[str, int] | None = None
    barred_roles: Mapping[str, str] | None = None
    max_wal_senders: int | None = None
    free_wal_senders: int | None = None
    max_replication_slots: int | None = None
    wal: Wal = field(default_factory=Wal)
    database_bytes: int | None = None

    @property
    def is_standby(self) -> bool:
        return self.role == STANDBY

    @property
    def archive_only(self) -> bool:
        """A standby that follows no server, and reads its WAL from an archive."""
        return self.wal_source == ARCHIVE

    @property
    def receiving(self) -> bool:
        """A standby whose WAL receiver streams."""
        return self.wal_receiver is not None and self.wal_receiver.status == STREAMING

    @property
    def replay_lag_bytes(self) -> int | None:
        """What a standby knows of and has not replayed."""
        told = self.wal_receiver.latest_end_lsn if self.wal_receiver else None
        known = [lsn for lsn in (self.lsn.receive, told) if lsn]
        return lsn_distance(max(known, key=parse_lsn, default=None), self.lsn.replay)

    def as_result(self) -> dict[str, Any]:
        return {**asdict(self), "slots": [slot.as_result() for slot in self.slots]}


def upstream_of(conninfo: Mapping[str, str], slot: str | None) -> Upstream | None:
    """The followed server out of a parsed primary_conninfo; its password stays behind."""
    if not conninfo:
        return None
    port = conninfo.get("port", "5432").split(",")[0]
    return Upstream(
        host=conninfo.get("host") or conninfo.get("hostaddr"),
        port=int(port) if port.isdigit() else None,
        slot=slot or None,
        application_name=conninfo.get("application_name"),
        user=conninfo.get("user"),
    )


def real_file_errors(errors: Iterable[ConfigError], pending_restart: Iterable[str]) -> tuple[ConfigError, ...]:
    """Without the rows that only mean that a restart is needed.

    The server has the same words for those and for wrong values; but a session that has looked at the files marks
    the former as pending.
    """
    pending = {name.lower() for name in pending_restart}
    return tuple(error for error in errors if not _only_pending(error, pending))


def _only_pending(error: ConfigError, pending: Container[str]) -> bool:
    """Rows without a file are about settings whose line was removed and whose default needs a restart."""
    removed = error.file is None and error.line is None
    return removed or (error.error == _NOT_APPLIED and (error.name or "").lower() in pending)


def timeline_of_wal_file(name: str) -> int:
    """The timeline in the name of a WAL file."""
    return int(name[:8], 16)
