# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What is to be done about the certificates of a node. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._errors import PgFleetError
from .certificate import Certificate, leaf_of, shown
from .flaws import (
    ACCEPTED,
    DIFFERS,
    INVALID,
    KEY_MODE,
    MISSING,
    NOT_ITS_KEY,
    ROTATED,
    WRONG_NAME,
    WRONG_USAGE,
    CertificateRefused,
    Flaw,
    Verdict,
    chain_flaws,
    date_flaws,
    name_flaws,
    usage_flaws,
)
from .wanted import Wanted

KEEP, REPAIR, ISSUE = "kept", "repaired", "issued"


class OtherAuthority(PgFleetError):
    """The node trusts authorities that this control machine does not know."""

    code = "other_authority"


@dataclass(frozen=True)
class Found:
    """A certificate and its key as they lie on the node. ``verdict`` is that of somebody who trusts the issuing authority alone."""

    text: str = ""
    key: bool = False
    verdict: Verdict = ACCEPTED
    drifted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What becomes of one certificate, and why."""

    wanted: Wanted
    action: str
    flaws: tuple[Flaw, ...] = ()
    leaf: Certificate | None = None

    def as_result(self) -> dict[str, Any]:
        return {
            "name": self.wanted.name,
            "action": self.action,
            "reasons": [{"code": flaw.code, "message": flaw.message} for flaw in self.flaws],
        }


def plan_step(wanted: Wanted, found: Found, now: datetime, renew_before: float, renew: bool = False) -> Step:
    """Issue where the certificate is not what it should be, repair where only owner and mode of its files differ.

    ``renew`` issues one in any case; what was given stays what was given.
    """
    what = f"Certificate '{wanted.name}'"
    if not found.text or not found.key:
        return Step(wanted, ISSUE, (Flaw(MISSING, f"{what} is not there."),))
    try:
        leaf = leaf_of(found.text, what)
    except PgFleetError as error:
        return Step(wanted, ISSUE, (Flaw(INVALID, error.message),))
    flaws = tuple(
        _given_flaws(wanted, found, leaf, what) if wanted.given else _own_flaws(wanted, found, leaf, now, renew_before)
    )
    if renew and not wanted.given:
        flaws = (*flaws, Flaw(ROTATED, f"{what} is rotated."))
    if flaws:
        return Step(wanted, ISSUE, flaws, leaf)
    drifted = tuple(Flaw(KEY_MODE, f"{path} has another owner or mode.") for path in found.drifted)
    return Step(wanted, REPAIR if drifted else KEEP, drifted, leaf)


def _own_flaws(wanted: Wanted, found: Found, leaf: Certificate, now: datetime, renew_before: float) -> Iterator[Flaw]:
    what = f"Certificate '{wanted.name}'"
    yield from date_flaws(leaf, what, now, renew_before)
    yield from chain_flaws(leaf, what, found.verdict)
    if set(leaf.names) != set(wanted.names):
        has, wants = (", ".join(names) or "no name" for names in (leaf.names, wanted.names))
        yield Flaw(WRONG_NAME, f"{what} is for {has}, and is to be for {wants}.")
    if set(leaf.usages) != set(wanted.usages):
        yield Flaw(WRONG_USAGE, f"{what} is for {' and '.join(leaf.usages) or 'any usage'}.")
    units = [value for kind, value in leaf.subject if kind == "OU"]
    if (leaf.common_name, units) != (wanted.common_name, [wanted.unit] if wanted.unit else []):
        yield Flaw(WRONG_NAME, f"{what} is that of '{shown(leaf.subject)}'.")


def _given_flaws(wanted: Wanted, found: Found, leaf: Certificate, what: str) -> Iterator[Flaw]:
    if found.verdict.code == NOT_ITS_KEY:
        yield from chain_flaws(leaf, what, found.verdict)
    given = leaf_of(wanted.given, f"The given certificate '{wanted.name}'")
    if given.fingerprint != leaf.fingerprint:
        yield Flaw(DIFFERS, f"{what} is not the one that was given.")


def check_given(wanted: Wanted, verdict: Verdict, now: datetime) -> None:
    """Refuse a certificate that was given and cannot do what it is for."""
    what = f"The given certificate '{wanted.name}'"
    leaf = leaf_of(wanted.given, what)
    names = (*wanted.names, *([] if wanted.common_name in (leaf.common_name, *leaf.names) else [wanted.common_name]))
    flaws = [
        *date_flaws(leaf, what, now, 0),
        *name_flaws(leaf, what, names),
        *usage_flaws(leaf, what, wanted.usages),
        *chain_flaws(leaf, what, verdict),
    ]
    if flaws:
        raise CertificateRefused.of(flaws, "Nothing was changed.")


def check_authorities(here: Iterable[Certificate], known: Collection[str]) -> None:
    """A node whose authorities are all unknown would lose every peer that still has the old ones, so its change must be planned."""
    listed = list(here)
    if listed and not {each.fingerprint for each in listed} & set(known):
        names = ", ".join(f"'{shown(each.subject)}'" for each in listed)
        raise OtherAuthority(
            f"This node trusts {names}, of whom the control machine knows nothing.",
            "Bring the fleet's directory of authorities from the control machine that made it."
            " Where it is lost, remove ca.pem beside the certificates on every node: all get new ones, and connect again once all have"
            " them. Nothing was changed.",
        )
