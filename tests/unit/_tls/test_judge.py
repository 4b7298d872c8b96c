"""What is wrong with what a server shows, and with files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import leaf_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.flaws import NOT_ITS_KEY, Verdict
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.judge import (
    FileCheck,
    KeyFile,
    failing,
    file_flaws,
    key_flaws,
    shown_flaws,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.peer import Peer, Shown
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import NOW, certificate

WANTED = Wanted("server", "node1", names=("node1", "192.0.2.1"))
PEER = Peer("192.0.2.1", 5432, "node1", ca_file="/ca.pem")
LEAF = leaf_of(certificate(WANTED))
OTHER = leaf_of(certificate(WANTED))
FINE = Shown(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", leaf=LEAF, checked=True)
DAY = timedelta(days=1)

SHOWN: dict[str, tuple[Peer, Shown, timedelta, list[str]]] = {
    "well": (PEER, FINE, DAY, []),
    "by its address": (replace(PEER, name=""), FINE, DAY, []),
    "another name": (replace(PEER, name="node2"), FINE, DAY, ["certificate_wrong_name"]),
    "a name that only OpenSSL refuses": (PEER, replace(FINE, verdict=Verdict(62, "mismatch")), DAY, ["certificate_wrong_name"]),
    "another authority": (PEER, replace(FINE, verdict=Verdict(20, "issuer")), DAY, ["certificate_other_authority"]),
    "signed by itself": (PEER, replace(FINE, verdict=Verdict(18, "self")), DAY, ["certificate_other_authority"]),
    "expired": (PEER, replace(FINE, verdict=Verdict(10, "expired")), 400 * DAY, ["certificate_expired"]),
    "29 days left": (PEER, FINE, 368 * DAY, ["certificate_expiring"]),
    "a client's": (PEER, replace(FINE, leaf=leaf_of(certificate(replace(WANTED, usages=("client",))))), DAY, ["certificate_wrong_usage"]),
    "without TLS": (PEER, Shown("tls_not_offered", "no"), DAY, ["tls_not_offered"]),
    "nobody there": (PEER, Shown("unreachable", "Connection refused"), DAY, ["unreachable"]),
    "no certificate": (PEER, Shown(version="TLSv1.3"), DAY, ["tls_failed"]),
    "an old version": (PEER, replace(FINE, version="TLSv1.2"), DAY, ["tls_version_too_old"]),
    "another certificate": (PEER, replace(FINE, leaf=OTHER), DAY, ["certificate_not_loaded"]),
    "two things at once": (replace(PEER, name="x"), FINE, 400 * DAY, ["certificate_expired", "certificate_wrong_name"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SHOWN)
def test_what_a_server_shows(case: str) -> None:
    peer, shown, later, codes = SHOWN[case]
    expected = LEAF if case == "another certificate" else None
    flaws = tuple(shown_flaws(peer, shown, NOW + later, 30, expected, "TLSv1.3"))
    assert [flaw.code for flaw in flaws] == codes
    assert all(flaw.message.endswith(".") and flaw.remedy for flaw in flaws)
    assert bool(failing(flaws)) == (codes not in ([], ["certificate_expiring"]))


@pytest.mark.parametrize(
    ("owner", "mode", "codes"),
    [
        ("postgres", 0o600, []), ("postgres", 0o400, []), ("postgres", 0o640, ["key_mode"]), ("postgres", 0o644, ["key_mode"]),
        ("root", 0o640, []), ("root", 0o600, []), ("root", 0o644, ["key_mode"]), ("root", 0o660, ["key_mode"]),
        ("etcd", 0o600, ["key_mode"]), ("etcd", 0o644, ["key_mode", "key_mode"]),
    ],
)  # fmt: skip
def test_whose_a_key_may_be(owner: str, mode: int, codes: list[str]) -> None:
    key = KeyFile("/key.pem", owner, owner == "root", mode)
    assert [flaw.code for flaw in key_flaws(key, "postgres")] == codes


@pytest.mark.parametrize(
    ("check", "verdict", "later", "codes"),
    [
        ({}, Verdict(), DAY, []),
        ({"names": ("node1", "node2")}, Verdict(), DAY, ["certificate_wrong_name"]),
        ({"usages": ("server", "client")}, Verdict(), DAY, ["certificate_wrong_usage"]),
        ({}, Verdict(NOT_ITS_KEY), DAY, ["key_mismatch"]),
        ({}, Verdict(20, "issuer"), DAY, ["certificate_other_authority"]),
        ({}, Verdict(10, "expired"), 398 * DAY, ["certificate_expired"]),
    ],
)
def test_files(check: dict[str, Any], verdict: Verdict, later: timedelta, codes: list[str]) -> None:
    wanted = replace(FileCheck("/certificate.pem", "/key.pem", owner="postgres"), **check)
    key = KeyFile("/key.pem", "postgres", False, 0o600)
    assert [flaw.code for flaw in file_flaws(wanted, LEAF, key, verdict, NOW + later, 30)] == codes
