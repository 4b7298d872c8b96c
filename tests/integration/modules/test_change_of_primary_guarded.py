"""What keeps a change of primary from going wrong: successors on record, archivers, peers, notes, and ways that are proven."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.modules.test_change_of_primary import (
    demotion,
    follow,
    pair,
    streams,
)
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


def three(servers: Any) -> tuple[Any, Any, Any]:
    old, new = pair(servers)
    return old, new, servers.standby(old, cluster_name="other")


def test_a_primary_is_handed_over_to_one_successor_only(servers: Any, module: Any) -> None:
    old, new, other = three(servers)
    assert module("demote", **demotion(old, new))["action"] == "demoted"
    waiting = module.start("promote", handover=True, begin=30, **other.login)
    refused = module("demote", handover=True, **demotion(old, other))
    assert (refused["code"], refused["failed"]) == ("other_successor", True)
    assert f"handed over to 127.0.0.1:{new.port} and cannot be handed over to 127.0.0.1:{other.port}" in refused["msg"]
    assert json.loads(waiting.stdout.read().splitlines()[-1])["code"] == "handover_ended"
    assert other.psql("SELECT pg_is_in_recovery()") == "t"
    replaced = demotion(old, other, on_other_successor="replace")
    assert module("demote", check=True, **replaced)["code"] == "wrong_password", "new is there: it may lead"
    everywhere = old.data.with_suffix(".everywhere")
    old.run("sh", "-c", f"umask 077; echo '127.0.0.1:*:*:replicator:secret' > {everywhere}")
    replaced["passfile"] = str(everywhere)
    assert module("demote", check=True, **replaced)["action"] == "demoted"
    assert f"port={new.port}" in (old.data / "postgresql.auto.conf").read_text()
    assert module("demote", **replaced)["changed"]
    assert f"port={other.port}" in (old.data / "postgresql.auto.conf").read_text()
    assert not module("demote", **replaced)["changed"]
    other.psql("SELECT pg_promote()")
    refused = module("demote", **{**replaced, "login_port": new.port})
    assert (refused["code"], "promoted since" in refused["msg"]) == ("other_successor", True)
    old.start()
    for options in (demotion(old, new), demotion(old, new, on_other_successor="replace")):
        assert module("demote", handover=True, **options)["code"] == "other_successor"
    assert old.running
    assert not module("demote", **demotion(old, other))["changed"]


def test_an_archiver_that_hangs_is_seen_before_the_shutdown(servers: Any, module: Any) -> None:
    """And named when it begins to hang only then; one that fails, or has nothing to do, is no obstacle."""
    old, new = pair(servers, archive_mode="on", archive_command="exec sleep 1000")
    old.psql("CREATE TABLE t AS SELECT 1 AS n")
    refused = module("demote", archive_wait=1, **demotion(old, new))
    assert refused["code"] == "archive_stuck", refused
    assert "(sleep 1000)" in refused["msg"]
    assert old.running
    status = module("replication_status", **old.login)["status"]["archiver"]
    assert (status["waiting"] > 0, status["failing"], status["last_archived_seconds"]) == (True, False, None)
    assert status["oldest_waiting_seconds"] >= 0
    old.write_config(archive_command="if grep -q stopping postmaster.pid; then exec sleep 1000; fi")
    old.ctl("reload")
    end_of(refused["msg"])
    until(lambda: old.psql("SELECT archived_count > 0 FROM pg_stat_archiver") == "t")
    old.psql("CREATE TABLE u AS SELECT 1 AS n")
    refused = module("demote", timeout=3, **demotion(old, new))
    assert refused["code"] == "archive_stuck", refused
    assert "takes no more writes, but does not stop: archive_command waits for process" in refused["msg"]
    end_of(refused["msg"])
    until(lambda: not old.running)
    assert module("demote", **demotion(old, new))["action"] == "demoted"


def end_of(message: str) -> None:
    """End the process that a message names."""
    os.kill(int(message.partition("waits for process ")[2].split()[0]), signal.SIGTERM)


@pytest.mark.parametrize("command", ["false", ""], ids=["fails", "not set"])
def test_an_archiver_that_does_not_archive_is_no_obstacle(servers: Any, module: Any, command: str) -> None:
    old, new = pair(servers, archive_mode="on", archive_command=command)
    old.psql("CREATE TABLE t AS SELECT 1 AS n")
    done = module("demote", **demotion(old, new))
    assert done["action"] == "demoted", done


def test_nobody_is_promoted_beside_another(servers: Any, module: Any) -> None:
    old, new, other = three(servers)
    passfile = follow(old, old)["passfile"]
    asked = {"peers_passfile": passfile, **new.login}

    def peers(*them: Any) -> list[dict[str, Any]]:
        return [{"name": each.data.name, "address": "127.0.0.1", "port": each.port} for each in them]

    refused = module("promote", check=True, peers=peers(old), **asked)
    assert (refused["code"], "is a primary on timeline 1" in refused["msg"]) == ("peer_promoted", True)
    old.run("sh", "-c", f"echo '127.0.0.1:*:*:replicator:secret' > {passfile}")
    assert not module("promote", check=True, peers=peers(other), **asked)["failed"]
    other.psql("SELECT pg_promote()")
    for check in (True, False):
        refused = module("promote", check=check, peers=peers(old, other), **asked)
        assert refused["code"] == "peer_promoted"
    old.stop()
    refused = module("promote", peers=peers(old, other), **asked)
    assert (refused["code"], "timeline 2" in refused["msg"]) == ("peer_promoted", True)
    assert new.psql("SELECT pg_is_in_recovery()") == "t"
    other.stop()
    assert module("promote", peers=peers(old, other), **asked)["changed"], "silence counts for nothing"


def test_a_run_that_lost_the_fleet_stops_and_promotes_nobody(servers: Any, module: Any) -> None:
    old, new = pair(servers)
    note = servers.folder / "note.json"
    assert module("demote", reservation=str(note), **demotion(old, new))["code"] == "reservation_lost"
    assert old.running
    assert module("promote", reservation=str(note), **new.login)["code"] == "reservation_lost"
    assert new.psql("SELECT pg_is_in_recovery()") == "t"
    servers.run("touch", note)
    assert module("demote", reservation=str(note), **demotion(old, new))["action"] == "demoted"
    assert module("promote", reservation=str(note), **new.login)["changed"]


def test_ways_to_others(shared_servers: Any, module: Any) -> None:
    if not shared_servers.made:
        pair(shared_servers)
    old, new = shared_servers.made[:2]
    streams(old)
    options = follow(old, new)

    def way(name: str, port: int, **more: Any) -> dict[str, Any]:
        return {"name": name, "address": "127.0.0.1", "port": port, **more}

    for check in (True, False):
        found = module("replication_ways", check=check, targets=[way("new", new.port)], passfile=options["passfile"])
        assert ([each["works"] for each in found["ways"]], found["changed"]) == ([True], False)
    began = time.monotonic()
    targets = [way("new", new.port), way("gone", 1), way("slotless", new.port, slot="none"), way("old", old.port)]
    refused = module("replication_ways", origin="node9", targets=targets, passfile=options["passfile"])
    assert time.monotonic() - began < 5
    assert [each["code"] for each in refused["ways"]] == ["unreachable", "slot_missing", "wrong_password"]
    assert refused["code"] == "way_closed"
    assert "node9 could not follow gone: 127.0.0.1:1 gave no answer to the login" in refused["msg"]
    assert "refused" not in refused["msg"].partition("slotless")[0].replace("Connection refused", "")
    reported = module("replication_ways", targets=targets, passfile=options["passfile"], on_failure="report")
    assert [each["works"] for each in reported["ways"]] == [True, False, False, False]
    assert (
        module("replication_ways", targets=[way("x", new.port)], passfile="/nowhere")["ways"][0]["code"]
        == "passfile_missing"
    )
