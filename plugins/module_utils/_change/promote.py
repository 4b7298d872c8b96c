# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a server may be promoted now. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import PgFleetError
from .._lsn import lsn_distance, parse_lsn
from .handover import Handover


class PromotionRefused(PgFleetError):
    """The server must not, or cannot, become a primary now."""

    code = "promotion_refused"


@dataclass(frozen=True)
class Candidate:
    """What a server says about itself; positions are None on a primary."""

    address: str
    recovering: bool
    system_identifier: str
    timeline: int
    replay: str | None = None
    receive: str | None = None
    paused: bool = False


@dataclass(frozen=True)
class Conditions:
    """What must be so. ``after_lsn``: the start of a WAL record that must have been replayed."""

    after_lsn: str | None = None
    timeline: int | None = None
    system_identifier: str | None = None

    def __post_init__(self) -> None:
        if self.after_lsn is not None:
            parse_lsn(self.after_lsn)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Conditions:
        return cls(params["after_lsn"], params["timeline"], params["system_identifier"])


def may_promote(found: Candidate, conditions: Conditions) -> bool:
    """Whether to promote (True) or to wait for replay (False); raises PromotionRefused for what waiting cannot heal."""
    _refuse_identity(found, conditions)
    if found.paused and not _is_replayed(found, conditions):
        raise PromotionRefused(
            f"Replay is paused on {found.address} before {conditions.after_lsn}.",
            "Run SELECT pg_wal_replay_resume().",
            "replay_paused",
        )
    return _is_replayed(found, conditions)


def _refuse_identity(found: Candidate, conditions: Conditions) -> None:
    wanted = conditions.system_identifier
    if wanted and found.system_identifier != wanted:
        raise PromotionRefused(
            f"{found.address} is of the system {found.system_identifier}, not of {wanted}.",
            "Give the right address.",
            "wrong_system_identifier",
        )
    if conditions.timeline and found.timeline != conditions.timeline:
        raise PromotionRefused(
            f"{found.address} is on timeline {found.timeline}, not on {conditions.timeline}.",
            "Find out which timeline is the cluster's, and promote a node that is on it.",
            "wrong_timeline",
        )


def _is_replayed(found: Candidate, conditions: Conditions) -> bool:
    """A position is the end of what was replayed, so it must be past the start of the record."""
    if conditions.after_lsn is None:
        return True
    return found.replay is not None and parse_lsn(found.replay) > parse_lsn(conditions.after_lsn)


def not_replayed(found: Candidate, conditions: Conditions, waited: float) -> PromotionRefused:
    """The refusal when the record did not come in time."""
    missing = lsn_distance(conditions.after_lsn, found.replay)
    received = lsn_distance(conditions.after_lsn, found.receive)
    return PromotionRefused(
        f"{found.address} has replayed up to {found.replay}, not past {conditions.after_lsn}, after {waited:.1f} s"
        f" ({missing} bytes to replay, {received} bytes to receive).",
        "Start the old primary again so that it can catch up, or promote another standby. Nothing was promoted.",
        "not_replayed",
    )


@dataclass(frozen=True)
class Peer:
    """Another node of the fleet, as it was found over a replication session."""

    name: str
    system_identifier: str
    timeline: int
    standby: bool


def refuse_leaders(found: Candidate, peers: Iterable[Peer]) -> None:
    """Raises PromotionRefused when another node leads, or has left the timeline that this one is on."""
    for peer in peers:
        if peer.system_identifier != found.system_identifier:
            continue
        if not peer.standby or peer.timeline > found.timeline:
            what = f"follows timeline {peer.timeline}" if peer.standby else f"is a primary on timeline {peer.timeline}"
            raise PromotionRefused(
                f"{peer.name} {what}; {found.address}, which is to be promoted, is on {found.timeline}.",
                "Another node was promoted meanwhile: look at the fleet (status.yml), then run again. Nothing was promoted.",
                "peer_promoted",
            )


def handover_ended(found: Candidate, begun: bool) -> PromotionRefused:
    """The refusal when the old primary does not tell where its WAL ends."""
    what = "ended without a word" if begun else "never came"
    return PromotionRefused(
        f"The session in which the old primary was to tell {found.address} where its WAL ends {what}.",
        "Look at what the old primary said, then run again. Nothing was promoted.",
        "handover_ended",
    )


def is_told(found: Candidate, handover: Handover, begun: bool, late: bool) -> bool:
    """Whether the old primary has told where its WAL ends; raises PromotionRefused once it will not.

    ``begun``: its session was seen; ``late``: it should have been by now.
    """
    if handover.lsn or not found.recovering:
        return True
    if not handover.alive and (begun or late):
        raise handover_ended(found, begun)
    return False


def is_ready(found: Candidate, handover: Handover | None, conditions: Conditions) -> bool:
    """Whether there is nothing more to wait for. ``handover``: what the old primary's session says, where one is awaited."""
    if found.recovering and handover is not None and not handover.alive:
        raise handover_ended(found, True)
    return not found.recovering or may_promote(found, conditions)
