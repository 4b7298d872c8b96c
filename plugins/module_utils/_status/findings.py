# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What is not well on a node, whether anybody asked for it or not. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .._slot.plan import Slot
from .archiver import archive_trouble
from .reasons import Reason, reason
from .values import STREAMING, Standby, Status

#: Longer than a server under load needs to answer a login.
STUCK_SECONDS = 60


def findings(status: Status) -> tuple[Reason, ...]:
    """Whatever is not well, asked for or not."""
    return tuple(_findings(status)) if status.reachable or status.known else ()


def _findings(status: Status) -> Iterator[Reason]:
    if status.is_standby and not status.archive_only:
        yield from receiver_trouble(status)
    if status.replay_paused:
        yield reason("replay_paused", f"Replay is paused on {status.address}.")
    for standby in status.standbys:
        if standby.state not in (None, STREAMING):
            yield standby_state(standby, status)
    for slot in status.slots:
        if not slot.synced and (slot.reserves_wal or slot.lost):  # one that keeps nothing costs nothing
            yield from slot_trouble(slot, status)
    yield from restart_trouble(status)
    yield from reload_trouble(status)
    yield from settings_trouble(status)
    yield from override_trouble(status)
    for role, why in (status.barred_roles or {}).items():
        what = f"Standbys of {status.address} stream as the role '{role}', which may not log in again ({why})"
        yield reason("role_barred", f"{what}: the next connection is refused.", role=role)
    yield from _counters(status)


def _counters(status: Status) -> Iterator[Reason]:
    failures = status.checksums.failures
    if failures:
        yield reason("checksum_failures", f"{status.address} has found {failures} damaged pages.", failures=failures)
    hangs = archive_trouble(status.address, asdict(status.archiver))
    if hangs:
        yield reason("archive_stuck", hangs, waiting=status.archiver.waiting)
    if status.archiver.failing:
        yield reason(
            "archive_failing",
            f"{status.address} cannot archive {status.archiver.last_failed_wal}.",
            wal=status.archiver.last_failed_wal,
        )
    if status.archiver.nowhere:
        yield reason(
            "archive_nowhere",
            f"{status.address} has archive_mode on and nothing that archives: it keeps all WAL until the disk is full.",
        )
    if status.free_wal_senders == 0 and status.max_wal_senders:
        yield reason("no_free_wal_sender", f"{status.address} uses all of its {status.max_wal_senders} WAL senders.")


def receiver_trouble(status: Status) -> Iterator[Reason]:
    """Why a standby does not stream, as far as its own WAL receiver tells."""
    receiver, connecting = status.wal_receiver, status.connecting
    if receiver is None and connecting:
        what = f"The WAL receiver of {status.address}, process {connecting.pid}, has been connecting for {connecting.seconds:.0f} s"
        code = "receiver_stuck" if connecting.seconds > STUCK_SECONDS else "not_streaming"
        yield reason(code, f"{what}.", pid=connecting.pid)
    elif receiver is None:
        yield reason("no_wal_receiver", f"{status.address} is a standby, but no WAL receiver runs there.")
    elif receiver.status is None:
        yield hidden("the state of the WAL receiver", status)
    elif receiver.status != STREAMING:
        yield reason(
            "not_streaming", f"The WAL receiver of {status.address} is '{receiver.status}'.", state=receiver.status
        )


def standby_state(standby: Standby, status: Status) -> Reason:
    """For a standby that does not stream."""
    return reason(
        "not_streaming",
        f"Standby '{standby.name}' of {status.address} is in state '{standby.state}'.",
        standby=standby.name,
        state=standby.state,
    )


def slot_trouble(slot: Slot, status: Status) -> Iterator[Reason]:
    """What is wrong with a slot that a consumer should use."""
    name = f"Slot '{slot.name}' on {status.address}"
    if slot.lost:
        why = slot.invalidation_reason or f"wal_status is '{slot.wal_status}'"
        yield reason("slot_lost", f"{name} is lost ({why}): the WAL its consumer needs is gone.", slot=slot.name)
        return
    if slot.wal_status == "unreserved":
        yield reason(
            "slot_at_risk",
            f"{name} is past its limit (wal_status is 'unreserved'): the next checkpoint may remove its WAL.",
            slot=slot.name,
            safe_wal_size=slot.safe_wal_size,
        )
    if not slot.active:
        yield reason(
            "slot_inactive",
            f"{name} is not in use and keeps {slot.retained_bytes or 0} bytes of WAL.",
            slot=slot.name,
            retained_bytes=slot.retained_bytes,
        )


def restart_trouble(status: Status) -> Iterator[Reason]:
    names = status.settings.pending_restart
    if names:
        yield reason(
            "pending_restart", f"{status.address} must be restarted to change {', '.join(names)}.", settings=list(names)
        )


def reload_trouble(status: Status) -> Iterator[Reason]:
    if status.settings.reload_pending:
        yield reason("reload_pending", f"Configuration files of {status.address} were changed after it last read them.")


def settings_trouble(status: Status) -> Iterator[Reason]:
    found = status.settings
    for code, errors in (("settings_error", found.file_errors), ("hba_error", found.hba_errors)):
        for error in errors or ():
            name = f" ({error.name})" if error.name else ""
            yield reason(
                code,
                f"{status.address} cannot use line {error.line} of {error.file}{name}: {error.error}.",
                file=error.file,
                line=error.line,
            )


def override_trouble(status: Status) -> Iterator[Reason]:
    """Settings that the inventory gives and something else takes back."""
    for each in status.settings.overridden or ():
        where = f"line {each.line} of {each.file}" if each.file else "its command line"
        yield reason(
            "setting_overridden",
            f"{status.address} is to have {each.setting} = '{each.wanted}', but {where} says '{each.found}'.",
            each.remedy,
            setting=each.setting,
            wanted=each.wanted,
            found=each.found,
            file=each.file,
            line=each.line,
        )


def hidden(what: str, status: Status, **facts: Any) -> Reason:
    return reason("not_visible", f"This role may not see {what} of {status.address}.", **facts)
