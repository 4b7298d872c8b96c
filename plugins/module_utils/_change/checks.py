# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What else must be so, or must be said, before a primary is stopped or another is promoted. No I/O.

``status`` is that of a node as replication_status returns it; what is not known is None there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import PgFleetError
from .._slot.plan import LOGICAL
from .._status.archiver import archive_trouble

ARCHIVE_REMEDY = (
    "See what archive_command waits for (pstree -a shows it below the process 'archiver'), end it, and run again; what it"
    " could not archive is kept. Nothing was changed."
)
#: Findings of a running server that could not start again, or could not write what follows its promotion.
UNFIT = ("unit_masked", "disk_nearly_full")
Status = Mapping[str, Any]


class OperationRefused(PgFleetError):
    """An operation would lose data or cannot work now; ``code`` says why."""

    code = "operation_refused"


def refuse_stuck_archiver(name: str, status: Status) -> None:
    """A server that stops waits until every finished WAL file is archived; an archiver that hangs lets it wait for ever.

    One that fails does not: the server gives up after three attempts.
    """
    trouble = archive_trouble(name, status.get("archiver") or {})
    if trouble:
        raise OperationRefused(f"{trouble} The server would not stop before they are.", ARCHIVE_REMEDY, "archive_stuck")


def unfit(result: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], ...]:
    """The findings of a node, of those that replication_status returns, for which it should neither stop nor lead."""
    return tuple(each for each in (result or {}).get("findings") or () if each["code"] in UNFIT)


def refuse_unfit(name: str, result: Mapping[str, Any] | None) -> None:
    """What would show only after the stop is asked before it."""
    for found in unfit(result):
        raise OperationRefused(f"{name}: {found['message']}", f"{found['remedy']} Nothing was changed.", found["code"])


def refuse_held_back(name: str, status: Status) -> None:
    """A standby that replays late, or is to stop replaying, would let writes wait."""
    delay = status.get("apply_delay_ms")
    if delay:
        raise OperationRefused(
            f"{name} replays with a delay of {duration(delay)} (recovery_min_apply_delay), so writes would wait that long.",
            "Name another node; or take the delay away there with ALTER SYSTEM SET recovery_min_apply_delay = 0 and SELECT"
            " pg_reload_conf(), wait until it has caught up, and run again. Nothing was changed.",
            "delayed_standby",
        )
    if status.get("recovery_target"):
        raise OperationRefused(
            f"{name} is to recover up to a target only ({status['recovery_target']}).",
            "Name another node, or take these settings away and restart it. Nothing was changed.",
            "recovery_target_set",
        )


def duration(milliseconds: int) -> str:
    """As people write it, in the largest unit that is whole."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"


def archive_steps(name: str, status: Status) -> Iterator[str]:
    """What the archiver has yet to do, which the shutdown waits for."""
    found = status.get("archiver") or {}
    waiting = found.get("waiting")
    if waiting and found.get("failing"):
        yield f"archive_command of {name} fails; {waiting} WAL files wait there and are kept until it works again."
    elif waiting:
        yield f"{waiting} WAL files of {name} are yet to be archived; the shutdown waits for them."


def logical_steps(name: str, status: Status, target: str, target_status: Status) -> Iterator[str]:
    """Logical replication that a change of the primary touches: slots that stay behind, subscriptions that go on."""
    yield from _slot_steps(name, status, target, target_status)
    for each in status.get("subscriptions") or target_status.get("subscriptions") or ():
        yield (
            f"Subscription {each['name']} (database {each['database']}) goes on from {target}: its publisher must let {target}"
            " log in."
        )


def _slot_steps(name: str, status: Status, target: str, target_status: Status) -> Iterator[str]:
    """Logical slots that a new primary does not have; a slot for failover (17) that is synchronized there goes on."""
    ready = {
        slot["name"]
        for slot in target_status.get("slots") or ()
        if slot.get("slot_type") == LOGICAL and slot.get("synced") and not slot.get("lost")
    }
    for slot in _stored(status) if status.get("stored_logical_slots") else status.get("slots") or ():
        if slot.get("slot_type") != LOGICAL or slot.get("synced") or slot.get("temporary"):
            continue
        about = f"Logical slot {slot['name']}"
        if "plugin" in slot:
            about += f" (database {slot.get('database')}, plugin {slot['plugin']}, {'in use' if slot.get('active') else 'not in use'})"
        if slot["name"] in ready:
            yield f"{about} is synchronized to {target}: let its subscriber connect there."
        else:
            yield (
                f"{about} stays on {name}, keeps WAL there and does not follow: create it on {target}, let its subscriber"
                f" connect there, and drop it on {name}."
            )


def _stored(status: Status) -> list[dict[str, Any]]:
    """The logical slots in the directory of a server that cannot be asked."""
    return [{"name": name, "slot_type": LOGICAL} for name in status["stored_logical_slots"]]
