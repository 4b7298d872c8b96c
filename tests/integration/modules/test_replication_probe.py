"""The probe's row on a real primary and a real standby."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_row_is_written_measured_read_and_removed(servers: Any, module: Any) -> None:
    primary = servers.primary()
    standby = servers.standby(primary, name="node1")
    written = module("replication_probe", action="write", token="t1", standbys=["node1"], **primary.login)
    assert not written["failed"], written
    assert 0 < written["delays_ms"]["node1"] < 10_000
    read = module("replication_probe", action="read", token="t1", **standby.login)
    assert not read["failed"], read
    assert read["refused_with"] == "25006"
    assert module("replication_probe", action="remove", **primary.login)["changed"]
    assert not module("replication_probe", action="remove", **primary.login)["changed"]
    assert primary.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgfleet_probe'") == "0"


def test_a_row_that_does_not_arrive_is_an_error(servers: Any, module: Any) -> None:
    primary = servers.primary()
    standby = servers.standby(primary, name="node1")
    standby.psql("SELECT pg_wal_replay_pause()")
    written = module("replication_probe", action="write", token="t1", standbys=["node1"], wait=0.5, **primary.login)
    assert written["failed"]
    assert written["code"] == "not_replayed"
    read = module("replication_probe", action="read", token="t1", wait=0.5, **standby.login)
    assert read["failed"]
    assert read["code"] == "not_replayed"


def test_delays_come_in_the_order_of_the_standbys_and_not_of_their_speed(servers: Any, module: Any) -> None:
    primary = servers.primary()
    servers.standby(primary, name="slow", recovery_min_apply_delay="500ms")
    servers.standby(primary, name="quick")
    primary.psql("CREATE TABLE warm_up ()")
    written = module("replication_probe", action="write", token="t1", standbys=["slow", "quick"], **primary.login)
    assert not written["failed"], written
    assert list(written["delays_ms"]) == ["slow", "quick"]
    assert written["delays_ms"]["slow"] > written["delays_ms"]["quick"]


def test_a_primary_does_not_pass_as_a_standby(servers: Any, module: Any) -> None:
    primary = servers.primary()
    module("replication_probe", action="write", token="t1", **primary.login)
    read = module("replication_probe", action="read", token="t1", **primary.login)
    assert read["failed"]
    assert read["code"] == "wrong_role"


@pytest.fixture(scope="module")
def pair(shared_servers: Any) -> tuple[Any, Any]:
    """A primary and its standby; neither is changed by check mode."""
    primary = shared_servers.primary()
    primary.psql("CREATE ROLE somebody LOGIN")
    return primary, shared_servers.standby(primary, name="node1")


@pytest.mark.parametrize(
    ("of", "options", "expected"),
    [
        ("primary", {"action": "write", "standbys": ["node1"]}, {"changed": True}),
        ("primary", {"action": "write", "standbys": ["gone"], "wait": 0.2}, {"code": "not_replayed"}),
        ("primary", {"action": "write", "login_user": "somebody"}, {"code": "query_failed"}),
        ("primary", {"action": "read"}, {"code": "wrong_role"}),
        ("primary", {"action": "remove"}, {"changed": False}),
        ("standby", {"action": "write"}, {"code": "query_failed"}),
        ("standby", {"action": "read"}, {"changed": False, "refused_with": "25006"}),
        ("standby", {"action": "remove"}, {"changed": False}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)  # fmt: skip
def test_check_mode_tells_what_would_happen_and_writes_nothing(
    pair: tuple[Any, Any], module: Any, of: str, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    primary, standby = pair
    login = (primary if of == "primary" else standby).login
    result = module("replication_probe", check=True, **{"token": "t1", **login, **options})
    assert {name: result.get(name) for name in expected} == expected, result
    assert primary.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgfleet_probe'") == "0"


def test_check_mode_removes_nothing(servers: Any, module: Any) -> None:
    primary = servers.primary()
    module("replication_probe", action="write", token="t1", **primary.login)
    assert module("replication_probe", check=True, action="remove", **primary.login)["changed"]
    assert primary.psql("SELECT token FROM pgfleet_probe.probe") == "t1"
