# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Issue certificates by the fleet's authority.

In this process: a call of a module for each certificate costs half a second, signing one half a millisecond. Of a request only the key is
used, and the proof that it is there: what a certificate says is decided here, never by the node that asks.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import NameOID
except ImportError:  # ansible-core needs it, but ansible-test imports plugins without it
    pass

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import USAGES, Certificate, is_address
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted

#: For clocks of nodes that are behind.
BACKDATED = timedelta(hours=1)
_IDENTIFIERS = {usage: identifier for identifier, usage in USAGES.items()}
_LEAST_RSA_BITS = 2048


class IssueRefused(PgFleetError):
    """A certificate cannot be issued."""

    code = "request_invalid"


@dataclass(frozen=True)
class Issuer:
    """The authority with its key."""

    certificate: x509.Certificate
    dates: Certificate
    key: Any
    fleet: str

    @classmethod
    def load(cls, certificate: Certificate, key: bytes, passphrase: str, fleet: str) -> Issuer:
        authority = x509.load_pem_x509_certificate(certificate.pem.encode())
        try:
            loaded = serialization.load_pem_private_key(key, passphrase.encode() or None)
        except (TypeError, ValueError):
            raise IssueRefused(
                "The key of the fleet's authority cannot be read.",
                "Give its passphrase (pki_authority_passphrase), or none where it has none.",
                "authority_key_unreadable",
            ) from None
        if loaded.public_key() != authority.public_key():
            raise IssueRefused(
                "The key of the fleet's authority is not that of its certificate.",
                "Restore both.",
                "authority_key_unreadable",
            )
        return cls(authority, certificate, loaded, fleet)

    def issue(self, wanted: Wanted, request: str, now: datetime, days: float) -> str:
        """The certificate as a PEM text. It never outlives its authority."""
        key = _key_of(request, wanted.name)
        end = min(now + timedelta(days=days), self.dates.not_after)
        builder = x509.CertificateBuilder(
            issuer_name=self.certificate.subject,
            subject_name=self._subject(wanted),
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=max(now - BACKDATED, self.dates.not_before),
            not_valid_after=end,
        )
        for extension, critical in (*_extensions(wanted, key), (self._authority_key(), False)):
            builder = builder.add_extension(extension, critical)
        digest = None if isinstance(self.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return builder.sign(self.key, digest).public_bytes(serialization.Encoding.PEM).decode()

    def _subject(self, wanted: Wanted) -> x509.Name:
        parts = [(NameOID.ORGANIZATION_NAME, self.fleet[:64]), (NameOID.COMMON_NAME, wanted.common_name)]
        if wanted.unit:
            parts.insert(1, (NameOID.ORGANIZATIONAL_UNIT_NAME, wanted.unit))
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])

    def _authority_key(self) -> x509.AuthorityKeyIdentifier:
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def _key_of(request: str, name: str) -> Any:
    """The public key of a request that is proven to come from the holder of its key."""
    try:
        parsed = x509.load_pem_x509_csr(request.encode())
        key, proven = parsed.public_key(), parsed.is_signature_valid
    except ValueError:
        proven, key = False, None
    strong = isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS
    )
    if not proven or not strong:
        raise IssueRefused(f"The node's request for certificate '{name}' is not valid.", "Run again.")
    return key


def _extensions(wanted: Wanted, key: Any) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(encipherment=isinstance(key, rsa.RSAPublicKey)), True),
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier(_IDENTIFIERS[usage]) for usage in wanted.usages]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
    ]
    if wanted.names:
        found.append((x509.SubjectAlternativeName([_general_name(name) for name in wanted.names]), False))
    return found


def _key_usage(encipherment: bool) -> x509.KeyUsage:
    nothing = (
        "content_commitment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(digital_signature=True, key_encipherment=encipherment, **dict.fromkeys(nothing, False))


def _general_name(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name)
