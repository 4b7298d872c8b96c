"""fleet_role and replication_passfile on a real server: roles of any name, any password, changes that are taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._role.scram import matches

ODD = 'Odd-Role "x"'
FLAGS = (
    "SELECT rolcanlogin, rolreplication, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolconnlimit, nullif(rolvaliduntil, 'infinity'),"
    " (SELECT count(*) FROM pg_db_role_setting WHERE setrole = r.oid) FROM pg_authid AS r WHERE rolname = "
)


@pytest.fixture(scope="module")
def server(shared_servers: Any) -> Any:
    made = shared_servers.primary()
    made.hba("host replication all 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256")
    return made


@pytest.fixture
def role(server: Any, module: Any) -> Any:
    def call(name: str, /, check: bool = False, **options: Any) -> dict[str, Any]:
        proof = {} if options.get("purpose") == "rewind" else {"prove_host": "127.0.0.1"}
        result: dict[str, Any] = module("fleet_role", check=check, name=name, **{**server.login, **proof, **options})
        return result

    return call


def test_a_role_comes_whole_and_is_brought_back(server: Any, role: Any) -> None:
    assert role(ODD, check=True, password="a:b\\c 'ü\"")["changed"]
    assert role(ODD, password="a:b\\c 'ü\"")["changes"] == ["created"]
    assert not role(ODD, password="a:b\\c 'ü\"")["changed"]
    name = "'" + ODD + "'"
    good = "t|t|f|f|f|f|-1||0"
    assert server.psql(FLAGS + name) == good
    quoted = '"' + ODD.replace('"', '""') + '"'
    server.psql(f"ALTER ROLE {quoted} NOLOGIN SUPERUSER CONNECTION LIMIT 0 VALID UNTIL '2020-01-01'")
    server.psql(f"ALTER ROLE {quoted} SET default_transaction_read_only = on")
    server.psql(f"ALTER ROLE {quoted} IN DATABASE postgres SET role = postgres")
    server.psql(f"CREATE ROLE boss; GRANT boss TO {quoted}")
    check = role(ODD, check=True, password="a:b\\c 'ü\"")
    done = role(ODD, password="a:b\\c 'ü\"")
    assert done["changes"] == check["changes"] and done["diff"] == check["diff"]
    assert done["changes"] == [
        "login", "nosuperuser", "connection limit -1", "valid until 'infinity'",
        "setting default_transaction_read_only=on", "setting role=postgres in postgres",
    ]  # fmt: skip
    assert "is a member of boss" in str(done["warnings"])
    assert server.psql(FLAGS + name) == good
    assert not role(ODD, password="a:b\\c 'ü\"")["changed"]


def test_what_the_server_keeps_is_what_it_would_have_made(server: Any) -> None:
    """Our verifiers are PostgreSQL's: SASLprep, and its fall-back to the bytes as they are."""
    for password in ("plain", "ünï­code", "Ⅸ", "bell\a"):
        server.psql("CREATE ROLE kept PASSWORD :'word'", word=password)
        assert matches(server.psql("SELECT rolpassword FROM pg_authid WHERE rolname = 'kept'"), password)
        server.psql("DROP ROLE kept")


def test_md5_and_another_password(server: Any, role: Any) -> None:
    server.psql("SET password_encryption = 'md5'; CREATE ROLE old LOGIN REPLICATION PASSWORD 'hush'")
    kept = role("old", password="hush", rotate=False)
    assert not kept["changed"] and kept["password_differs"]
    assert role("old", password="hush")["changes"] == ["password"]
    assert not role("old", password="hush")["password_differs"]


def test_roles_that_are_not_touched(server: Any, role: Any) -> None:
    assert role("postgres", password="x")["code"] == "role_foreign"
    server.psql("CREATE ROLE owner LOGIN; CREATE TABLE owned (); ALTER TABLE owned OWNER TO owner")
    for state in ("present", "absent"):
        run = role("owner", purpose="rewind", state=state, password="x")
        assert run["code"] == "role_foreign" and "owns 1 objects" in run["msg"]
    assert server.psql("SELECT count(*) FROM owned") == "0"


def test_the_role_of_a_rewind_comes_and_goes(server: Any, role: Any) -> None:
    name = "pgfleet-Rewind'\""
    assert role(name, purpose="rewind", password="word")["changed"]
    assert not role(name, purpose="rewind", password="word")["failed"], "an interrupted rewind has left it"
    may = server.psql(
        "SELECT rolvaliduntil > now() + interval '50 minutes', has_function_privilege(oid, 'pg_read_binary_file(text)', 'execute')"
        " FROM pg_authid WHERE rolname = :'name'", name=name,
    )  # fmt: skip
    assert may == "t|t"
    assert role(name, purpose="rewind", state="absent")["changed"]
    assert not role(name, purpose="rewind", state="absent")["changed"]


def test_a_statement_that_fails_shows_no_password(server: Any, role: Any) -> None:
    run = role("pg_reserved", purpose="rewind", password="TopSecret")
    assert run["failed"] and run["code"] == "role_not_changed"
    assert 'role name "pg_reserved" is reserved' in run["msg"]
    assert "TopSecret" not in json.dumps(run) and "SCRAM" not in json.dumps(run)
    assert "TopSecret" not in server.log.read_text() and "SCRAM-SHA-256$" not in server.log.read_text()


@pytest.fixture
def node(server: Any, module: Any, servers: Any) -> Any:
    """The password file of a node."""
    path = servers.folder / "replication.pgpass"

    def call(state: str, password: str = "old", **options: Any) -> dict[str, Any]:
        login = {
            "login_host": "127.0.0.1",
            "login_port": server.port,
            "login_user": "rotated",
            "login_password": password,
        }
        targets = [{"host": "127.0.0.1", "port": server.port}]
        result: dict[str, Any] = module(
            "replication_passfile", state=state, path=str(path), servers=targets, owner=servers.run("id", "-un").stdout.strip(),
            **{**login, **options},
        )  # fmt: skip
        return result

    call.path = Path(path)  # type: ignore[attr-defined]
    return call


def test_a_password_is_proved_changed_and_taken_back(server: Any, role: Any, node: Any) -> None:
    note = str(node.path) + ".role"
    more = {"note": note, "passfile": str(node.path)}
    assert role("rotated", password="old", **more)["changes"] == ["created"]
    assert node("present")["proven"] and not node("present")["changed"]
    old = node.path.read_text()
    assert node("settled") == {**node("settled"), "changed": False}
    refused = node("proven", "new:\\")
    assert not refused["proven"] and refused["refusal_code"] == "wrong_password" and not refused["failed"]
    # the new password, everywhere, and back
    assert role("rotated", password="new:\\", **more)["changes"] == ["password"]
    assert node("proven", "new:\\")["proven"]
    assert node("present", "new:\\") == {
        **node("present", "new:\\"),
        "changed": True,
        "diff": {"before": "(a secret)", "after": "(another secret)"},
    }
    assert node.path.stat().st_mode & 0o777 == 0o600
    assert node("restored")["changed"] and node.path.read_text() == old
    back = role("rotated", state="restored", note=note, reason="node1: it was refused.")
    assert back["code"] == "login_not_proved" and "node1: it was refused." in back["msg"]
    assert node("proven")["proven"], "the old password is in force"
    assert not Path(note).exists()
    # killed after the role has the new one, and a third one the next time: what the files have is what comes back
    role("rotated", password="second", **more)
    assert role("rotated", password="third", **more)["unsettled"]
    role("rotated", state="restored", note=note)
    assert node("proven")["proven"]
    # to its end
    role("rotated", password="fourth", **more)
    assert node("present", "fourth")["proven"] and node("settled")["changed"]
    assert role("rotated", state="settled", note=note)["changed"]
    assert not role("rotated", password="fourth", **more)["unsettled"]
    assert not list(node.path.parent.glob("*.before"))


def test_a_login_that_is_refused_at_once_gives_the_old_password_back(server: Any, role: Any, node: Any) -> None:
    note = str(node.path) + ".role"
    role("rotated", password="old")
    server.hba("host replication rotated 127.0.0.1/32 reject", "host replication all 127.0.0.1/32 scram-sha-256")
    try:
        run = role("rotated", password="other", note=note)
    finally:
        server.hba("host replication all 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256")
    assert run["code"] == "no_hba_entry"
    assert matches(server.psql("SELECT rolpassword FROM pg_authid WHERE rolname = 'rotated'"), "old")


@pytest.mark.parametrize("length", [1024])
def test_the_longest_password(server: Any, role: Any, node: Any, length: int) -> None:
    role("rotated", password="ü" * (length // 2))
    assert node("present", "ü" * (length // 2))["proven"]
