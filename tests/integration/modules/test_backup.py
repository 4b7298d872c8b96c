"""Backups of real servers, kept by both providers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.modules.archives import PROVIDERS, Kept, codes, fill


@pytest.fixture(scope="module", params=PROVIDERS)
def kept(request: pytest.FixtureRequest, shared_servers: Any) -> Kept:
    return Kept(shared_servers, request.param, request.param)


@pytest.fixture(scope="module")
def server(kept: Kept) -> Any:
    """A server without a repository; the tests of a provider share it, in their order."""
    return kept.primary(f"data-{kept.provider}")


def test_without_a_repository(module: Any, kept: Kept, server: Any) -> None:
    for name in ("backup", "backup_info"):
        found = module(name, **kept.of(server))
        assert found["failed"] and found["code"] == "repository_missing", found


def test_one_is_taken_where_none_is_young_enough(module: Any, kept: Kept, server: Any) -> None:
    kept.archiving(module, server)
    ask = kept.of(server)
    assert codes(module("backup_info", **ask)) == ["no_backup"]
    would = module("backup", check=True, max_age=600, **ask)
    assert would["changed"] and would["type"] == "full" and would["reason"] == "no_parent" and would["set"] is None, (
        would
    )
    taken = module("backup", max_age=600, **ask)
    assert not taken["failed"] and taken["changed"] and taken["restorable"] and taken["seconds"], taken
    again = module("backup", max_age=600, **ask)
    assert not again["failed"] and not again["changed"] and again["set"] == taken["set"], again
    found = module("backup_info", max_age=600, **ask)
    assert codes(found) == [] and [each["label"] for each in found["sets"]] == [taken["set"]["label"]]
    assert found["window"]["open"] and found["window"]["earliest"] == taken["set"]["stopped"]
    by_itself = module("backup_info", lineage="archive", **ask)
    assert by_itself["windows"] == found["windows"]


def test_auto_takes_what_the_provider_can(module: Any, kept: Kept, server: Any) -> None:
    taken = module("backup", **kept.of(server))
    expected = "incr" if kept.provider == "pgbackrest" or server_major(server) >= 17 else "full"
    assert (taken["type"], bool(taken["parent"])) == (expected, expected == "incr"), taken
    if expected == "full":
        assert taken["reason"] == "missing_feature"
        refused = module("backup", type="incr", **kept.of(server))
        assert refused["failed"] and refused["code"] == "missing_feature" and "17" in refused["msg"], refused


def test_old_ones_go_with_their_wal(module: Any, kept: Kept, server: Any) -> None:
    fill(server, 1)
    old = [each["label"] for each in module("backup_info", **kept.of(server))["sets"]]
    would = module("backup", check=True, type="full", keep_full=1, **kept.of(server))
    assert would["expired"] == old, would
    taken = module("backup", type="full", keep_full=1, **kept.of(server))
    assert not taken["failed"] and taken["expired"] == old, taken
    found = module("backup_info", **kept.of(server))
    assert [each["label"] for each in found["sets"]] == [taken["set"]["label"]] and codes(found) == []
    assert kept.files("000000010000000000000001") == []
    assert not module("wal_archive", state="continuous", wait=20, **kept.of(server))["failed"]


def test_after_a_gap_a_full_one_is_taken(module: Any, kept: Kept, server: Any) -> None:
    fill(server, 3)
    ask = kept.of(server)
    found = module("wal_archive", state="continuous", wait=20, **ask)
    last = int(found["archive"][0]["last"][-8:], 16)
    kept.remove(f"0000000100000000{last - 1:08X}")
    found = module("backup_info", **ask)
    assert codes(found) == ["archive_gap"] and found["window"] is None and len(found["windows"]) == 1, found
    taken = module("backup", max_age=600, **ask)
    assert (taken["type"], taken["reason"]) == ("full", "parent_unusable"), taken
    found = module("backup_info", **ask)
    assert [each["open"] for each in found["windows"]] == [False, True], found


def test_somebody_elses_repository(module: Any, kept: Kept, shared_servers: Any) -> None:
    other = shared_servers.primary(f"other-{kept.provider}", stranger=True)
    for name in ("backup", "backup_info"):
        refused = module(name, **kept.of(other))
        assert refused["failed"] and refused["code"] == "other_cluster", refused
    other.stop()


def test_plain_from_a_standby(module: Any, servers: Any) -> None:
    kept = Kept(servers, "plain")
    primary = kept.archiving(module, kept.primary("first", archive_timeout="1s"))
    standby = servers.standby(primary, "second")
    taken = module("backup", wait=30, **kept.of(standby))
    assert not taken["failed"] and taken["restorable"], taken


def server_major(server: Any) -> int:
    return int(server.psql("SHOW server_version_num")) // 10000
