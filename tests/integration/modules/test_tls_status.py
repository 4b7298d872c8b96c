"""What tls_status says of real servers, and of files."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import parse
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import Hall

NODE = Wanted("server", "node1", names=("node1", "localhost", "127.0.0.1"))


@pytest.fixture(scope="module")
def shared(shared_servers: Any, hall: Hall) -> Any:
    made = shared_servers.primary()
    made.write_config(
        ssl="on", ssl_cert_file="server.pem", ssl_key_file="server.key", ssl_min_protocol_version="TLSv1.3"
    )
    made.pair = hall.files(NODE)
    made.certificate(*made.pair)
    return made


@pytest.fixture
def server(shared: Any, module: Any) -> Any:
    """A server with a certificate for node1, whatever the test before has given it."""
    if shared.run("cat", shared.data / "server.pem").stdout != shared.pair[0]:
        shared.certificate(*shared.pair)
        path = str(shared.data / "server.pem")
        assert not module("tls_status", host="127.0.0.1", port=shared.port, certificate_file=path, wait=10)["failed"]
    return shared


@pytest.fixture(scope="module")
def plain(shared_servers: Any) -> Any:
    """A server without TLS."""
    return shared_servers.primary()


def ask(module: Any, hall: Hall, server: Any, **more: Any) -> dict[str, Any]:
    options = {
        "host": "127.0.0.1",
        "port": server.port,
        "name": "node1",
        "ca_file": str(hall.ca_file),
        "wait": 2,
        **more,
    }
    result: dict[str, Any] = module("tls_status", **options)
    return result


def codes(result: dict[str, Any]) -> list[str]:
    return [each["code"] for each in result["findings"]]


def test_a_server_that_is_well(module: Any, hall: Hall, server: Any) -> None:
    found = ask(module, hall, server, min_version="TLSv1.3", certificate_file=str(server.data / "server.pem"))
    assert not found["failed"] and not found["changed"], found
    assert {**found["server"], "certificate": None} == {
        "tls": True, "version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "verified": True, "words": None, "certificate": None,
    }  # fmt: skip
    shown = found["server"]["certificate"]
    assert (shown["subject"], shown["issuer"], shown["names"]) == (
        "CN=node1,O=shop",
        "CN=authority CA",
        list(NODE.names),
    )
    assert codes(found) == []
    assert "SSL" not in server.log.read_text() and "startup packet" not in server.log.read_text()


def test_any_authority_where_nobody_is_to_be_trusted(module: Any, hall: Hall, server: Any) -> None:
    found = ask(module, hall, server, ca_file=None)
    assert not found["failed"] and found["server"]["verified"] is None


def test_the_address_is_a_name_too(module: Any, hall: Hall, server: Any) -> None:
    assert ask(module, hall, server, name="")["server"]["verified"] is True


def test_wrong_name(module: Any, hall: Hall, server: Any) -> None:
    found = ask(module, hall, server, name="node2", wait=0)
    assert found["failed"] and found["code"] == "certificate_wrong_name"
    assert "is not for node2; it has node1, localhost, 127.0.0.1." in found["msg"]
    assert found["server"]["certificate"]["subject"] == "CN=node1,O=shop"


def test_another_authority(module: Any, hall: Hall, server: Any) -> None:
    found = ask(module, hall, server, ca_file=str(hall.trust("other")), wait=0)
    assert found["failed"] and codes(found) == ["certificate_other_authority"]
    assert found["server"]["verified"] is False and found["server"]["certificate"]["issuer"] == "CN=authority CA"
    assert not ask(module, hall, server, ca_file=str(hall.trust("other", "authority")))["failed"], "both are trusted"


def test_a_certificate_that_ends(module: Any, hall: Hall, server: Any) -> None:
    server.certificate(*hall.files(NODE, issued=datetime.now(timezone.utc) - timedelta(days=386.5)))
    found = ask(module, hall, server, certificate_file=str(server.data / "server.pem"))
    assert not found["failed"] and codes(found) == ["certificate_expiring"]
    assert found["findings"][0]["message"].endswith("in 10 days.")


def test_an_expired_one(module: Any, hall: Hall, server: Any) -> None:
    server.certificate(*hall.files(NODE, issued=datetime.now(timezone.utc) - timedelta(days=10), days=9))
    found = ask(module, hall, server, certificate_file=str(server.data / "server.pem"), wait=1)
    assert found["failed"] and found["code"] == "certificate_expired" and codes(found) == ["certificate_expired"]


@pytest.mark.parametrize("flaw", ["key", "mode"])
def test_files_that_a_reload_does_not_take(module: Any, hall: Hall, server: Any, flaw: str) -> None:
    """The server goes on with what it has, and pg_reload_conf() says that all is well."""
    before = ask(module, hall, server)["server"]["certificate"]["fingerprint"]
    certificate, key = hall.files(NODE)
    if flaw == "key":
        server.certificate(certificate, hall.files(Wanted("other", "x", names=("x",)))[1])
    else:
        server.certificate(certificate, key, mode="644")
    path = str(server.data / "server.pem")
    files = [{"certificate": path, "key": str(server.data / "server.key"), "names": ["node1"]}]
    found = ask(module, hall, server, certificate_file=path, files=files, wait=1)
    assert found["failed"]
    assert codes(found) == ["certificate_not_loaded", {"key": "key_mismatch", "mode": "key_mode"}[flaw]]
    assert found["server"]["certificate"]["fingerprint"] == before != found["files"][0]["fingerprint"]


def test_a_renewed_one_is_shown_within_the_time(module: Any, hall: Hall, server: Any) -> None:
    before = ask(module, hall, server)["server"]["certificate"]["serial"]
    server.certificate(*hall.files(NODE))
    found = ask(module, hall, server, certificate_file=str(server.data / "server.pem"), wait=10)
    assert not found["failed"] and found["server"]["certificate"]["serial"] != before


def test_without_tls(module: Any, hall: Hall, plain: Any) -> None:
    found = ask(module, hall, plain, wait=0)
    assert found["failed"] and found["code"] == "tls_not_offered"
    assert found["server"]["words"] == "The server does not offer TLS"
    assert (found["server"]["tls"], found["server"]["certificate"], found["server"]["verified"]) == (False, None, None)


def test_nobody_there(module: Any, hall: Hall, server: Any) -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        found = ask(module, hall, server, port=port, wait=0)
        reported = ask(module, hall, server, port=port, wait=0, on_failure="report")
    assert found["failed"] and found["code"] == "unreachable" and "Connection refused" in found["msg"]
    assert not reported["failed"] and codes(reported) == ["unreachable"]


def test_somebody_who_says_nothing(module: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        found = module("tls_status", host="127.0.0.1", port=silent.getsockname()[1], connect_timeout=0.3)
    assert found["failed"] and found["code"] == "unreachable" and "timed out" in found["msg"]


def test_a_server_that_expects_the_handshake_at_once(module: Any, hall: Hall) -> None:
    """And that asks who we are, as etcd does."""
    certificate, key = hall.files(NODE)
    client, client_key = hall.files(Wanted("replication", "replicator", usages=("client",)))
    paths = {
        name: str(hall.write(f"{name}.pem", text))
        for name, text in {"c": certificate, "k": key, "client": client, "key": client_key}.items()
    }
    options = {"host": "127.0.0.1", "name": "node1", "protocol": "tls", "ca_file": str(hall.ca_file)}
    own = {"client_certificate": paths["client"], "client_key": paths["key"]}
    with answering(paths["c"], paths["k"], str(hall.ca_file)) as (port, clients):
        found = module("tls_status", port=port, **options, **own)
        assert not found["failed"] and found["server"]["verified"], found
        assert module("tls_status", port=port, **options)["server"]["tls"], "it shows its own before it asks for ours"
    assert clients == ["replicator", ""]


def test_no_server_of_ours(module: Any, plain: Any) -> None:
    found = module("tls_status", host="127.0.0.1", port=plain.port, protocol="tls", connect_timeout=2)
    assert found["failed"] and found["code"] in ("tls_failed", "unreachable"), found


@contextmanager
def answering(certificate: str, key: str, ca_file: str) -> Iterator[tuple[int, list[str]]]:
    """A server that wants a certificate in the handshake; the list gets the common name of each client."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca_file)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    clients: list[str] = []

    def answer() -> None:
        for _client in range(2):
            line, _address = listener.accept()
            with suppress(ssl.SSLError, OSError), context.wrap_socket(line, server_side=True) as session:
                der = session.getpeercert(binary_form=True)
                clients.append(parse(der).common_name if der else "")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1], clients
        thread.join(10)


def test_files(module: Any, hall: Hall, shared_servers: Any) -> None:
    servers = shared_servers
    where = servers.data("files")
    servers.run("mkdir", where)

    def put(name: str, text: str, mode: str = "600") -> str:
        servers.run("sh", "-c", f"cat >{where}/{name} && chmod {mode} {where}/{name}", input=text)
        return f"{where}/{name}"

    certificate, key = hall.files(NODE)
    client, client_key = hall.files(Wanted("replication", "replicator", "node1", usages=("client",)))
    foreign, foreign_key = hall.files(NODE, by="other")
    right = {"certificate": put("c.pem", certificate), "key": put("k.pem", key), "names": ["node1"]}
    wishes: list[tuple[dict[str, Any], list[str]]] = [
        (right, []),
        ({**right, "names": ["node1", "node9"]}, ["certificate_wrong_name"]),
        ({**right, "key": put("open.pem", key, "644")}, ["key_mode"]),
        ({**right, "usages": ["client"]}, ["certificate_wrong_usage"]),
        ({**right, "key": put("other.pem", client_key)}, ["key_mismatch"]),
        ({"certificate": put("f.pem", foreign), "key": put("fk.pem", foreign_key)}, ["certificate_other_authority"]),
        ({"certificate": put("client.pem", client), "key": put("ck.pem", client_key), "usages": ["client"]}, []),
        ({**right, "certificate": f"{where}/none.pem"}, ["certificate_missing"]),
        ({**right, "certificate": put("no.pem", "nothing\n")}, ["certificate_invalid"]),
    ]
    for wish, wanted in wishes:
        found = module("tls_status", ca_file=str(hall.ca_file), files=[wish], on_failure="report")
        assert list(dict.fromkeys(codes(found))) == wanted, (wish, found)
        assert found["server"] is None


def test_authorities_that_are_not_there(module: Any, server: Any) -> None:
    found = module("tls_status", host="127.0.0.1", port=server.port, ca_file="/no/such/ca.pem")
    assert (
        found["failed"]
        and found["code"] == "certificate_missing"
        and "'/no/such/ca.pem' cannot be used" in found["msg"]
    )


def test_the_server_s_own_client_agrees(module: Any, hall: Hall, server: Any, shared_servers: Any) -> None:
    """psql with verify-full accepts what the module accepts."""
    server.hba("hostssl all all 127.0.0.1/32 trust")
    said = server.run(
        Path(shared_servers.bin_dir()) / "psql", "-XAtq", "-c", "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        f"host=node1 hostaddr=127.0.0.1 port={server.port} user=postgres dbname=postgres sslmode=verify-full sslrootcert={hall.ca_file}",
    ).stdout  # fmt: skip
    assert said == "TLSv1.3\n"
