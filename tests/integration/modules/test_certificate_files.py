"""Certificates of a node: asked for, put into force, kept, and refused."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import certificates_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted
from ansible_collections.pgfleet.cluster.tests.certs import Hall, authority, issuer
from ansible_collections.pgfleet.cluster.tests.integration.modules.conftest import OWNER

SERVER = {"name": "server", "common_name": "node1", "names": ["node1", "127.0.0.1"]}
CLIENT = {"name": "replication", "common_name": "replicator", "unit": "node1", "usages": ["client"]}


@pytest.fixture
def folder(servers: Any) -> Path:
    path: Path = servers.data("pki")
    return path


def wish(hall: Hall, folder: Path, *certificates: dict[str, Any], by: str = "authority", **more: Any) -> dict[str, Any]:
    signer = authority(by, begin=hall.begin)
    places = {"directory": str(folder), "owner": OWNER, "trusted": signer, "signer": signer}
    return {**places, "certificates": list(certificates or (SERVER, CLIENT)), **more}


def sign(
    hall: Hall, look: dict[str, Any], *certificates: dict[str, Any], by: str = "authority", **when: Any
) -> list[dict[str, str]]:
    """What the control side does between the two calls."""
    wanted = {each["name"]: Wanted.from_params(each) for each in certificates or (SERVER, CLIENT)}
    now, days = when.get("now", datetime.now(timezone.utc)), when.get("days", 397)
    return [
        {
            "name": each["name"],
            "certificate": issuer(by, hall.begin).issue(wanted[each["name"]], each["request"], now, days),
        }
        for each in look["requests"]
    ]


def issue(module: Any, hall: Hall, folder: Path, *certificates: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Both calls."""
    by = more.pop("by", "authority")
    when = {name: more.pop(name) for name in ("now", "days") if name in more}
    options = wish(hall, folder, *certificates, by=by, **more)
    look = module("certificate_files", **options)
    assert not look["failed"], look
    done: dict[str, Any] = module("certificate_files", **options, issued=sign(hall, look, *certificates, by=by, **when))
    return done


def actions(result: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What became of each certificate, and the codes of why."""
    return {
        each["name"]: (each["action"], ",".join(reason["code"] for reason in each["reasons"]))
        for each in result["actions"]
    }


def test_check_apply_again(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    options = wish(hall, folder)
    check = module("certificate_files", check=True, **options)
    missing = ("issued", "certificate_missing")
    assert check["changed"] and actions(check) == {"server": missing, "replication": missing}
    assert [each["request"] for each in check["requests"]] == ["", ""] and not folder.exists()
    look = module("certificate_files", **options)
    assert [each["name"] for each in look["requests"]] == ["server", "replication"]
    done = module("certificate_files", **options, issued=sign(hall, look))
    assert done["changed"] and done["requests"] == []
    paths = done["certificates"]["server"]
    assert (paths["certificate"], paths["key"]) == (f"{folder}/server/certificate.pem", f"{folder}/server/key.pem")
    assert 396.9 < paths["days_left"] <= 397
    assert "PRIVATE" not in str(look) + str(done)
    assert servers.run("sh", "-c", f"cd {folder}; stat -L -c '%a %n' ca.pem server/* replication/*").stdout.splitlines() == [
        "644 ca.pem", "644 server/certificate.pem", "600 server/key.pem", "644 replication/certificate.pem", "600 replication/key.pem",
    ]  # fmt: skip
    again = module("certificate_files", **options)
    assert not again["changed"] and again["requests"] == [] and again["diff"] == []
    assert again["certificates"]["server"]["fingerprint"] == paths["fingerprint"]


def test_one_that_ends_is_issued_again_with_a_new_key(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    now = datetime.now(timezone.utc)
    assert not issue(module, hall, folder, SERVER, now=now - timedelta(days=340))["failed"]
    key = servers.run("cat", folder / "server/key.pem").stdout
    look = module("certificate_files", check=True, **wish(hall, folder, SERVER))
    assert actions(look) == {"server": ("issued", "certificate_expiring")}
    assert not module("certificate_files", **wish(hall, folder, SERVER, renew_before=30))["changed"]
    assert issue(module, hall, folder, SERVER)["changed"]
    assert servers.run("cat", folder / "server/key.pem").stdout != key
    issue(module, hall, folder, {**SERVER, "names": ["node1"]})
    kept = [line for line in servers.run("ls", folder).stdout.splitlines() if line.startswith("server.")]
    assert len(kept) == 2, "the one in force and the one before"


def test_a_run_that_was_killed_after_the_request(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    first = module("certificate_files", **wish(hall, folder, SERVER))
    assert servers.run("stat", "-c", "%a", folder / "server.next").stdout == "700\n"
    late = module("certificate_files", **wish(hall, folder, SERVER))
    assert first["requests"] != late["requests"]
    refused = module("certificate_files", **wish(hall, folder, SERVER), issued=sign(hall, first, SERVER))
    assert refused["failed"] and refused["code"] == "key_mismatch" and "The one in force stays." in refused["msg"]
    assert not issue(module, hall, folder, SERVER)["failed"]
    assert "server.next" not in servers.run("ls", folder).stdout


def test_what_is_issued_by_somebody_else_is_refused(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    issue(module, hall, folder, SERVER)
    before = servers.run("readlink", folder / "server").stdout
    wider = {**SERVER, "names": ["node1", "db"]}
    look = module("certificate_files", **wish(hall, folder, wider))
    assert actions(look) == {"server": ("issued", "certificate_wrong_name")}
    refused = module("certificate_files", **wish(hall, folder, wider), issued=sign(hall, look, wider, by="other"))
    assert refused["failed"] and refused["code"] == "certificate_other_authority"
    assert servers.run("readlink", folder / "server").stdout == before


def test_owner_mode_and_the_file_for_haproxy(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    issue(module, hall, folder, SERVER)
    servers.run("chmod", "644", folder / "server/key.pem")
    assert actions(module("certificate_files", **wish(hall, folder, SERVER))) == {"server": ("repaired", "key_mode")}
    assert servers.run("stat", "-L", "-c", "%a", folder / "server/key.pem").stdout == "600\n"
    both = wish(hall, folder, {**SERVER, "combined": True})
    added = module("certificate_files", **both)
    assert added["changed"] and added["certificates"]["server"]["combined"] == f"{folder}/server/combined.pem"
    assert not module("certificate_files", **both)["changed"]
    text = servers.run("cat", folder / "server/combined.pem").stdout
    assert "BEGIN CERTIFICATE" in text and "PRIVATE KEY" in text
    assert servers.run("stat", "-L", "-c", "%a", folder / "server/combined.pem").stdout == "600\n"


def test_what_somebody_has_spoilt(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    issue(module, hall, folder, SERVER)
    servers.run("sh", "-c", f"sed -i 3d {folder}/server/certificate.pem; chmod 600 {folder}/ca.pem")
    done = issue(module, hall, folder, SERVER)
    assert not done["failed"] and actions(done) == {"server": ("issued", "certificate_invalid")}
    assert servers.run("stat", "-c", "%a", folder / "ca.pem").stdout == "644\n"
    assert not module("certificate_files", **wish(hall, folder, SERVER))["changed"]


def test_authorities_come_and_go_in_three_steps(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    old, new = (authority(name, begin=hall.begin) for name in ("authority", "new"))
    known = [each.fingerprint for each in certificates_of(old + new)]
    issue(module, hall, folder)
    trusted = module("certificate_files", **wish(hall, folder, trusted=old + new, known=known))
    assert trusted["changed"] and set(actions(trusted).values()) == {("kept", "")}
    done = issue(module, hall, folder, by="new", trusted=new + old, known=known)
    assert not done["failed"] and set(actions(done).values()) == {("issued", "certificate_other_authority")}
    last = module("certificate_files", **wish(hall, folder, by="new", known=known))
    assert last["changed"] and set(actions(last).values()) == {("kept", "")}
    assert servers.run("cat", folder / "ca.pem").stdout == new
    for check in (True, False):
        refused = module("certificate_files", check=check, **wish(hall, folder, by="other", known=["none yet"]))
        assert refused["failed"] and refused["code"] == "other_authority" and "'CN=new CA'" in refused["msg"]
    assert servers.run("cat", folder / "ca.pem").stdout == new


def test_certificates_that_are_given(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    certificate, key = hall.files(Wanted("server", "node1", names=("node1", "127.0.0.1", "db")))
    options = wish(hall, folder, {**SERVER, "certificate": certificate}, signer="")
    assert module("certificate_files", **options)["requests"] == [{"name": "server", "request": ""}]
    issued = [{"name": "server", "certificate": certificate, "key": key}]
    wrong = [{**issued[0], "key": hall.files(Wanted("another", "x", names=("x",)))[1]}]
    refused = module("certificate_files", **options, issued=wrong)
    assert refused["failed"] and refused["code"] == "key_mismatch" and not (folder / "server").exists()
    done = module("certificate_files", **options, issued=issued)
    assert not done["failed"] and done["changed"] and "PRIVATE" not in str(done)
    assert not module("certificate_files", **options)["changed"]
    other = wish(
        hall,
        folder,
        {**SERVER, "certificate": certificate, "names": ["node1", "node9"]},
        signer="",
        directory=f"{folder}2",
    )
    for check in (True, False):
        refused = module("certificate_files", check=check, **other)
        assert refused["failed"] and refused["code"] == "certificate_wrong_name" and not Path(f"{folder}2").exists()


def test_postgresql_reads_them(module: Any, servers: Any, hall: Hall, folder: Path) -> None:
    """Server and client over the links, and a renewal by nothing but a reload."""
    other = {**CLIENT, "name": "other", "common_name": "somebody"}
    certificates = (SERVER, CLIENT, other)
    assert not issue(module, hall, folder, *certificates)["failed"]
    server = servers.primary()
    server.write_config(
        ssl="on", ssl_ca_file=folder / "ca.pem", ssl_cert_file=folder / "server/certificate.pem", ssl_key_file=folder / "server/key.pem",
        ssl_min_protocol_version="TLSv1.3",
    )  # fmt: skip
    server.hba("hostssl all replicator 127.0.0.1/32 scram-sha-256 clientcert=verify-full")
    shown = {"host": "127.0.0.1", "port": server.port, "name": "node1", "ca_file": str(folder / "ca.pem"), "wait": 10}
    shown["certificate_file"] = str(folder / "server/certificate.pem")
    before = module("tls_status", **shown)
    assert not before["failed"], before

    def login(client: str) -> str:
        words = {
            "host": "node1", "hostaddr": "127.0.0.1", "port": server.port, "user": "replicator", "dbname": "postgres", "password": "secret",
            "sslmode": "verify-full", "sslrootcert": folder / "ca.pem", "sslcert": folder / client / "certificate.pem",
            "sslkey": folder / client / "key.pem", "channel_binding": "require", "passfile": "/nowhere",
        }  # fmt: skip
        statement = "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        conninfo = " ".join(f"{name}='{value}'" for name, value in words.items())
        command = servers.as_owner(servers.bin_dir() / "psql", "-XAtq", "-c", statement, conninfo)
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", timeout=60)
        return (done.stdout + done.stderr).strip()

    assert login("replication") == "/O=shop/OU=node1/CN=replicator"
    assert "password authentication failed" in login("other"), "the server's words for somebody else's certificate"
    wider = ({**SERVER, "names": ["node1", "127.0.0.1", "db"]}, {**CLIENT, "unit": "node9"}, other)
    assert issue(module, hall, folder, *wider)["changed"]
    server.ctl("reload")
    after = module("tls_status", **shown)
    assert not after["failed"] and after["server"]["certificate"]["names"] == ["node1", "127.0.0.1", "db"]
    assert login("replication") == "/O=shop/OU=node9/CN=replicator"
