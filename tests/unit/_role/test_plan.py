"""Roles of a fleet: what they become, and how their passwords are kept."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.filter.cluster import refused_logins, stale_passfiles, text_of_passfile
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files import digest_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.passfile import (
    check_password,
    find_password,
    passfile_text,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.names import role_names_problem
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.plan import (
    REPLICATION,
    REWIND,
    Role,
    plan_role,
    refuse_owner,
    wanted_role,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.scram import matches, new_verifier

GOOD = {"login": True, "replication": True, "super": False, "createdb": False, "createrole": False, "bypassrls": False}
#: Made by PostgreSQL 15 for the password 'a:b\\c ünïcode'.
WANTED = wanted_role("replicator", REPLICATION, None)


def found(**different: Any) -> Role:
    flags = {name: different.pop(name, value) for name, value in GOOD.items()}
    return Role("replicator", flags, **{"password_matches": True, **different})


@pytest.mark.parametrize(
    ("role", "changes"),
    [
        pytest.param(found(), [], id="as it must be"),
        pytest.param(found(login=False), ["login"], id="may not log in"),
        pytest.param(found(replication=False, super=True), ["replication", "nosuperuser"], id="superuser"),
        pytest.param(found(createdb=True, createrole=True, bypassrls=True), ["nocreatedb", "nocreaterole", "nobypassrls"], id="rights"),
        pytest.param(found(connection_limit=0), ["connection limit -1"], id="connection limit"),
        pytest.param(found(valid_until="2020-01-01"), ["valid until 'infinity'"], id="no longer valid"),
        pytest.param(
            found(settings={"": ("default_transaction_read_only=on",), "app": ("role=x",)}),
            ["setting default_transaction_read_only=on", "setting role=x in app"], id="settings of its own",
        ),
        pytest.param(found(password_matches=False), ["password"], id="another password"),
        pytest.param(found(password_matches=False, has_password=False), ["password"], id="no password"),
        pytest.param(None, ["created"], id="no role"),
    ],
)  # fmt: skip
def test_what_becomes_of_the_replication_role(role: Role | None, changes: list[str]) -> None:
    plan = plan_role(role, WANTED, keep_password=False)
    assert list(plan.changes) == changes
    assert plan.changed == bool(changes)


def test_a_password_is_kept_until_it_may_change() -> None:
    assert not plan_role(found(password_matches=False), WANTED, keep_password=True).changed
    assert plan_role(found(password_matches=False, has_password=False), WANTED, keep_password=True).password
    assert plan_role(None, WANTED, keep_password=True).password


def test_memberships_are_named_and_left() -> None:
    plan = plan_role(found(member_of=("admins",)), WANTED, keep_password=False)
    assert not plan.changed
    assert "member of admins" in plan.warnings[0]


def test_roles_that_must_not_be_touched() -> None:
    with pytest.raises(PgFleetError, match="superuser of the cluster"):
        plan_role(found(essential=True), WANTED, keep_password=False)
    with pytest.raises(PgFleetError, match="owns 3 objects"):
        refuse_owner(found(owns=3))


def test_the_role_of_a_rewind_does_not_replicate() -> None:
    plan = plan_role(None, wanted_role("r", REWIND, "2026-01-01 00:00:00+00"), keep_password=False)
    assert plan.clauses[:2] == ("LOGIN", "NOREPLICATION")
    assert plan.clauses[-1] == "VALID UNTIL '2026-01-01 00:00:00+00'"


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        pytest.param(
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
            "pencil", id="the example of RFC 7677",
        ),
    ],
)  # fmt: skip
def test_a_verifier_of_the_standard(stored: str, password: str) -> None:
    assert matches(stored, password)
    assert not matches(stored, password + " ")


@pytest.mark.parametrize(
    "password", ["a:b\\c", "ünï\u00adcode", "\u2168", "tab\tand\u0007bell", "\u0627\u0031", "x" * 1024]
)
def test_a_verifier_matches_its_password_only(password: str) -> None:
    assert matches(new_verifier(password), password)
    assert not matches(new_verifier(password), password + "x")
    assert not matches(None, password)
    assert not matches("md5" + 32 * "0", password)


@pytest.mark.parametrize(
    "password", ["a:b", "a\\b", "a\\:b:", "'quote\"", " spaces ", "#hash", "*", "ünïcode", "x" * 1000, "\u2028"]
)
def test_any_password_comes_out_of_the_file_as_it_went_in(password: str) -> None:
    check_password(password)
    text = passfile_text([("fe80::1", 5432), ("node2", 5433)], "odd:role\\name", password)
    assert find_password(text, "node2", 5433, "odd:role\\name") == password
    assert find_password(text, "fe80::1", 5432, "odd:role\\name") == password
    assert text.count("\n") == 2


@pytest.mark.parametrize("password", ["", "a\nb", "a\r", "a\0", "x" * 1025])
def test_a_password_that_no_file_can_hold_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(PgFleetError) as caught:
        check_password(password)
    assert caught.value.code == "password_unusable"
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize(
    ("replication", "rewind", "words"),
    [
        ("Odd-Role \"x\"", "pgfleet-rewind", None),
        ("", "r", "empty"),
        (" r", "q", "blanks"),
        ("a\nb", "q", "printed"),
        ("x" * 64, "q", "63 bytes"),
        ("pg_replicator", "q", "keeps for itself"),
        ("postgres", "q", "keeps for itself"),
        ("same", "same", "both 'same'"),
        ("q", "public", "pg_server_rewind_user is 'public'"),
    ],
)  # fmt: skip
def test_names_of_roles(replication: str, rewind: str, words: str | None) -> None:
    problem = role_names_problem(replication, rewind)
    assert (words in problem[0]) if words and problem else problem is None


def test_files_and_logins_of_nodes() -> None:
    text = text_of_passfile([{"host": "a", "port": 1}], "r", 12)
    assert text == "a:1:replication:r:12\n"
    good = {"sha256": digest_of(text.encode()), "owner": "postgres", "mode": "0600"}
    hosts = {
        name: {"pg_server_facts": {"passfile": "/p"}, "pg_server_node": {"files": {"/p": file}}, "login": login}
        for name, file, login in (
            ("same", good, {"proven": True}),
            ("loose", {**good, "mode": "0644"}, {"proven": False, "refusal": "no entry."}),
            ("other", {**good, "sha256": "x"}, {"failed": True, "msg": "broken."}),
            ("none", {}, {}),
        )
    }
    assert stale_passfiles(hosts, hosts, text, "postgres") == ["loose", "other"]
    assert refused_logins(hosts, hosts, "login") == ["loose: no entry.", "other: broken.", "none: no answer."]
