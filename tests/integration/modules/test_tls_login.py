"""Logins, clones and standbys over verified TLS, with a certificate of the role beside the password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import Hall
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

SERVER = Wanted("server", "node1", names=("node1",))
FOLLOWER = "SELECT application_name, state, ssl, client_dn FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)"


CERTIFIED = [
    f"hostssl {database} {role} 127.0.0.1/32 scram-sha-256 clientcert=verify-full"
    for database, role in (("replication", "replicator"), ("postgres", "rewinder"))
]


def encrypted(server: Any, hall: Hall) -> Any:
    """It lets standbys and rewinds in by password and certificate only."""
    server.write_config(
        ssl="on", ssl_cert_file="server.pem", ssl_key_file="server.key", ssl_ca_file=str(hall.ca_file),
        ssl_min_protocol_version="TLSv1.3",
    )  # fmt: skip
    server.certificate(*hall.files(SERVER))
    server.hba(*CERTIFIED)
    until(lambda: server.psql("SHOW ssl") == "on", "the server has taken its certificate")
    return server


@pytest.fixture(scope="module")
def primary(shared_servers: Any, hall: Hall) -> Any:
    return encrypted(shared_servers.primary(), hall)


def shown(servers: Any, hall: Hall, wanted: Wanted) -> dict[str, str]:
    """Options for the certificate of a role, in files of the user of the servers."""
    paths = {}
    for option, text in zip(("ssl_cert", "ssl_key"), hall.files(wanted)):
        path = servers.folder / f"{wanted.name}.{option}"
        servers.run("sh", "-c", f"umask 077; cat > '{path}'", input=text)
        paths[option] = str(path)
    return paths


def login(servers: Any, hall: Hall, server: Any) -> dict[str, Any]:
    """Nobody looks up node1; that the server proves to be it is what verify-full asks for."""
    return {
        **server.replicator,
        "login_host": "node1",
        "login_hostaddr": "127.0.0.1",
        "ssl_mode": "verify-full",
        "ca_cert": str(hall.ca_file),
        "channel_binding": "require",
        **shown(servers, hall, Wanted("replication", "replicator", usages=("client",))),
    }


@pytest.fixture
def options(shared_servers: Any, hall: Hall, primary: Any) -> dict[str, Any]:
    return login(shared_servers, hall, primary)


def clone(servers: Any, name: str) -> dict[str, str]:
    return {
        "data_directory": str(servers.data(name)),
        "passfile": str(servers.folder / f"{name}.pass"),
        "application_name": name,
    }


def test_a_clone_and_its_standby_prove_who_they_are(
    shared_servers: Any, module: Any, primary: Any, options: Any
) -> None:
    wanted = {**clone(shared_servers, "b"), **options}
    made = module("basebackup", **wanted)
    assert (made["action"], made["failed"]) == ("cloned", False), made
    assert "secret" not in str(made["diff"]) and "sslkey" in str(made["diff"])
    again = module("basebackup", **wanted)
    assert (again["action"], again["changed"]) == ("kept", False), again
    standby = shared_servers.server(Path(wanted["data_directory"])).start()
    until(lambda: primary.psql(FOLLOWER) == "b|streaming|t|/O=shop/CN=replicator", "the standby streams over TLS", 10)
    standby.stop()


def test_a_standby_moves_to_tls_by_a_reload(shared_servers: Any, module: Any, primary: Any, options: Any) -> None:
    plain = clone(shared_servers, "c")
    rules = primary.run("cat", primary.data / "pg_hba.conf").stdout.splitlines()[2:]
    primary.hba("host replication replicator 127.0.0.1/32 scram-sha-256")
    assert not module("basebackup", **plain, **primary.replicator, ssl_mode="disable")["failed"]
    standby = shared_servers.server(Path(plain["data_directory"])).start()
    until(lambda: primary.psql(FOLLOWER) == "c|streaming|f|", "the standby streams without TLS", 10)
    moved = module("basebackup", **plain, **options)
    assert (moved["action"], moved["recovery_changed"]) == ("kept", True), moved
    standby.ctl("reload")
    until(lambda: primary.psql(FOLLOWER) == "c|streaming|t|/O=shop/CN=replicator", "it streams over TLS", 10)
    primary.hba(*rules)
    assert module("basebackup", **plain, **options)["changed"] is False
    standby.stop()


def test_who_proves_nothing_is_told_what_is_missing(shared_servers: Any, hall: Hall, module: Any, options: Any) -> None:
    wanted = {**clone(shared_servers, "d"), **options}

    def refusal(**different: Any) -> tuple[str, str]:
        found = module("basebackup", check=True, **{**wanted, **different})
        assert found["failed"], found
        return found["code"], found["msg"]

    assert refusal(ssl_cert=None, ssl_key=None)[0] == "client_certificate"
    somebody = shown(shared_servers, hall, Wanted("somebody", "somebody", usages=("client",)))
    code, words = refusal(**somebody)
    assert code == "wrong_password" and "common name of the one in ssl_cert" in words, words
    assert refusal(login_host="node2")[0] == "tls_failed"
    assert refusal(ca_cert=str(hall.trust("stranger")))[0] == "tls_failed"
    assert not Path(wanted["data_directory"]).exists()


def test_a_password_that_could_be_passed_on_is_not_given(shared_servers: Any, module: Any) -> None:
    plain = shared_servers.primary()
    login = {**plain.replicator, "channel_binding": "require", "ssl_mode": "prefer"}
    found = module("basebackup", check=True, **clone(shared_servers, "e"), **login)
    assert found["failed"] and found["code"] == "tls_failed", found


def test_a_rewind_shows_the_certificates_of_both_its_roles(servers: Any, hall: Hall, module: Any) -> None:
    old = encrypted(servers.primary(wal_keep_size="64MB"), hall)
    new = encrypted(servers.standby(old, wal_keep_size="64MB"), hall)
    until(lambda: old.psql("SELECT state FROM pg_stat_replication") == "streaming")
    new.psql("SELECT pg_promote()")
    old.psql("CREATE TABLE mine AS SELECT 1 AS n")
    old.stop()
    new.psql("CREATE ROLE rewinder SUPERUSER LOGIN PASSWORD 'hush'")
    new.psql("CHECKPOINT")
    wanted = {
        **login(servers, hall, new), "data_directory": str(old.data), "passfile": str(servers.folder / "old.pass"),
        "rewind_user": "rewinder", "rewind_password": "hush",
    }  # fmt: skip
    servers.run("sh", "-c", f"umask 077; echo 'node1:{new.port}:*:replicator:secret' > '{wanted['passfile']}'")
    ways = [{"name": "new", "address": "node1", "hostaddr": "127.0.0.1", "port": new.port}]
    tls = {name: wanted[name] for name in ("passfile", "ssl_mode", "ca_cert", "ssl_cert", "ssl_key", "channel_binding")}
    assert module("replication_ways", targets=ways, **tls)["failed"] is False
    refused = module("rewind", check=True, **wanted)
    assert refused["failed"] and refused["code"] == "wrong_password", refused
    own = shown(servers, hall, Wanted("rewind", "rewinder", usages=("client",)))
    certified = {**wanted, "rewind_ssl_cert": own["ssl_cert"], "rewind_ssl_key": own["ssl_key"]}
    done = module("rewind", **certified)
    assert (done["action"], done["reason"]) == ("rewound", "diverged"), done
    old.write_config()  # pg_rewind has brought the other server's own file
    old.start()
    until(
        lambda: (
            new.psql("SELECT ssl, client_dn FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)")
            == "t|/O=shop/CN=replicator"
        )
    )
