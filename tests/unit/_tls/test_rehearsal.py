"""What OpenSSL says in a handshake in memory."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.flaws import NOT_ITS_KEY
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.rehearsal import rehearse_text
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import authority, certificate, key_text

NOW = datetime.now(timezone.utc)
SERVER = Wanted("server", "node1", names=("node1",))
CLIENT = Wanted("client", "replicator", usages=("client",))
BOTH = Wanted("both", "node1", names=("node1",), usages=("server", "client"))
EXPIRED = NOW - timedelta(days=400)


@pytest.mark.parametrize(
    ("wanted", "key", "trusted", "usages", "issued", "code"),
    [
        (SERVER, "server", ("authority",), ("server",), NOW, 0),
        (SERVER, "server", ("authority", "other"), ("server",), NOW, 0),
        (CLIENT, "client", ("authority",), ("client",), NOW, 0),
        (BOTH, "both", ("authority",), ("server", "client"), NOW, 0),
        (SERVER, "server", ("other",), ("server",), NOW, 20),
        (SERVER, "server", (), ("server",), NOW, 20),
        (CLIENT, "client", ("other",), ("client",), NOW, 20),
        (SERVER, "server", ("authority",), ("server", "client"), NOW, 26),
        (CLIENT, "client", ("authority",), ("server",), NOW, 26),
        (SERVER, "client", ("authority",), ("server",), NOW, NOT_ITS_KEY),
        (SERVER, "server", ("authority",), ("server",), EXPIRED, 10),
    ],
)
def test_verdicts(
    wanted: Wanted, key: str, trusted: tuple[str, ...], usages: tuple[str, ...], issued: datetime, code: int
) -> None:
    begin = NOW - timedelta(days=1000)
    pem = certificate(wanted, now=issued)
    texts = "".join(authority(name, begin=begin) for name in trusted)
    verdict = rehearse_text(pem, key_text(key), texts, usages)
    assert verdict.code == code
    assert bool(verdict.words) == (code > 0)
