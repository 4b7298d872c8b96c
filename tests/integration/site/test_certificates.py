"""A fleet whose nodes prove to each other who they are: built so, moved over under load, operated, renewed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import Hall, key_text
from ansible_collections.pgfleet.cluster.tests.integration.fleet import as_postgres
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

FOLLOWER = (
    "SELECT application_name, state, version, client_dn FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)"
    " ORDER BY application_name"
)
CERTIFIED = "hostssl replication replicator 127.0.0.1/32 scram-sha-256 clientcert=verify-full"


def place(fleet: Any, node: str) -> Path:
    return Path(fleet.psql(node, "SHOW config_file")).parent


def rules(fleet: Any, node: str) -> str:
    return (place(fleet, node) / "pg_hba.conf").read_text()


@pytest.fixture(scope="module")
def pair(bare_fleet: Any) -> Any:
    """A primary and a standby without certificates, as fleets were before they had some."""
    bare_fleet.hosts({"primary": {}}, {"node1": {}})
    bare_fleet.site(pki_mode="snakeoil")
    return bare_fleet


def test_a_fleet_moves_over_while_it_serves(pair: Any) -> None:
    began = {node: pair.psql(node, "SELECT pg_postmaster_start_time()") for node in ("primary", "node1")}
    assert CERTIFIED not in rules(pair, "primary")
    foreseen = pair.play("site.yml", "--check")
    assert foreseen.returncode == 0 and foreseen.changed > 0, foreseen.output
    assert pair.site().changed > 0
    until(lambda: "TLSv1.3" in pair.psql("primary", FOLLOWER), "the standby streams over TLS", 10)
    assert "OU=node1" in pair.psql("primary", FOLLOWER) and "CN=replicator" in pair.psql("primary", FOLLOWER)
    for node in began:
        assert pair.psql(node, "SELECT pg_postmaster_start_time()") == began[node], "nobody was restarted"
        assert CERTIFIED in rules(pair, node)
    assert pair.site().changed == 0


def test_who_has_only_the_password_is_not_let_in(pair: Any) -> None:
    port = pair.psql("primary", "SHOW port")
    passfile = place(pair, "primary") / "replication.pgpass"
    dsn = f"host=127.0.0.1 port={port} user=replicator passfile={passfile} dbname=replication replication=true"
    for more, words in (("sslmode=disable", "no pg_hba.conf entry"), ("sslmode=require", "valid client certificate")):
        done = subprocess.run(
            [*as_postgres(), "psql", "-XAtc", "IDENTIFY_SYSTEM", f"{dsn} {more}"], check=False, capture_output=True, text=True
        )  # fmt: skip
        assert done.returncode and words in done.stderr, done.stderr


def test_a_switchover_there_and_a_failover_back(pair: Any) -> None:
    assert pair.play("playbooks/switchover.yml", to="node1").returncode == 0
    until(
        lambda: "OU=primary" in pair.psql("node1", FOLLOWER), "the former primary follows with its own certificate", 10
    )
    pair.stop("node1")
    run = pair.play("playbooks/failover.yml", to="primary")
    assert run.returncode == 0, run.output
    run = pair.play("playbooks/rejoin.yml", node="node1")
    assert run.returncode == 0, run.output
    until(lambda: "OU=node1" in pair.psql("primary", FOLLOWER), "it follows again", 10)
    assert pair.site().changed == 0


def test_a_new_certificate_reaches_the_server_and_no_standby_reconnects(pair: Any) -> None:
    receiver = pair.psql("node1", "SELECT pid FROM pg_stat_wal_receiver")
    link = place(pair, "node1") / "pki/server"
    before = (link / "certificate.pem").read_text()
    link.unlink()
    assert pair.site().changed > 0
    assert (link / "certificate.pem").read_text() != before
    assert pair.psql("node1", "SELECT pid FROM pg_stat_wal_receiver") == receiver
    assert pair.site().changed == 0


def shown_by(fleet: Any, node: str) -> str:
    """The certificate that the server really shows."""
    at = f"127.0.0.1:{fleet.psql(node, 'SHOW port')}"
    command = ["openssl", "s_client", "-connect", at, "-starttls", "postgres"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, input="").stdout
    return said[said.index("-----BEGIN") : said.index("-----END")]


def replaced(fleet: Any, node: str, name: str) -> tuple[Path, list[str]]:
    """Put a certificate of another authority with its key into place, and return where, and what was there."""
    link = place(fleet, node) / f"pki/{name}"
    files = [link / "certificate.pem", link / "key.pem"]
    before = [path.read_text() for path in files]
    texts = Hall(fleet.folder).files(Wanted(name, "replicator", node, names=("127.0.0.1",)), by="stranger")
    for path, text in zip(files, texts):
        path.write_text(text)
    return link, before


def another_is_shown(fleet: Any, node: str) -> None:
    """The files are right again, and the server has loaded others."""
    link, before = replaced(fleet, node, "server")
    fleet.psql(node, "SELECT pg_reload_conf()")
    until(lambda: shown_by(fleet, node) not in before[0], "the server shows it", 10)
    for path, text in zip((link / "certificate.pem", link / "key.pem"), before):
        path.write_text(text)
        os.utime(path, (0, 0))
    assert "certificate_not_loaded" in [each["code"] for each in fleet.status()["findings"]]


Fault = Callable[[Any, str], Any]
#: On the primary and on the standby: each node judges for itself whether there is anything to do.
FAULTS: dict[str, tuple[Fault, Fault]] = {
    "a key is gone, and another one is public": (
        lambda fleet, node: (place(fleet, node) / "pki/server/key.pem").unlink(),
        lambda fleet, node: (place(fleet, node) / "pki/replication/key.pem").chmod(0o644),
    ),
    "one of another authority, and no authority": (
        lambda fleet, node: replaced(fleet, node, "rewind"),
        lambda fleet, node: (place(fleet, node) / "pki/ca.pem").unlink(),
    ),
    "another is shown, and one whose key is another one's": (
        another_is_shown,
        lambda fleet, node: (place(fleet, node) / "pki/server/key.pem").write_text(key_text("stranger")),
    ),
}


@pytest.mark.turns(2)
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_what_hands_do_to_certificates_is_found(pair: Any, faults: tuple[Fault, Fault]) -> None:
    for node, fault in zip(("primary", "node1"), faults):
        fault(pair, node)
    recap = pair.site().recap
    assert all(recap[node]["changed"] for node in ("primary", "node1")), recap
    for node in ("primary", "node1"):
        pki = place(pair, node) / "pki"
        assert shown_by(pair, node) in (pki / "server/certificate.pem").read_text()
        for name in ("server", "replication", "rewind"):
            assert (pki / name / "key.pem").stat().st_mode & 0o777 == 0o600
            check = ["openssl", "verify", "-CAfile", str(pki / "ca.pem"), str(pki / name / "certificate.pem")]
            assert subprocess.run(check, check=False, capture_output=True).returncode == 0, (node, name)
    run = pair.site()
    assert run.changed == 0 and "All is well" in run.output


def test_a_run_that_was_killed_before_the_reload_is_finished_by_the_next(pair: Any) -> None:
    link = place(pair, "node1") / "pki/server"
    before = shown_by(pair, "node1")
    link.unlink()
    pair.kill_at("Confirm that the node does its part")
    new = (link / "certificate.pem").read_text()
    assert shown_by(pair, "node1") == before and before not in new, "it is there, and the server does not show it yet"
    assert "reload_pending" in [each["code"] for each in pair.status()["findings"]]
    pair.site()
    assert shown_by(pair, "node1") in new
    assert pair.site().changed == 0


def test_a_rotation_and_a_new_authority_end_no_session(pair: Any) -> None:
    receiver = pair.psql("node1", "SELECT pid FROM pg_stat_wal_receiver")

    def shown() -> list[str]:
        return [
            (place(pair, node) / f"pki/{name}").read_text()
            for node in ("primary", "node1")
            for name in ("server/certificate.pem", "replication/certificate.pem", "rewind/certificate.pem", "ca.pem")
        ]

    before = shown()
    foreseen = pair.play("playbooks/rotate_certificates.yml", "--check", ca="yes")
    assert foreseen.returncode == 0 and shown() == before, foreseen.output
    for given in ({}, {"ca": "yes"}):
        run = pair.play("playbooks/rotate_certificates.yml", **given)
        assert run.returncode == 0 and "All is well" in run.output, run.output
        after = shown()
        same = [old == new for old, new in zip(before, after)]
        assert same == ([False] * 3 + [not given]) * 2, same
        before = after
    assert pair.psql("node1", "SELECT pid FROM pg_stat_wal_receiver") == receiver
    pair.psql("node1", f"SELECT pg_terminate_backend({receiver})")
    until(lambda: "OU=node1" in pair.psql("primary", FOLLOWER), "the standby logs in with its new certificate", 10)
    assert pair.site().changed == 0


def test_back_to_the_machines_own_certificates(pair: Any) -> None:
    assert pair.site(pki_mode="snakeoil").changed > 0
    until(lambda: "node1|streaming" in pair.psql("primary", FOLLOWER), "the standby streams", 10)
    assert CERTIFIED not in rules(pair, "primary")
    assert pair.site(pki_mode="snakeoil").changed == 0


def test_a_new_fleet_has_them_from_the_start(pair: Any) -> None:
    pair.destroy()
    pair.site()
    assert "OU=node1" in pair.psql("primary", FOLLOWER)
    assert CERTIFIED in rules(pair, "node1")
    assert pair.site().changed == 0
