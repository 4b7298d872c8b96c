"""What changes when a server that somebody else made becomes a node; one case a row."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._adopt.plan import (
    AdoptionRefused,
    FoundServer,
    Wish,
    plan_adoption,
    refuse_overruled,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._adopt.read import covers
from ansible_collections.pgfleet.cluster.plugins.module_utils._adopt.role import is_password, refuse_taken_role
from ansible_collections.pgfleet.cluster.plugins.module_utils._settings.conf import read_server_conf

RUNNING = {
    "wal_level": "replica",
    "hot_standby": "on",
    "wal_log_hints": "off",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "listen_addresses": "*",
    "max_connections": "300",
    "shared_buffers": "4GB",
    "max_slot_wal_keep_size": "-1",
}
OWN = {"listen_addresses": "*", "max_connections": "300", "shared_buffers": "4GB", "work_mem": "11MB"}
FOUND = FoundServer(
    "node1",
    values=OWN,
    files=dict.fromkeys(OWN, "/etc/postgresql/17/main/postgresql.conf"),
    running=RUNNING,
    restarting=frozenset({"wal_level", "hot_standby", "wal_log_hints", "max_wal_senders", "max_replication_slots",
                          "listen_addresses", "max_connections", "shared_buffers", "port"}),
)  # fmt: skip
WISH = Wish(
    settings={
        "port": "5432",
        "cluster_name": "node1",
        "wal_level": "replica",
        "hot_standby": "on",
        "wal_log_hints": "on",
        "max_wal_senders": "32",
        "max_replication_slots": "32",
        "max_slot_wal_keep_size": "20GB",
    },
    address="192.0.2.1",
    nodes=("node1", "node2"),
)
PLAIN = {"wal_level", "hot_standby", "max_slot_wal_keep_size"}


def found(**values: str) -> FoundServer:
    """The server with these lines in its own files, and in force."""
    return replace(
        FOUND,
        values={**OWN, **values},
        running={**RUNNING, **values},
        files={**FOUND.files, **dict.fromkeys(values, "f")},
    )


def wish(allow: bool = False, **inventory: str) -> Wish:
    return replace(WISH, settings={**WISH.settings, **inventory}, inventory=frozenset(inventory), allow_restart=allow)


ROWS: dict[str, tuple[FoundServer, Wish, dict[str, str], bool]] = {
    "as Debian makes them": (FOUND, WISH, {}, False),
    "stopped": (replace(FOUND, running=None), WISH, {"wal_log_hints": "on", "max_replication_slots": "32"}, False),
    "its own values stay": (FOUND, wish(shared_buffers="32MB", max_connections="60", work_mem="4MB"), {}, False),
    "a setting that it does not have": (FOUND, wish(log_min_duration_statement="5s"), {"log_min_duration_statement": "5s"}, False),
    "wal_level minimal": (
        found(wal_level="minimal", max_wal_senders="0"),
        wish(allow=True),
        {"wal_level": "replica", "max_wal_senders": "32", "wal_log_hints": "on", "max_replication_slots": "32"},
        True,
    ),
    "wal_level minimal, stopped": (
        replace(found(wal_level="minimal", max_wal_senders="0"), running=None),
        WISH,
        {"wal_level": "replica", "max_wal_senders": "32", "wal_log_hints": "on", "max_replication_slots": "32"},
        False,
    ),
    "wal_level logical stays": (found(wal_level="logical"), WISH, {"wal_level": ""}, False),
    "too few senders": (found(max_wal_senders="3"), wish(allow=True),
                        {"max_wal_senders": "32", "wal_log_hints": "on", "max_replication_slots": "32"}, True),
    "hot_standby off": (found(hot_standby="off"), wish(allow=True),
                        {"hot_standby": "on", "wal_log_hints": "on", "max_replication_slots": "32"}, True),
    "listens on loopback only": (
        replace(found(listen_addresses="localhost"), covered=False, running_covered=False),
        wish(allow=True),
        {"listen_addresses": "localhost,192.0.2.1", "wal_log_hints": "on", "max_replication_slots": "32"},
        True,
    ),
    "after the restart that was allowed, without the permission": (
        replace(found(), values={**OWN, "wal_level": "minimal", "max_wal_senders": "0"},
                running={**RUNNING, "max_wal_senders": "32", "wal_log_hints": "on", "max_replication_slots": "32"},
                written={"wal_level": "replica", "max_wal_senders": "32", "wal_log_hints": "on", "max_replication_slots": "32"}),
        WISH,
        {"wal_level": "replica", "max_wal_senders": "32", "wal_log_hints": "on", "max_replication_slots": "32"},
        False,
    ),
    "nothing needs a restart that is allowed": (FOUND, wish(allow=True), {}, False),
    "a restart that the inventory asks for": (
        replace(FOUND, values={}), wish(allow=True, max_connections="500"), {"max_connections": "500"}, False),
    "a restart that the inventory asks for and nobody allows": (replace(FOUND, values={}), wish(max_connections="500"), {}, False),
}  # fmt: skip


@pytest.mark.parametrize(("server", "wanted", "more", "restart"), ROWS.values(), ids=ROWS.keys())
def test_plan(server: FoundServer, wanted: Wish, more: dict[str, str], restart: bool) -> None:
    plan = plan_adoption(server, wanted)
    expected = {name: WISH.settings[name] for name in PLAIN if name not in server.values} | more
    assert plan.settings == {name: text for name, text in expected.items() if text}
    assert plan.restart == restart


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (found(wal_level="minimal"), "wal_level is minimal (f) and must be replica"),
        (found(max_replication_slots="0"), "max_replication_slots is 0 (f) and must be 32"),
        (
            replace(FOUND, running={**RUNNING, "wal_level": "minimal"}),
            "wal_level is minimal (default) and must be replica",
        ),
        (replace(FOUND, covered=False, running_covered=False), "listen_addresses"),
    ],
)
def test_a_restart_that_nobody_allowed_is_refused_with_the_list(server: FoundServer, words: str) -> None:
    with pytest.raises(AdoptionRefused) as refused:
        plan_adoption(server, WISH)
    assert refused.value.code == "adopt_restart_needed"
    assert words in str(refused.value) and "pg_server_adopt_restart" in str(refused.value)


def test_a_refusal_names_what_standbys_made_by_hand_must_have_first() -> None:
    with pytest.raises(
        AdoptionRefused, match=r"max_wal_senders = 32 or more on every standby .*\('reporting', 'node2'\)"
    ):
        plan_adoption(replace(found(max_wal_senders="2"), senders=BY_HAND), WISH)


def test_what_is_left_is_named() -> None:
    stranger = {"name": "reporting", "address": "192.0.2.9"}
    server = replace(FOUND, senders=(stranger, {"name": "node2", "address": "192.0.2.2"}))
    text = "\n".join(plan_adoption(server, wish(shared_buffers="32MB")).steps)
    assert "shared_buffers stays 4GB, although pg_server_settings says 32MB" in text
    assert "'reporting' at 192.0.2.9 follows it and is no node" in text and "node2" not in text
    assert "cannot be rewound" in text


BY_HAND = ({"name": "reporting", "address": "192.0.2.9"}, {"name": "node2", "address": "192.0.2.2"})
RAISED: dict[str, tuple[FoundServer, Wish, str]] = {
    "its own is enough": (replace(found(hot_standby="off"), senders=BY_HAND), wish(allow=True), ""),
    "too few senders": (replace(found(max_wal_senders="2"), senders=BY_HAND), wish(allow=True), "max_wal_senders = 32"),
    "the inventory asks for more": (replace(FOUND, values={}, senders=BY_HAND), wish(allow=True, max_connections="500"), "max_connections = 500"),
    "for less": (replace(FOUND, values={}, senders=BY_HAND), wish(allow=True, max_connections="50"), ""),
    "and may not restart": (replace(FOUND, values={}, senders=BY_HAND), wish(max_connections="500"), ""),
    "more than the default, stopped": (replace(FOUND, values={}, running=None), wish(max_locks_per_transaction="128"),
                                       "max_locks_per_transaction = 128"),
    "the default, stopped": (replace(FOUND, values={}, running=None), wish(max_worker_processes="8"), ""),
    "from nothing": (replace(found(), running={**RUNNING, "max_prepared_transactions": "0"}, senders=BY_HAND,
                             restarting=FOUND.restarting | {"max_prepared_transactions"}),
                     wish(allow=True, max_prepared_transactions="20"), "max_prepared_transactions = 20"),
}  # fmt: skip


@pytest.mark.parametrize(("server", "wanted", "raised"), RAISED.values(), ids=RAISED.keys())
def test_what_standbys_made_by_hand_must_have_first_is_named(server: FoundServer, wanted: Wish, raised: str) -> None:
    text = "\n".join(plan_adoption(server, wanted).steps)
    assert ("made by hand" in text) == bool(raised)
    assert raised in text
    if raised:
        assert ("('reporting', 'node2')" if server.senders else "none streams now") in text


def test_what_all_nodes_must_have_alike() -> None:
    assert plan_adoption(FOUND, WISH).shared == {"max_connections": "300", "max_wal_senders": "10"}


def test_a_file_that_is_read_later_wins(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "conf.d").mkdir()
    data.mkdir()
    (tmp_path / "postgresql.conf").write_text(f"data_directory = '{data}'\nwal_level = minimal\ninclude_dir 'conf.d'\n")
    plan = plan_adoption(replace(found(wal_level="minimal"), running=None), WISH)
    ours = {str(tmp_path / "conf.d/pgfleet.conf"): "wal_level = 'replica'\n"}
    conf = read_server_conf(str(tmp_path), ours)
    refuse_overruled("node1", replace_needed(plan), conf.values, conf.files)
    (data / "postgresql.auto.conf").write_text("wal_level = 'minimal'\n")
    conf = read_server_conf(str(tmp_path), ours)
    with pytest.raises(AdoptionRefused, match="ALTER SYSTEM RESET wal_level") as refused:
        refuse_overruled("node1", replace_needed(plan), conf.values, conf.files)
    assert refused.value.code == "adopt_overruled"


def replace_needed(plan: Any) -> Any:
    return replace(plan, needed={"wal_level": ("minimal", "replica")})


@pytest.mark.parametrize(
    ("listens", "address", "covered"),
    [
        ("*", "192.0.2.1", True),
        ("0.0.0.0", "192.0.2.1", True),
        ("::", "192.0.2.1", False),
        ("::", "2001:db8::1", True),
        ("localhost", "192.0.2.1", False),
        ("localhost", "127.0.0.1", True),
        ("127.0.0.1, 192.0.2.1", "192.0.2.1", True),
        ("", "192.0.2.1", False),
    ],
)
def test_what_a_server_listens_on(listens: str, address: str, covered: bool) -> None:
    assert covers(listens, address) == covered


def scram(password: str) -> str:
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    key = hashlib.sha256(hmac.new(salted, b"Client Key", "sha256").digest()).digest()
    return f"SCRAM-SHA-256$4096:{base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}:{base64.b64encode(key).decode()}"


ROLE = {"login": True, "replication": True, "superuser": False, "password": scram("secret")}


@pytest.mark.parametrize(
    ("role", "why"),
    [
        (None, ""),
        (ROLE, ""),
        ({**ROLE, "superuser": True}, "is a superuser"),
        ({**ROLE, "replication": False}, "no REPLICATION"),
        ({**ROLE, "password": scram("other")}, "another password"),
        ({**ROLE, "password": "md5d41d8cd98f00b204e9800998ecf8427e"}, "not stored as SCRAM"),
        ({**ROLE, "password": None}, "another password"),
    ],
)
def test_a_role_that_is_there(role: dict[str, Any] | None, why: str) -> None:
    if not why:
        refuse_taken_role("node1", role, "replicator", "secret")
        return
    with pytest.raises(AdoptionRefused, match=why) as refused:
        refuse_taken_role("node1", role, "replicator", "secret")
    assert refused.value.code == "adopt_role_taken"
    assert not is_password("nonsense", "secret")
