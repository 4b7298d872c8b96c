# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The status of a node whose server accepts no session: from its data directory, and from the refusal itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace

from .._datadir.facts import DataDir, find_bin_dir, inspect
from .._errors import ConnectFailed, PgFleetError
from .._host.processes import STOPPED as BY_A_SIGNAL
from .._host.processes import WAITING_FOR_DISK, read_process
from .._lsn import format_lsn
from .._postgres.answer import (
    ABSENT,
    FROZEN,
    NOT_LISTENING,
    REFUSED,
    SPOKEN,
    STOPPED,
    TIMED_OUT,
    answer_of,
    answer_of_sqlstate,
    own_words,
    phase_of,
)
from .._postgres.knock import knock
from .._postgres.login import Login
from .._postgres.pid_file import read_pid_file
from .._postgres.recovery import parse_conninfo
from .._postgres.settings import read_settings
from .._server.surroundings import look_around
from .._server.why_stopped import causes
from .._slot.files import stored_logical_slots
from .reasons import Reason, reason
from .values import ABSENT as ABSENT_ROLE
from .values import PRIMARY, STANDBY, UNKNOWN, Checksums, Lsns, Status, Wal, upstream_of

_KNOCK_SECONDS = 2.0
_WAL_FILE = re.compile("[0-9A-F]{24}")
#: States of the control file that tell what a running server is, whatever files lie in its directory.
_RUNNING_ROLES = {"in production": PRIMARY, "in archive recovery": STANDBY}


@dataclass(frozen=True)
class OnMachine:
    """Where a server is on its machine, for what can be seen without a session; None is not known."""

    data_directory: str | None = None
    bin_dir: str | None = None
    log_file: str | None = None
    unit: str | None = None


def read_unreachable(login: Login, where: OnMachine, failure: ConnectFailed) -> tuple[Status, tuple[Reason, ...]]:
    """What can be known without a session, and why there is none."""
    words = failure.facts.get("server_words", "")
    answer = answer_of(failure.code, words)
    path = where.data_directory
    if answer == REFUSED and failure.code == "login_refused":
        answer = _understood(login, path)
    spoken = answer in SPOKEN
    blank = Status(
        login.address, running=spoken, answer=answer, server_words=own_words(words), data_directory=path or None
    )
    if not path:
        return blank, (refusal_reason(failure),)
    try:
        data = inspect(path, where.bin_dir or _any_bin_dir())
    except OSError as error:
        unreadable = reason("data_directory_invalid", f"{path} cannot be read: {error.strerror}.")
        return blank, (refusal_reason(failure), unreadable)
    if not spoken:
        answer = _without_reply(answer, data)
    status = _from_directory(replace(blank, running=spoken or data.server_pid is not None, answer=answer), data)
    return status, (_why(status, data, failure, where),)


def _understood(login: Login, path: str | None) -> str:
    """The answer of a server whose words are not known, in another language for example."""
    if not login.place:
        return REFUSED
    reply = knock(login.reached_at, login.port, login.user, login.database, _KNOCK_SECONDS)
    return answer_of_sqlstate(reply.sqlstate, read_pid_file(path).state if path else "")


def _without_reply(answer: str, data: DataDir) -> str:
    """What silence means when the data directory can be seen."""
    if data.server_pid is None:
        return ABSENT if data.vacant else STOPPED
    return FROZEN if answer == TIMED_OUT else NOT_LISTENING


def _any_bin_dir() -> str:
    """Where pg_controldata may be; a machine without it may still have no data directory, which is truth enough."""
    try:
        return find_bin_dir()
    except PgFleetError:
        return ""


def refusal_reason(failure: ConnectFailed) -> Reason:
    """The reason for a login that failed."""
    words = failure.facts.get("server_words", "")
    phase = phase_of(words)
    if phase:
        return reason(phase, failure.message, server_words=words)
    return reason(failure.code, failure.message, failure.remedy, server_words=words)


def _why(status: Status, data: DataDir, failure: ConnectFailed, where: OnMachine) -> Reason:
    """Why there is no session, by what the data directory adds to the failure."""
    if status.answer == FROZEN:
        return reason(
            FROZEN,
            f"{status.address} gives no answer, while process {data.server_pid} runs in {data.path}"
            f" ({process_state(data.server_pid)}).",
            server_pid=data.server_pid,
        )
    if status.answer == NOT_LISTENING:
        return reason(
            NOT_LISTENING,
            f"Nothing listens at {status.address}, while process {data.server_pid} runs in {data.path}{_elsewhere(data)}.",
            server_pid=data.server_pid,
        )
    return refusal_reason(failure) if status.running else _why_not(data, status.address, where)


def process_state(pid: int | None) -> str:
    """The kernel's word for what a process does."""
    process = read_process(pid) if pid else None
    if process is None:
        return "its state is not known"
    said = {BY_A_SIGNAL: "it is stopped by a signal", WAITING_FOR_DISK: "it waits for a disk"}
    return said.get(process.state, "no answer in time")


def _elsewhere(data: DataDir) -> str:
    """Where postmaster.pid says that the server listens, when that is somewhere."""
    found = read_pid_file(data.path)
    places = [place for place in (found.socket_directory, found.listen_address) if place]
    return f"; postmaster.pid says port {found.port}, {' and '.join(places)}" if places else ""


def _why_not(data: DataDir, address: str, where: OnMachine) -> Reason:
    if data.vacant:
        found = "is empty" if data.exists else "does not exist"
        return reason("data_directory_missing", f"No server answers at {address}, and {data.path} {found}.")
    if not data.valid:
        found = "an unfinished copy" if data.unfinished else "not a cluster"
        return reason("data_directory_invalid", f"No server answers at {address}, and {data.path} holds {found}.")
    around = look_around(data.path, data.cluster_state, where.log_file, where.unit)
    seen = causes(around)
    sentence = f"No server runs in {data.path}; its cluster state is '{data.cluster_state}'."
    return reason(
        "not_running",
        " ".join([sentence, *(each.sentence for each in seen)]),
        next((each.remedy for each in seen if each.remedy), ""),
        cluster_state=data.cluster_state,
        causes=[each.code for each in seen],
        unit_state=around.unit_state,
    )


def _role(data: DataDir) -> str:
    if data.vacant:
        return ABSENT_ROLE
    if not data.valid:
        return UNKNOWN
    # while it starts, a clone still has the control file of its primary
    started = data.server_pid is not None and read_pid_file(data.path).state != "starting"
    if started and data.cluster_state in _RUNNING_ROLES:
        return _RUNNING_ROLES[data.cluster_state]
    return STANDBY if data.standby_signal or data.recovery_signal else PRIMARY


def _from_directory(status: Status, data: DataDir) -> Status:
    role = _role(data)
    written = _auto_conf(data.path)
    position = format_lsn(data.position) if data.valid else None
    conninfo = parse_conninfo(written.get("primary_conninfo", ""))
    return replace(
        status,
        role=role,
        system_identifier=data.system_identifier,
        timeline=_timeline(data),
        version=str(data.pg_version) if data.pg_version else None,
        cluster_name=written.get("cluster_name"),
        cluster_state=data.cluster_state,
        lsn=Lsns(replay=position) if role == STANDBY else Lsns(flush=position),
        stored_logical_slots=stored_logical_slots(data.path) if data.valid else None,
        upstream=upstream_of(conninfo, written.get("primary_slot_name")) if role == STANDBY else None,
        checksums=Checksums(data.checksums if data.valid else None),
        wal=Wal(os.path.join(data.path, "pg_wal") if data.valid else None),
    )


def _timeline(data: DataDir) -> int | None:
    """Of a running server the newest that it has WAL of: its control file learns of a promotion at the next checkpoint."""
    if data.timeline is None or data.server_pid is None:
        return data.timeline
    try:
        names = os.listdir(os.path.join(data.path, "pg_wal"))
    except OSError:
        names = []
    known = {int(name[:8], 16) for name in names if name.endswith(".history")}  # of others pg_rewind has left a segment
    return max([data.timeline, *({int(name[:8], 16) for name in names if _WAL_FILE.fullmatch(name)} & known)])


def _auto_conf(path: str) -> dict[str, str]:
    try:
        with open(os.path.join(path, "postgresql.auto.conf"), encoding="utf-8", errors="replace") as file:
            return read_settings(file.read())
    except OSError:
        return {}
