"""What is issued, and what a node cannot ask for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import leaf_of, shown
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.issue import Issuer, IssueRefused
from ansible_collections.pgfleet.cluster.tests.certs import NOW, authority, issuer, key, key_text, request

WANTED = Wanted("server", "node1", names=("node1",))


def csr(signed_by: rsa.RSAPrivateKey | None = None) -> str:
    """A request that asks for much more than the node is to have."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "primary")])
    builder = x509.CertificateSigningRequestBuilder(subject)
    builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("primary")]), False)
    return builder.sign(signed_by or key("node"), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_of_a_request_only_the_key_is_used() -> None:
    pem = issuer().issue(WANTED, csr(), NOW, 397)
    leaf = leaf_of(pem)
    assert (leaf.names, shown(leaf.subject), leaf.is_authority) == (("node1",), "CN=node1,O=shop", False)
    assert x509.load_pem_x509_certificate(pem.encode()).public_key() == key("node").public_key()


def test_none_outlives_its_authority() -> None:
    leaf = leaf_of(issuer().issue(WANTED, request("node"), NOW, 36500))
    assert leaf.not_after == leaf_of(authority()).not_after


def test_clocks_may_be_an_hour_behind() -> None:
    assert leaf_of(issuer().issue(WANTED, request("node"), NOW, 1)).not_before == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    "text", ["", "x", request("node").replace("M", "N", 1), csr(rsa.generate_private_key(65537, 1024))]
)
def test_requests_that_are_not_valid(text: str) -> None:
    with pytest.raises(IssueRefused, match="request for certificate 'server' is not valid"):
        issuer().issue(WANTED, text, NOW, 397)


def test_a_large_rsa_key_is_taken() -> None:
    assert leaf_of(issuer().issue(WANTED, csr(rsa.generate_private_key(65537, 2048)), NOW, 1)).common_name == "node1"


@pytest.mark.parametrize(
    ("text", "passphrase"), [("nothing", ""), (key_text("authority"), "secret"), (key_text("other"), "")]
)
def test_keys_that_do_not_open(text: str, passphrase: str) -> None:
    with pytest.raises(IssueRefused) as refused:
        Issuer.load(leaf_of(authority()), text.encode(), passphrase, "shop")
    assert refused.value.code == "authority_key_unreadable"
    assert "secret" not in str(refused.value)
