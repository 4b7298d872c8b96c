"""The certificates of a node that end soon."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._node.certificates import (
    certificate_findings,
    describe_certificates,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.flaws import NOT_ITS_KEY
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import authority, certificate, key_text

SERVER = Wanted("server", "node1", names=("node1",))
NOW = datetime.now(timezone.utc)


def issued(days_ago: int) -> str:
    """One that is good for a hundred days."""
    at = NOW - timedelta(days=days_ago)
    return certificate(SERVER, now=at, days=100, begin=NOW - timedelta(days=1000))


def placed(folder: Path, text: str) -> Path:
    """As it lies on a node, without a key."""
    (folder / "pki/server.1").mkdir(parents=True)
    (folder / "pki/server").symlink_to("server.1")
    (folder / "pki/server.1/certificate.pem").write_text(text)
    return folder / "pki/server/certificate.pem"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (issued(1), []),
        (issued(80), ["certificate_expiring"]),
        (issued(101), ["certificate_expired"]),
        ("nothing", ["certificate_invalid"]),
    ],
    ids=["good", "in its last days", "over", "none"],
)
def test_what_ends_soon_is_a_finding(tmp_path: Path, text: str, codes: list[str]) -> None:
    path = placed(tmp_path, text)
    assert certificate_findings(str(tmp_path)) == [], "the server does not use them"
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/pgfleet.conf").write_text(f"ssl_cert_file = '{path}'\n")
    found = certificate_findings(str(tmp_path))
    assert [each["code"] for each in found] == codes
    assert all(str(path) in each["message"] and each["remedy"] for each in found)


def test_without_certificates_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert certificate_findings(str(tmp_path)) == []


def test_what_is_there_is_described_with_the_word_of_openssl(tmp_path: Path) -> None:
    text = issued(1)
    path = placed(tmp_path, text)
    (tmp_path / "pki/ca.pem").write_text(authority(begin=NOW - timedelta(days=1000)))
    assert describe_certificates(str(tmp_path))["found"]["server"]["verdict"][0] == NOT_ITS_KEY
    path.with_name("key.pem").write_text(key_text("server"))
    found = describe_certificates(str(tmp_path))
    assert (found["found"]["server"]["text"], found["found"]["server"]["verdict"]) == (text, [0, ""])
    assert found["authorities"].startswith("-----BEGIN CERTIFICATE") and key_text("server") not in str(found)
    (tmp_path / "pki/ca.pem").write_text(authority("second"))
    assert describe_certificates(str(tmp_path))["found"]["server"]["verdict"][0] > 0
