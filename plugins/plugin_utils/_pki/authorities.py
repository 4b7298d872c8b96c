# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The authorities that a fleet has, and what a change of them comes to. No I/O.

A new authority comes in three steps, so that nobody meets a certificate that he does not trust: it is trusted beside the old one, then it
issues, then the old one is no longer trusted. Between two steps every node must have what the one before made.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import Certificate

PRESENT, INTRODUCED, ACTIVATED, RETIRED = STATES = ("present", "introduced", "activated", "retired")
#: Before its end; each run warns from then on.
LAST_DAYS = 397
MAKE, INTRODUCE, ACTIVATE, RETIRE = "make", "introduce", "activate", "retire"


class AuthorityRefused(PgFleetError):
    """The authorities of a fleet cannot be brought to the wanted state."""

    code = "authority_incomplete"


@dataclass(frozen=True)
class Authorities:
    """``retired`` ones are trusted by nobody; nodes that were away may still have them."""

    current: Certificate | None = None
    next: Certificate | None = None
    previous: Certificate | None = None
    retired: tuple[Certificate, ...] = ()

    @property
    def trusted(self) -> str:
        return "".join(each.pem for each in (self.current, self.next, self.previous) if each)

    @property
    def known(self) -> list[str]:
        found = (self.current, self.next, self.previous, *self.retired)
        return [each.fingerprint for each in found if each]

    @property
    def stage(self) -> str:
        """How far a change is that is not finished; empty where there is none."""
        return INTRODUCED if self.next else ACTIVATED if self.previous else ""


def plan(have: Authorities, state: str) -> tuple[str, ...]:
    """The moves to a state, after those of a run that was killed."""
    if have.current is None and have.next and have.previous:
        return (ACTIVATE, *((RETIRE,) if state == RETIRED else ()))
    if have.current is None and (have.next or have.previous or have.retired):
        raise AuthorityRefused(
            "The authority that issues certificates is gone, while others of the fleet are there.",
            "Restore the directory 'current' from a copy.",
        )
    if have.current is None and state != PRESENT:
        raise AuthorityRefused("The fleet has no authority that could be replaced.", "Run site first.", "no_authority")
    if have.current is None:
        return (MAKE,)
    return {PRESENT: _nothing, INTRODUCED: _introduce, ACTIVATED: _activate, RETIRED: _retire}[state](have)


def _nothing(_have: Authorities) -> tuple[str, ...]:
    return ()


def _introduce(have: Authorities) -> tuple[str, ...]:
    if have.previous:
        raise AuthorityRefused(
            "The authority before this one is still trusted: the last change is not finished.",
            "Finish it (state retired) before the next one begins.",
            "authority_change_unfinished",
        )
    return () if have.next else (INTRODUCE,)


def _activate(have: Authorities) -> tuple[str, ...]:
    if have.next:
        return (ACTIVATE,)
    if not have.previous:
        raise AuthorityRefused("There is no new authority.", "Introduce one first.", "authority_not_introduced")
    return ()


def _retire(have: Authorities) -> tuple[str, ...]:
    if have.next:
        raise AuthorityRefused(
            "The new authority does not issue certificates yet.", "Activate it first.", "authority_change_unfinished"
        )
    return (RETIRE,) if have.previous else ()
