"""The certificates of a node that end soon."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._node.certificates import certificate_findings
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import certificate

SERVER = Wanted("server", "node1", names=("node1",))
NOW = datetime.now(timezone.utc)


def issued(days_ago: int) -> str:
    """One that is good for a hundred days."""
    at = NOW - timedelta(days=days_ago)
    return certificate(SERVER, now=at, days=100, begin=NOW - timedelta(days=1000))


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
    path = tmp_path / "pki/server/certificate.pem"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = certificate_findings(str(tmp_path))
    assert [each["code"] for each in found] == codes
    assert all(str(path) in each["message"] and each["remedy"] for each in found)


def test_without_certificates_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert certificate_findings(str(tmp_path)) == []
