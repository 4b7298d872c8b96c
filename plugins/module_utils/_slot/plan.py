# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Replication slots: what a server has, what is wanted, and the way from one to the other. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .._errors import InvalidInput, SlotConflict

PHYSICAL = "physical"
LOGICAL = "logical"
_NAME = re.compile(r"[a-z0-9_]{1,63}")


@dataclass(frozen=True)
class Slot:
    """A slot as pg_replication_slots shows it; None where the server does not know the field."""

    name: str
    slot_type: str
    plugin: str | None = None
    database: str | None = None
    temporary: bool = False
    active: bool = False
    active_pid: int | None = None
    restart_lsn: str | None = None
    confirmed_flush_lsn: str | None = None
    wal_status: str | None = None
    safe_wal_size: int | None = None
    retained_bytes: int | None = None
    two_phase: bool | None = None
    failover: bool | None = None
    synced: bool | None = None
    inactive_since: str | None = None
    invalidation_reason: str | None = None

    @property
    def lost(self) -> bool:
        """The server has given the slot up: its standby cannot continue from it."""
        return self.wal_status == "lost" or self.invalidation_reason is not None

    @property
    def reserves_wal(self) -> bool:
        return self.restart_lsn is not None

    def as_result(self) -> dict[str, Any]:
        return {**asdict(self), "lost": self.lost}


@dataclass(frozen=True)
class WantedSlot:
    """A slot as the user wants it."""

    name: str
    present: bool = True
    slot_type: str = PHYSICAL
    plugin: str | None = None
    database: str | None = None
    two_phase: bool = False
    failover: bool = False
    reserve_wal: bool = True

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                f"'{self.name}' is not a name for a replication slot.",
                "Use 1 to 63 lower-case letters, digits and underscores.",
            )
        if self.present and self.slot_type == LOGICAL and not (self.plugin and self.database):
            raise InvalidInput(f"Logical slot '{self.name}' lacks its plugin or its database.", "Give both.")
        if self.slot_type == PHYSICAL and (self.plugin or self.database or self.two_phase or self.failover):
            raise InvalidInput(
                f"Slot '{self.name}' is physical, but plugin, database, two_phase or failover was given for it.",
                "Leave them out, or set slot_type to 'logical'.",
            )

    def as_slot(self) -> Slot:
        """The slot that creating this one is expected to give."""
        logical = self.slot_type == LOGICAL
        return Slot(
            self.name,
            self.slot_type,
            plugin=self.plugin,
            database=self.database,
            two_phase=self.two_phase if logical else None,
            failover=self.failover if logical else None,
            wal_status="reserved" if logical or self.reserve_wal else None,
        )


@dataclass(frozen=True)
class ServerLimits:
    """What bounds the slots of a server; ``databases`` are those that can have logical ones, None if unknown."""

    max_replication_slots: int
    wal_level: str = "replica"
    databases: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Policy:
    """What may be done to slots that are in the way. ``ours``: the only ones that ``exclusive`` may drop; None for all."""

    exclusive: bool = False
    on_active: str = "fail"
    on_lost: str = "fail"
    ours: frozenset[str] | None = None


@dataclass(frozen=True)
class Step:
    """Drop ``slot`` (when given), then create ``wanted`` (when given)."""

    action: str
    slot: Slot | None = None
    wanted: WantedSlot | None = None

    @property
    def name(self) -> str:
        return next(item.name for item in (self.wanted, self.slot) if item)


@dataclass(frozen=True)
class SlotPlan:
    """Steps in the order to do them, and the slots before and after.

    ``spared`` are slots that ``exclusive`` would drop if they were not active, ``foreign`` those that it may not drop.
    """

    steps: tuple[Step, ...]
    before: tuple[Slot, ...]
    after: tuple[Slot, ...]
    spared: tuple[Slot, ...] = ()
    foreign: tuple[Slot, ...] = ()

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def action_of(self, name: str) -> str:
        return next((step.action for step in self.steps if step.name == name), "none")


def plan_slots(
    existing: Iterable[Slot], wanted: Sequence[WantedSlot], policy: Policy, limits: ServerLimits
) -> SlotPlan:
    """The way from the existing slots to the wanted ones.

    Temporary slots belong to their sessions and are never touched. Drops come before creations, so that a
    replaced slot does not need a free place. Raises SlotConflict for what the policy does not allow and for what
    the server would refuse.
    """
    existing = tuple(existing)
    have = {slot.name: slot for slot in existing if not slot.temporary}
    _refuse_doubles(wanted)
    _refuse_temporary(existing, wanted)
    steps = [step for want in wanted if (step := _step(have.get(want.name), want, policy))]
    unlisted = _surplus(have, wanted) if policy.exclusive else []
    surplus = [slot for slot in unlisted if policy.ours is None or slot.name in policy.ours]
    steps += [Step("dropped", slot) for slot in surplus if not slot.active or policy.on_active != "fail"]
    steps.sort(key=lambda step: step.slot is None)
    after = _after(have, steps)
    temporary = len(existing) - len(have)
    _refuse_excess(len(existing), len(after) + temporary, limits, steps)
    spared = tuple(slot for slot in surplus if slot.active and policy.on_active == "fail")
    foreign = tuple(slot for slot in unlisted if slot not in surplus)
    return SlotPlan(tuple(steps), tuple(have.values()), after, spared, foreign)


def record_of(
    plan: SlotPlan, wanted: Iterable[WantedSlot], recorded: Iterable[str], others: Iterable[str]
) -> frozenset[str]:
    """The names to keep as ours: those that are wanted, ``others``, and earlier ones whose slot is still there."""
    there = {slot.name for slot in plan.after}
    return frozenset(want.name for want in wanted if want.present) | frozenset(others) | (frozenset(recorded) & there)


def _refuse_doubles(wanted: Sequence[WantedSlot]) -> None:
    names = [want.name for want in wanted]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"Slot '{name}' is listed {names.count(name)} times.", "List each slot once.")


def _refuse_temporary(existing: Iterable[Slot], wanted: Iterable[WantedSlot]) -> None:
    named = {want.name for want in wanted if want.present}
    for slot in existing:
        if slot.temporary and slot.name in named:
            raise SlotConflict(
                f"Slot '{slot.name}' is a temporary one of process {slot.active_pid}.",
                "Wait until that session ends, or choose another name.",
                "slot_mismatch",
                slot=slot.name,
            )


def _surplus(have: Mapping[str, Slot], wanted: Sequence[WantedSlot]) -> list[Slot]:
    listed = {want.name for want in wanted}
    return [slot for slot in have.values() if slot.slot_type == PHYSICAL and slot.name not in listed]


def _step(slot: Slot | None, want: WantedSlot, policy: Policy) -> Step | None:
    if not want.present:
        if slot is None:
            return None
        _refuse_active(slot, policy)
        return Step("dropped", slot)
    if slot is None:
        return Step("created", wanted=want)
    _refuse_other_kind(slot, want)
    if slot.lost:
        if policy.on_lost == "fail":
            raise SlotConflict(
                f"Slot '{slot.name}' is lost ({_why_lost(slot)}): the WAL its consumer needs is gone.",
                "Set on_lost to 'recreate' and rebuild its standby, or drop the slot.",
                "slot_lost",
                slot=slot.name,
            )
        _refuse_active(slot, policy)
        return Step("recreated", slot, want)
    if want.slot_type == PHYSICAL and want.reserve_wal and not slot.reserves_wal and not slot.active:
        return Step("recreated", slot, want)
    return None


def _why_lost(slot: Slot) -> str:
    return slot.invalidation_reason or f"wal_status is '{slot.wal_status}'"


def _refuse_active(slot: Slot, policy: Policy) -> None:
    if slot.active and policy.on_active == "fail":
        raise SlotConflict(
            f"Slot '{slot.name}' is active, used by process {slot.active_pid}, and cannot be dropped.",
            "Stop its consumer first, or set on_active to 'wait' or 'terminate'.",
            "slot_active",
            slot=slot.name,
        )


def _refuse_other_kind(slot: Slot, want: WantedSlot) -> None:
    for field in ("slot_type", "plugin", "database", "two_phase", "failover"):
        found, asked = getattr(slot, field), getattr(want, field)
        if found is None and not asked:
            continue
        if found != asked and not (slot.slot_type == PHYSICAL and field in ("two_phase", "failover")):
            raise SlotConflict(
                f"Slot '{slot.name}' has {field} {_shown(found)}, but {_shown(asked)} was asked for.",
                "Drop it first (state: absent), or choose another name.",
                "slot_mismatch",
                slot=slot.name,
            )


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def _after(have: Mapping[str, Slot], steps: Iterable[Step]) -> tuple[Slot, ...]:
    after = dict(have)
    for step in steps:
        after.pop(step.name, None)
        if step.wanted:
            after[step.name] = step.wanted.as_slot()
    return tuple(after.values())


def _refuse_excess(found: int, needed: int, limits: ServerLimits, steps: Iterable[Step]) -> None:
    created = [step.wanted for step in steps if step.wanted]
    if created and needed > limits.max_replication_slots:
        raise SlotConflict(
            f"{needed} slots are needed, but max_replication_slots is {limits.max_replication_slots}"
            f" and {found} exist.",
            "Raise max_replication_slots (needs a restart), or drop slots that nobody uses.",
            "too_many_slots",
        )
    if limits.wal_level != LOGICAL and any(want.slot_type == LOGICAL for want in created):
        raise SlotConflict(
            f"Logical slots need wal_level 'logical', but it is '{limits.wal_level}'.",
            "Set wal_level to 'logical' (needs a restart).",
            "wal_level_too_low",
        )
    for want in created:
        if want.database and limits.databases is not None and want.database not in limits.databases:
            raise SlotConflict(
                f"Logical slot '{want.name}' is for database '{want.database}', which does not exist or lets nobody in.",
                "Give the name of one that exists, or create it first.",
                "database_missing",
                slot=want.name,
            )
