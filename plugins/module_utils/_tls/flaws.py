# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What is wrong with a certificate: stable codes, sentences and remedies. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._errors import PgFleetError
from .certificate import Certificate, shown

EXPIRED, EXPIRING, NOT_YET = "certificate_expired", "certificate_expiring", "certificate_not_yet_valid"
WRONG_NAME, WRONG_USAGE = "certificate_wrong_name", "certificate_wrong_usage"
OTHER_AUTHORITY, UNTRUSTED = "certificate_other_authority", "certificate_untrusted"
MISSING, INVALID = "certificate_missing", "certificate_invalid"
KEY_MISMATCH, KEY_MODE = "key_mismatch", "key_mode"
ROTATED = "certificate_rotated"
NOT_LOADED, DIFFERS = "certificate_not_loaded", "certificate_differs"
UNREACHABLE, NO_TLS, TLS_FAILED, TLS_OLD = "unreachable", "tls_not_offered", "tls_failed", "tls_version_too_old"

#: Every code of this file and what to do about it. docs/reason-codes.md explains each.
REMEDIES = {
    EXPIRED: "Renew it (site.yml, where the collection has issued it), and reload the server.",
    EXPIRING: "Renew it before it ends (site.yml, where the collection has issued it), and reload the server.",
    NOT_YET: "Set the clocks right: of this machine, and of the one that issued the certificate.",
    WRONG_NAME: "Issue one that has every name and address by which the server is reached.",
    WRONG_USAGE: "Issue one that is for this purpose.",
    OTHER_AUTHORITY: "Trust that authority, or issue a certificate by the one that is trusted.",
    UNTRUSTED: "The words of the check say why.",
    MISSING: "Issue it (role pki), or correct the path.",
    INVALID: "Replace it by a certificate in the PEM format.",
    KEY_MISMATCH: "Put the key beside the certificate that it was made for; the server goes on with the ones it has loaded.",
    KEY_MODE: "Only its user may read a key (0600), or, where root owns it, its group, too (0640).",
    ROTATED: "Nothing has to be done; it was asked for.",
    DIFFERS: "Install the one that was given.",
    UNREACHABLE: "Start the server; check address, port and what lies between.",
    NO_TLS: "Set ssl to on, with a certificate and its key, and reload the server.",
    TLS_FAILED: "The words of the handshake say why.",
    TLS_OLD: "Raise ssl_min_protocol_version and reload the server.",
    NOT_LOADED: "Reload the server. When it still shows the old one, its log says why it did not take the files.",
}
#: Beside OpenSSL's own numbers: a key that is another certificate's, and a refusal without a number.
NOT_ITS_KEY, REFUSED = -2, -1
#: What OpenSSL's check of a chain ends with, where another flaw does not tell it already (x509_vfy.h).
_DATES = {9, 10}
_NAMES = {62, 64}
_CHAINS = {2, 18, 19, 20, 21}
_PURPOSES = {26}


@dataclass(frozen=True)
class Verdict:
    """OpenSSL's word on a chain of certificates; ``code`` is 0 where it is accepted."""

    code: int = 0
    words: str = ""


ACCEPTED = Verdict()


@dataclass(frozen=True)
class Flaw:
    """One thing that is not well."""

    code: str
    message: str

    @property
    def remedy(self) -> str:
        return REMEDIES[self.code]

    def as_result(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class CertificateRefused(PgFleetError):
    """Certificates that cannot be used."""

    code = INVALID

    @classmethod
    def of(cls, flaws: Iterable[Flaw], end: str = "", **facts: Any) -> CertificateRefused:
        listed = list(flaws)
        remedies = " ".join(dict.fromkeys(flaw.remedy for flaw in listed))
        return cls(" ".join(flaw.message for flaw in listed), f"{remedies} {end}".strip(), listed[0].code, **facts)


def date_flaws(leaf: Certificate, what: str, now: datetime, days: float) -> Iterator[Flaw]:
    if leaf.not_after <= now:
        yield Flaw(EXPIRED, f"{what} has been expired since {leaf.not_after:%Y-%m-%d %H:%M} UTC.")
    elif leaf.not_before > now:
        yield Flaw(
            NOT_YET, f"{what} is valid from {leaf.not_before:%Y-%m-%d %H:%M} UTC; it is {now:%Y-%m-%d %H:%M} here."
        )
    elif leaf.ends_within(days, now):
        left = int(leaf.seconds_left(now) // 86400)
        yield Flaw(EXPIRING, f"{what} ends on {leaf.not_after:%Y-%m-%d}, in {left} days.")


def name_flaws(leaf: Certificate, what: str, names: Iterable[str], verdict: Verdict = ACCEPTED) -> Iterator[Flaw]:
    """OpenSSL compares names, too, and has the last word."""
    missing = [name for name in names if not leaf.covers(name) or verdict.code in _NAMES]
    if missing:
        has = ", ".join(leaf.names) or "no name at all"
        yield Flaw(WRONG_NAME, f"{what} is not for {', '.join(missing)}; it has {has}.")


def usage_flaws(leaf: Certificate, what: str, usages: Collection[str]) -> Iterator[Flaw]:
    """One without any usage is good for all (RFC 5280, 4.2.1.12)."""
    missing = [usage for usage in usages if leaf.usages and usage not in leaf.usages]
    if missing:
        yield Flaw(WRONG_USAGE, f"{what} is for {' and '.join(leaf.usages)}, not for {' and '.join(missing)}.")


def chain_flaws(leaf: Certificate, what: str, verdict: Verdict) -> Iterator[Flaw]:
    """What OpenSSL says of the chain. Dates and names are told by the others, in words of their own."""
    code, words = verdict.code, verdict.words
    if code == NOT_ITS_KEY:
        yield Flaw(KEY_MISMATCH, f"{what} does not belong to its key.")
    elif code in _CHAINS:
        whose = f"{what} was issued by '{shown(leaf.issuer)}', which is not among the trusted authorities"
        yield Flaw(OTHER_AUTHORITY, f"{whose} ({words}).")
    elif code in _PURPOSES:
        yield Flaw(WRONG_USAGE, f"{what} is not for this purpose ({words}).")
    elif code and code not in _DATES | _NAMES:
        yield Flaw(UNTRUSTED, f"{what} was not accepted: {words}.")
