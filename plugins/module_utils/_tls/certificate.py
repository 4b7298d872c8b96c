# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a certificate says. No I/O. Source: RFC 5280."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .._errors import PgFleetError
from .der import DerError, Element, element_at, elements, object_identifier, text, time

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s*(.+?)\s*-----END CERTIFICATE-----", re.DOTALL)
_ATTRIBUTES = {"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
_NAMES, _BASIC, _USAGES = "2.5.29.17", "2.5.29.19", "2.5.29.37"
_SUBJECT_KEY, _AUTHORITY_KEY = "2.5.29.14", "2.5.29.35"
_ESCAPED = re.compile(r'([,+"\\<>;])')
USAGES = {"1.3.6.1.5.5.7.3.1": "server", "1.3.6.1.5.5.7.3.2": "client"}
_TIME = "%Y-%m-%dT%H:%M:%SZ"
Names = tuple[tuple[str, str], ...]


class CertificateInvalid(PgFleetError):
    """What should be a certificate is none."""

    code = "certificate_invalid"


@dataclass(frozen=True)
class Certificate:
    """One certificate. ``names`` are DNS names and addresses, as it has them."""

    serial: str
    issuer: Names
    subject: Names
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    usages: tuple[str, ...]
    is_authority: bool
    key_id: str
    authority_key_id: str
    fingerprint: str
    pem: str

    @property
    def common_name(self) -> str:
        return next((value for kind, value in self.subject if kind == "CN"), "")

    def seconds_left(self, now: datetime) -> float:
        return (self.not_after - now).total_seconds()

    def ends_within(self, days: float, now: datetime) -> bool:
        """One with a short life is near its end in the last third of it only, or it would be so from its first day."""
        return self.not_after - now < min(timedelta(days=days), (self.not_after - self.not_before) / 3)

    def covers(self, name: str) -> bool:
        """Whether a client that asked for this name, or address, is content."""
        return any(_matches(pattern, normal_name(name)) for pattern in self.names)

    def as_result(self, now: datetime) -> dict[str, Any]:
        return {
            "subject": shown(self.subject),
            "issuer": shown(self.issuer),
            "serial": self.serial,
            "names": list(self.names),
            "usages": list(self.usages),
            "not_before": self.not_before.strftime(_TIME),
            "not_after": self.not_after.strftime(_TIME),
            "days_left": round(self.seconds_left(now) / 86400, 2),
            "fingerprint": self.fingerprint,
        }


def shown(names: Names) -> str:
    """The last one first, as in RFC 4514."""
    return ",".join(kind + "=" + _ESCAPED.sub(r"\\\1", value) for kind, value in reversed(names))


def normal_name(name: str) -> str:
    """A DNS name or an address as it is compared."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower().rstrip(".")


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("*.") and not is_address(name):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def certificates_of(pem: str, where: str = "The text") -> tuple[Certificate, ...]:
    """All certificates of a PEM text, in its order; whatever else is in it, such as keys, is passed over."""
    try:
        return tuple(parse(base64.b64decode("".join(found.split()), validate=True)) for found in _PEM.findall(pem))
    except (DerError, binascii.Error) as error:
        raise CertificateInvalid(f"{where} has something in it that is no certificate: {error}.") from None


def leaf_of(pem: str, where: str = "The text") -> Certificate:
    """The first certificate, which is that of the server or client."""
    found = certificates_of(pem, where)
    if not found:
        raise CertificateInvalid(f"{where} has no certificate in it.", "Give one in the PEM format.")
    return found[0]


def parse(der: bytes) -> Certificate:
    try:
        return _certificate(der, element_at(der).children[0])
    except (IndexError, StopIteration) as error:
        raise DerError("the data ends too early") from error


def _certificate(der: bytes, body: Element) -> Certificate:
    parts = list(body.children)
    if parts[0].tag == 0xA0:  # the version, which the oldest certificates do not have
        parts.pop(0)
    serial, _algorithm, issuer, validity, subject, _key = parts[:6]
    extensions = _extensions(parts[6:])
    key = extensions.get(_SUBJECT_KEY)
    authority = extensions.get(_AUTHORITY_KEY)
    authority_key = authority.context(0) if authority else None
    not_before, not_after = map(time, validity.children[:2])
    return Certificate(
        serial=f"{int.from_bytes(serial.content, 'big'):x}",
        issuer=_names(issuer),
        subject=_names(subject),
        not_before=not_before,
        not_after=not_after,
        names=_alternative_names(extensions.get(_NAMES)),
        usages=_usages(extensions.get(_USAGES)),
        is_authority=_is_authority(extensions.get(_BASIC)),
        key_id=key.content.hex() if key else "",
        authority_key_id=authority_key.content.hex() if authority_key else "",
        fingerprint=hashlib.sha256(der).hexdigest(),
        pem=as_pem(der),
    )


def as_pem(der: bytes) -> str:
    encoded = base64.b64encode(der).decode()
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


def _extensions(parts: Iterable[Element]) -> dict[str, Element]:
    """The value of each extension, by its identifier."""
    listed = next((part.children[0].children for part in parts if part.tag == 0xA3), ())
    return {object_identifier(each.children[0].content): element_at(each.children[-1].content) for each in listed}


def _names(name: Element) -> Names:
    pairs = [pair.children for group in name.children for pair in group.children]
    kinds = [object_identifier(kind.content) for kind, _value in pairs]
    return tuple((_ATTRIBUTES.get(kind, kind), text(value)) for kind, (_kind, value) in zip(kinds, pairs))


def _alternative_names(extension: Element | None) -> tuple[str, ...]:
    found = []
    for each in elements(extension.content) if extension else ():
        if each.tag == 0x82:
            found.append(normal_name(each.content.decode("ascii", errors="replace")))
        elif each.tag == 0x87 and len(each.content) in (4, 16):
            found.append(str(ipaddress.ip_address(each.content)))
    return tuple(found)


def _usages(extension: Element | None) -> tuple[str, ...]:
    identifiers = [object_identifier(each.content) for each in extension.children] if extension else []
    return tuple(USAGES.get(each, each) for each in identifiers)


def _is_authority(extension: Element | None) -> bool:
    return bool(extension and extension.children and extension.children[0].content == b"\xff")
