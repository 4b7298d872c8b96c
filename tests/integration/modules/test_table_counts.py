"""The module table_counts on a real primary and a real standby."""

from __future__ import annotations

from typing import Any

import pytest

ROWS = """
COMMENT ON DATABASE shop IS 'what it holds';
CREATE TABLE plain AS SELECT generate_series(1, 3) AS id;
CREATE TABLE "Odd ""Name" AS SELECT 1 AS id;
CREATE TABLE empty (id int);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT generate_series(5, 14);
CREATE VIEW seen AS SELECT * FROM plain;
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.hidden (id int);
"""
COUNTS = {'Odd "Name': 1, "empty": 0, "parted": 10, "plain": 3}


@pytest.fixture
def shop(servers: Any) -> Any:
    primary = servers.primary()
    primary.psql("CREATE DATABASE shop")
    primary.psql(ROWS, "shop")
    return primary


def test_counts_every_table(shop: Any, module: Any) -> None:
    result = module("table_counts", database="shop", **shop.login)
    assert (result["changed"], result["exists"], result["comment"]) == (False, True, "what it holds")
    assert result["counts"] == COUNTS
    assert (result["relations"], result["differences"], result["standby"]) == (8, [], False)
    assert result["lsn"] and result["waited_seconds"] == 0
    again = module("table_counts", check=True, database="shop", **shop.login)
    assert {**again, "lsn": ""} == {**result, "lsn": "", "invocation": again["invocation"]}


def test_database_is_missing(shop: Any, module: Any) -> None:
    result = module("table_counts", database="stall", tables={"plain": 3}, **shop.login)
    assert (result["failed"], result["exists"], result["comment"], result["counts"]) == (False, False, None, {})
    assert result["differences"] == [{"table": "plain", "expected": 3, "found": None}]
    refused = module("table_counts", database="stall", tables={"plain": 3}, fail_on_difference=True, **shop.login)
    assert (refused["failed"], refused["code"], refused["exists"]) == (True, "database_missing", False)
    asked = module("table_counts", database="stall", fail_on_difference=True, **shop.login)
    assert not asked["failed"]


def test_differences(shop: Any, module: Any) -> None:
    wanted = {"plain": 4, "parted": 10, "parted_1": 5, "absent": 0}
    result = module("table_counts", database="shop", tables=wanted, **shop.login)
    assert result["counts"] == {"parted": 10, "parted_1": 5, "plain": 3}
    differences = [
        {"table": "absent", "expected": 0, "found": None},
        {"table": "plain", "expected": 4, "found": 3},
    ]
    assert result["differences"] == differences
    refused = module("table_counts", database="shop", tables=wanted, fail_on_difference=True, **shop.login)
    assert (refused["failed"], refused["code"], refused["differences"]) == (True, "counts_differ", differences)
    assert "absent is missing instead of 0, plain has 3 instead of 4" in refused["msg"]
    assert not module("table_counts", database="shop", tables=COUNTS, fail_on_difference=True, **shop.login)["failed"]


def test_input_is_refused(shop: Any, module: Any) -> None:
    rows = module("table_counts", database="shop", tables={"plain": "three"}, **shop.login)
    assert (rows["failed"], rows["code"]) == (True, "invalid_input")
    lsn = module("table_counts", database="shop", replayed_lsn="yesterday", **shop.login)
    assert (lsn["failed"], lsn["code"]) == (True, "invalid_input")


def test_server_is_away(shop: Any, module: Any) -> None:
    shop.stop()
    result = module("table_counts", database="shop", **shop.login)
    assert (result["failed"], result["code"]) == (True, "unreachable")


def test_standby_waits_for_the_load(shop: Any, servers: Any, module: Any) -> None:
    standby = servers.standby(shop, "follower")
    standby.psql("SELECT pg_wal_replay_pause()")
    shop.psql("INSERT INTO plain VALUES (4)", "shop")
    lsn = shop.psql("SELECT pg_current_wal_lsn()")
    options = {"database": "shop", "tables": {"plain": 4}, "fail_on_difference": True, **standby.login}

    early = module("table_counts", **options)
    assert (early["failed"], early["code"]) == (True, "counts_differ")
    late = module("table_counts", replayed_lsn=lsn, wait=0.5, **options)
    assert (late["failed"], late["code"], late["replayed_lsn"]) == (True, "not_replayed", lsn)

    waiting = module.start("table_counts", replayed_lsn=lsn, wait=30, **options)
    standby.psql("SELECT pg_sleep(1), pg_wal_replay_resume()")
    assert waiting.wait(timeout=30) == 0, waiting.stdout.read()
    proven = module("table_counts", replayed_lsn=lsn, **options)
    assert (proven["failed"], proven["standby"], proven["counts"]) == (False, True, {"plain": 4})


def test_primary_does_not_wait(shop: Any, module: Any) -> None:
    result = module("table_counts", database="shop", replayed_lsn="FF/0", wait=20, **shop.login)
    assert (result["failed"], result["standby"]) == (False, False)
    assert result["waited_seconds"] < 5
