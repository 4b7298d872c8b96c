"""Certificates for tests, made by the library that the control side uses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import leaf_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.issue import Issuer

NOW = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
BEGIN = NOW - timedelta(days=1000)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_text(name: str) -> str:
    return (
        key(name)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def request(name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anything")])
    built = x509.CertificateSigningRequestBuilder(subject).sign(key(name), hashes.SHA256())
    return built.public_bytes(serialization.Encoding.PEM).decode()


@cache
def authority(name: str = "authority", days: int = 3650, begin: datetime = BEGIN) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} CA")])
    builder = x509.CertificateBuilder(
        subject, subject, key(name).public_key(), x509.random_serial_number(), begin, begin + timedelta(days=days)
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key(name).public_key())
    builder = builder.add_extension(x509.BasicConstraints(True, 0), True).add_extension(identifier, False)
    return builder.sign(key(name), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def issuer(name: str = "authority", begin: datetime = BEGIN) -> Issuer:
    return Issuer.load(leaf_of(authority(name, begin=begin)), key_text(name).encode(), "", "shop")


def certificate(
    wanted: Wanted, by: str = "authority", now: datetime = NOW, days: float = 397, begin: datetime = BEGIN
) -> str:
    return issuer(by, begin).issue(wanted, request(wanted.name), now, days)


class Hall:
    """Certificates of a fleet for real servers: those of ``authority`` are trusted, unless another one is named."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begin = datetime.now(timezone.utc) - timedelta(days=1000)

    @property
    def ca_file(self) -> Path:
        return self.trust("authority")

    def trust(self, *names: str) -> Path:
        return self.write(f"ca-{'-'.join(names)}.pem", "".join(authority(name, begin=self.begin) for name in names))

    def files(
        self, wanted: Wanted, by: str = "authority", issued: datetime | None = None, days: float = 397
    ) -> tuple[str, str]:
        """Texts of a certificate and its key."""
        return certificate(wanted, by, issued or datetime.now(timezone.utc), days, self.begin), key_text(wanted.name)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return path
