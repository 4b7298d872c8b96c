"""What a certificate says, compared with what the library says that made it."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography import x509

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import (
    CertificateInvalid,
    certificates_of,
    leaf_of,
    shown,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import NOW, authority, certificate, key_text

SERVER = Wanted("server", "node1", names=("node1", "*.shop.example", "192.0.2.1", "2001:db8::1"))
CLIENT = Wanted("replication", "replicator", "node1", usages=("client",))


def test_all_fields() -> None:
    pem = certificate(SERVER)
    leaf, library = leaf_of(pem), x509.load_pem_x509_certificate(pem.encode())
    assert leaf.as_result(NOW) == {
        "subject": "CN=node1,O=shop",
        "issuer": "CN=authority CA",
        "serial": f"{library.serial_number:x}",
        "names": ["node1", "*.shop.example", "192.0.2.1", "2001:db8::1"],
        "usages": ["server"],
        "not_before": "2026-12-01T11:00:00Z",
        "not_after": "2028-01-02T12:00:00Z",
        "days_left": 397.0,
        "fingerprint": leaf.fingerprint,
    }
    assert not leaf.is_authority and leaf_of(authority()).is_authority
    assert leaf.authority_key_id == leaf_of(authority()).key_id != ""
    assert leaf.pem == pem


def test_a_client() -> None:
    leaf = leaf_of(certificate(CLIENT))
    assert (shown(leaf.subject), leaf.common_name, leaf.names, leaf.usages) == (
        "CN=replicator,OU=node1,O=shop", "replicator", (), ("client",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("node1", True), ("NODE1", True), ("node1.", True), ("node2", False), ("a.shop.example", True), ("a.b.shop.example", False),
        ("shop.example", False), ("192.0.2.1", True), ("192.0.2.2", False), ("2001:DB8:0::1", True), ("", False),
    ],
)  # fmt: skip
def test_names(name: str, covered: bool) -> None:
    assert leaf_of(certificate(SERVER)).covers(name) is covered


def test_several_in_one_text_and_keys_between_them() -> None:
    text = certificate(SERVER) + key_text("server") + authority()
    assert [each.common_name for each in certificates_of(text)] == ["node1", "authority CA"]
    assert leaf_of(text).common_name == "node1"


def test_names_with_letters_that_mean_something() -> None:
    assert shown((("O", 'a "b", c+d'), ("CN", "x"))) == r"CN=x,O=a \"b\"\, c\+d"


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"],
)  # fmt: skip
def test_no_certificate(text: str) -> None:
    with pytest.raises(CertificateInvalid) as refused:
        leaf_of(text, "'/etc/server.pem'")
    assert "'/etc/server.pem' has" in str(refused.value) and refused.value.code == "certificate_invalid"


@pytest.mark.parametrize("cut", [1, 40, 200, 400])
def test_one_that_is_cut_off(cut: int) -> None:
    body = "".join(certificate(SERVER).splitlines()[1:-1])
    short = base64.b64encode(base64.b64decode(body)[:-cut]).decode()
    with pytest.raises(CertificateInvalid):
        leaf_of(f"-----BEGIN CERTIFICATE-----\n{short}\n-----END CERTIFICATE-----")


@pytest.mark.parametrize(
    ("days", "later", "ends"),
    [(397, 336, False), (397, 338, True), (61, 2, False), (61, 42, True), (3, 0, False), (3, 2.5, True)],
)
def test_its_end(days: float, later: float, ends: bool) -> None:
    """Sixty days before, or in the last third of a short life."""
    assert leaf_of(certificate(SERVER, days=days)).ends_within(60, NOW + timedelta(days=later)) is ends
