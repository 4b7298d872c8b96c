"""What the first look at the nodes has proven, so that no module is called again."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.blocks import wanted_blocks
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.file import FLEET, plan_text
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Following
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.recovery import make_conninfo
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.proven import at_rest, follows, rules_are_there

HBA = {
    "path": "/etc/pg_hba.conf", "owner": "postgres", "nodes": ["10.0.0.1", "10.0.0.2"],
    "replication_user": "replicator", "rewind_user": "pgfleet_rewind", "rules": [],
}  # fmt: skip
OWN = {"contype": "host", "databases": "all", "users": "app", "address": "samenet", "method": "scram-sha-256"}
LDAP = {**OWN, "method": "ldap", "options": {"ldapserver": "here", "ldapbasedn": "x", "ldapbindpasswd": "secret"}}
FOREIGN = "# mine\nhost all all 10.1.0.0/16 md5\n"


def written(options: dict[str, Any], foreign: str = FOREIGN) -> dict[str, Any]:
    wanted = wanted_blocks({"block": FLEET, "state": "present", "client_certificates": False, **options})
    text = plan_text(foreign, "path", wanted)
    return {"rules": {"text": text, "owner": "postgres", "mode": "0640", "unfinished": False}}


RULES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "as they should be": (written(HBA), HBA, True),
    "with a rule of the user's": (written({**HBA, "rules": [OWN]}), {**HBA, "rules": [OWN]}, True),
    "no file": ({"rules": {}}, HBA, False),
    "nothing known": ({}, HBA, False),
    "another node": (written(HBA), {**HBA, "nodes": ["10.0.0.1", "10.0.0.3"]}, False),
    "another role": (written(HBA), {**HBA, "replication_user": "other"}, False),
    "certificates from now on": (written(HBA), {**HBA, "client_certificates": True}, False),
    "a new rule": (written(HBA), {**HBA, "rules": [OWN]}, False),
    "a rule to go": (written(HBA, "host all app samenet scram-sha-256\n"), {**HBA, "rules": [{**OWN, "state": "absent"}]}, False),
    "a wrong rule": (written(HBA), {**HBA, "rules": [{**OWN, "method": "nope"}]}, False),
    "a secret": (written({**HBA, "rules": [LDAP]}), {**HBA, "rules": [LDAP]}, False),
    "a rule without effect": (written({**HBA, "rules": [OWN, {**OWN, "method": "md5"}]}), {**HBA, "rules": [OWN, {**OWN, "method": "md5"}]}, False),
    "mode": ({"rules": {**written(HBA)["rules"], "mode": "0644"}}, HBA, False),
    "owner": ({"rules": {**written(HBA)["rules"], "owner": "root"}}, HBA, False),
    "killed while it was judged": ({"rules": {**written(HBA)["rules"], "unfinished": True}}, HBA, False),
    "damaged marks": ({"rules": {**written(HBA)["rules"], "text": "# BEGIN pgfleet: x\n"}}, HBA, False),
}  # fmt: skip


@pytest.mark.parametrize(("node", "options", "there"), RULES.values(), ids=RULES.keys())
def test_rules_are_there_where_the_module_would_do_nothing(
    node: dict[str, Any], options: dict[str, Any], there: bool
) -> None:
    assert rules_are_there(node, options) is there


OPTIONS = {
    "login_host": "10.0.0.1", "login_port": 5432, "login_user": "replicator", "passfile": "/etc/replication.pgpass",
    "slot": "b_slot", "application_name": "b", "rebuild": False,
}  # fmt: skip
WANTED = Following.from_params(OPTIONS).recovery


def conninfo(**different: str) -> str:
    return make_conninfo({**WANTED.conninfo, **different})


def standby() -> dict[str, Any]:
    receiver = {"status": "streaming", "sender_host": "10.0.0.1", "sender_port": 5432, "slot": "b_slot"}
    settings = {"reload_pending": False, "file_errors": [], "hba_errors": []}
    status = {"role": "standby", "wal_receiver": receiver, "settings": settings}
    return {
        "server": {"status": status, "reasons": [], "findings": []},
        "files": {"/etc/replication.pgpass": {"sha256": "1", "owner": "postgres", "mode": "0600"}},
        "recovery": {"primary_conninfo": conninfo(), "primary_slot_name": "b_slot", "signal": True, "unfinished": False},
    }  # fmt: skip


def changed(value: dict[str, Any], path: str, to: Any) -> dict[str, Any]:
    """A copy of it with another value at a path of keys."""
    copy = deepcopy(value)
    *above, last = path.split(" ")
    inner = copy
    for key in above:
        inner = inner[key]
    inner[last] = to
    return copy


FOLLOWS: dict[str, tuple[str, Any, bool]] = {
    "additions of pg_basebackup": ("recovery primary_conninfo", conninfo(gssencmode="prefer"), True),
    "other keepalives": ("recovery primary_conninfo", conninfo(keepalives_idle="60"), True),
    "another name": ("recovery primary_conninfo", conninfo(application_name="x"), False),
    "a password": ("recovery primary_conninfo", conninfo(password="********"), False),
    "no conninfo": ("recovery primary_conninfo", "", False),
    "another slot in the file": ("recovery primary_slot_name", "x", False),
    "no standby.signal": ("recovery signal", False, False),
    "something beside it": ("recovery unfinished", True, False),
    "another primary": ("server status wal_receiver sender_host", "10.0.0.9", False),
    "another port": ("server status wal_receiver sender_port", 5433, False),
    "no slot": ("server status wal_receiver slot", None, False),
    "not streaming": ("server status wal_receiver status", "waiting", False),
    "no receiver": ("server status wal_receiver", None, False),
    "a primary": ("server status role", "primary", False),
    "not reloaded": ("server status settings reload_pending", True, False),
    "not known": ("server status settings reload_pending", None, False),
    "no server": ("server", None, False),
    "password file for all": ("files /etc/replication.pgpass mode", "0644", False),
    "password file of root": ("files /etc/replication.pgpass owner", "root", False),
    "no password file": ("files /etc/replication.pgpass", {}, False),
}


@pytest.mark.parametrize(("path", "to", "answer"), FOLLOWS.values(), ids=FOLLOWS.keys())
def test_a_standby_follows_where_it_streams_as_is_wanted(path: str, to: Any, answer: bool) -> None:
    assert follows(standby(), OPTIONS, "postgres")
    assert follows(changed(standby(), path, to), OPTIONS, "postgres") is answer


def shipped() -> dict[str, Any]:
    found = changed(standby(), "server status wal_receiver", None)
    found["server"]["status"]["wal_source"] = "archive"
    found["recovery"] = {**found["recovery"], "primary_conninfo": "", "primary_slot_name": ""}
    return found


SHIPPED: dict[str, tuple[str, Any, bool]] = {
    "as it should": ("server findings", [], True),
    "a conninfo": ("recovery primary_conninfo", "host=a", False),
    "a slot": ("recovery primary_slot_name", "b_slot", False),
    "no archive": ("server status wal_source", None, False),
    "a receiver": ("server status wal_receiver", {"status": "streaming"}, False),
    "not reloaded": ("server status settings reload_pending", True, False),
    "a primary": ("server status role", "primary", False),
}


@pytest.mark.parametrize(("path", "to", "answer"), SHIPPED.values(), ids=SHIPPED.keys())
def test_a_standby_reads_the_archive_where_it_follows_nobody(path: str, to: Any, answer: bool) -> None:
    wanted = {**OPTIONS, "slot": "", "upstream": "archive"}
    assert follows(changed(shipped(), path, to), wanted, "postgres") is answer


def test_one_that_streams_does_not_read_the_archive_only() -> None:
    node = changed(standby(), "server status wal_source", "stream")
    assert not follows(node, {**OPTIONS, "slot": "", "upstream": "archive"}, "postgres")


def test_at_rest_a_standby_that_reads_the_archive_has_no_slot() -> None:
    found = fleet()
    status = found["a"]["pg_server_node"]["server"]["status"]
    found["b"] = {"pg_server_node": shipped(), "pg_server_facts": {"slot": "b_slot", "upstream": "archive"}}
    found["a"]["pg_server_node"]["server"]["status"] = {**status, "standbys": [], "slots": []}
    assert at_rest(TOPOLOGY, found)
    found["b"]["pg_server_node"]["server"]["status"]["wal_source"] = "stream"
    assert not at_rest(TOPOLOGY, found)


def test_who_wants_a_new_clone_gets_one() -> None:
    assert not follows(standby(), {**OPTIONS, "rebuild": True}, "postgres")


def fleet() -> dict[str, Any]:
    status = {
        "role": "primary", "wal_receiver": None, "standbys": [{"name": "b", "state": "streaming"}],
        "slots": [{"name": "b_slot", "active": True}], "settings": {"reload_pending": False, "file_errors": [], "hba_errors": []},
    }  # fmt: skip
    facts = {"pg_server_facts": {"slot": "b_slot"}}
    return {
        "a": {"pg_server_node": {"server": {"status": status, "reasons": [], "findings": []}}, **facts},
        "b": {"pg_server_node": standby(), "pg_standby_clone": {"changed": False, "skipped": True}, **facts},
    }


TOPOLOGY = {"roles": {"a": "primary", "b": "standby"}, "standbys": ["b"]}
NOT_AT_REST: dict[str, tuple[str, Any]] = {
    "a finding": ("a pg_server_node server findings", [{"code": "x"}]),
    "a reason": ("b pg_server_node server reasons", [{"code": "x"}]),
    "another role": ("a pg_server_node server status role", "standby"),
    "a standby is missing": ("a pg_server_node server status standbys", []),
    "it catches up": ("a pg_server_node server status standbys", [{"name": "b", "state": "catchup"}]),
    "a slot is missing": ("a pg_server_node server status slots", []),
    "a slot is idle": ("a pg_server_node server status slots", [{"name": "b_slot", "active": False}]),
    "not reloaded": ("b pg_server_node server status settings reload_pending", True),
    "a wrong line": ("a pg_server_node server status settings hba_errors", [{"line": 1}]),
    "wrong lines are not known": ("a pg_server_node server status settings file_errors", None),
    "it does not stream": ("b pg_server_node server status wal_receiver", None),
    "nobody could ask": ("b pg_server_node server", None),
    "a slot was made": ("a pg_primary_slots", {"changed": True}),
    "rules were written": ("b __pg_server_hba_file", {"changed": True}),
    "the password was changed": ("b pg_server_login", {"changed": True}),
}


@pytest.mark.parametrize(("path", "to"), NOT_AT_REST.values(), ids=NOT_AT_REST.keys())
def test_a_fleet_is_at_rest_where_all_did_their_part_and_nothing_changed(path: str, to: Any) -> None:
    assert at_rest(TOPOLOGY, fleet())
    assert not at_rest(TOPOLOGY, changed(fleet(), path, to))
