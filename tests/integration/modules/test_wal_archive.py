"""The archive of a server's WAL, kept by both providers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.modules.archives import PROVIDERS, Kept, codes, fill
from ansible_collections.pgfleet.cluster.tests.integration.waiting import until

THIRD = "000000010000000000000003"


@pytest.fixture(scope="module", params=PROVIDERS)
def kept(request: pytest.FixtureRequest, shared_servers: Any) -> Kept:
    return Kept(shared_servers, request.param, request.param)


@pytest.fixture(scope="module")
def server(kept: Kept) -> Any:
    """A server that has yet to get its repository; the tests of a provider share it, in their order."""
    return kept.primary(f"data-{kept.provider}")


def test_a_repository_is_made_once(module: Any, kept: Kept, server: Any) -> None:
    ask = kept.of(server)
    before = module("wal_archive", **ask)
    assert not before["failed"] and not before["changed"], before
    assert codes(before) == ["archive_nowhere", "repository_missing"]
    assert module("wal_archive", check=True, state="initialized", **ask)["changed"]
    assert "repository_missing" in codes(module("wal_archive", **ask)), "check mode makes nothing"
    made = module("wal_archive", state="initialized", **ask)
    assert (
        made["changed"] and made["initialized"] and made["repository"]["owner"] == made["server"]["system_identifier"]
    ), made
    again = module("wal_archive", state="initialized", **ask)
    assert not again["changed"] and not again["failed"], again


def test_the_gate_waits_for_everything(module: Any, kept: Kept, server: Any) -> None:
    kept.archiving(module, server)
    server.psql("CREATE TABLE t (x int)")
    found = module("wal_archive", state="continuous", wait=20, **kept.of(server), data_directory=str(server.data))
    assert not found["failed"] and not found["changed"] and codes(found) == [], found
    assert found["rpo"]["bytes"] < 8192 and found["gaps"] == [] and found["disk"]["hours_until_full"] is None
    assert found["archive"][0]["first"] == "000000010000000000000001"
    checked = module("wal_archive", check=True, state="continuous", **kept.of(server))
    assert not checked["failed"] and checked["server"]["position"] == found["server"]["position"], (
        "no segment was ended"
    )


def test_a_gap_is_found_and_filled(module: Any, kept: Kept, server: Any) -> None:
    fill(server, 3)
    ask = kept.of(server)
    assert not module("wal_archive", state="continuous", wait=20, **ask)["failed"]
    kept.remove(THIRD)
    if kept.provider == "pgbackrest":
        kept.backrest("check")  # ends well
        assert '"status":{"code":2,' in kept.backrest("info", "--output=json"), "no backup, and nothing else"
    found = module("wal_archive", **ask)
    assert not found["failed"] and codes(found) == ["archive_gap"], found
    assert found["gaps"] == [{"timeline": 1, "first": THIRD, "last": THIRD, "count": 1}]
    gate = module("wal_archive", state="continuous", wait=30, **ask)
    assert gate["failed"] and gate["code"] == "archive_gap" and THIRD in gate["msg"], gate
    fill_up = {**ask, "backfill": True, "data_directory": str(server.data)}
    assert module("wal_archive", check=True, **fill_up)["backfilled"] == [THIRD]
    filled = module("wal_archive", state="continuous", **fill_up)
    assert not filled["failed"] and filled["changed"] and filled["backfilled"] == [THIRD], filled
    again = module("wal_archive", state="continuous", **fill_up)
    assert not again["failed"] and not again["changed"], again


def test_a_history_of_somebody_else(module: Any, kept: Kept, server: Any) -> None:
    kept.put("00000007.history", "1\t0/2000148\tno recovery target specified\n")
    found = module("wal_archive", **kept.of(server))
    assert codes(found) == ["history_differs"] and found["histories"] == [{"timeline": 7, "state": "foreign"}]
    assert module("wal_archive", state="continuous", **kept.of(server))["code"] == "history_differs"
    kept.remove("00000007.history")


def test_a_command_that_only_pretends(module: Any, kept: Kept, server: Any) -> None:
    server.write_config(archive_library="", archive_command="/bin/true")
    server.ctl("reload")
    gate = module("wal_archive", state="continuous", **kept.of(server))
    assert gate["failed"] and gate["code"] == "archive_placeholder", gate
    server.write_config(**{"archive_command": "", **kept.settings})
    server.stop()
    server.start()
    fill_up = {**kept.of(server), "backfill": True, "data_directory": str(server.data)}
    filled = module("wal_archive", state="continuous", wait=20, **fill_up)
    assert not filled["failed"], "what was pretended to be archived is still in pg_wal"


def test_an_archive_that_takes_nothing(module: Any, kept: Kept, server: Any) -> None:
    kept.run("chmod", "500", *kept.run("find", kept.archive, "-type", "d").stdout.split())
    fill(server, 1)
    gate = module("wal_archive", state="continuous", wait=2, **kept.of(server), data_directory=str(server.data))
    assert gate["failed"] and gate["code"] in ("archive_stale", "archive_failing"), gate
    until(lambda: "archive_failing" in codes(module("wal_archive", **kept.of(server))), "no failure is seen", 15)
    found = module("wal_archive", **kept.of(server), data_directory=str(server.data))
    assert found["archiving"]["ready_files"] and found["rpo"]["bytes"] and found["disk"]["free_bytes"], found
    kept.run("chmod", "-R", "u+w", kept.archive)


def test_somebody_elses_server(module: Any, kept: Kept, shared_servers: Any) -> None:
    other = Kept(shared_servers, kept.provider, kept.provider)
    foreign = shared_servers.primary(
        f"foreign-{kept.provider}", stranger=True, archive_mode="on", archive_command="false"
    )
    before = kept.config.read_text() if kept.provider == "pgbackrest" else ""
    other.configure(foreign)
    made = module("wal_archive", state="initialized", **other.of(foreign))
    assert made["failed"] and made["code"] == "other_cluster", made
    assert module("wal_archive", check=True, state="initialized", **other.of(foreign))["code"] == "other_cluster"
    found = module("wal_archive", **other.of(foreign))
    assert codes(found)[0] == "other_cluster" and found["gaps"] == [], found
    if before:
        kept.run("sh", "-c", f'cat > "{kept.config}"', input=before)


def test_a_standby_archives_nothing(module: Any, kept: Kept, server: Any, shared_servers: Any) -> None:
    standby = shared_servers.standby(server, f"standby-{kept.provider}")
    assert module("wal_archive", **kept.of(standby))["code"] == "wrong_role"
    data = {"backfill": True, "data_directory": str(standby.data)}
    assert module("wal_archive", **kept.of(server), **data)["code"] == "invalid_input", (
        "that is another one's directory"
    )
    standby.stop()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_failover_with_wal_that_was_not_archived(module: Any, servers: Any, provider: str) -> None:
    kept = Kept(servers, provider)
    primary = kept.archiving(module, kept.primary("first"))
    assert not module("wal_archive", state="continuous", wait=20, **kept.of(primary))["failed"]
    standby = servers.standby(primary, "second", **kept.settings)
    primary.write_config(archive_library="", archive_command="false")
    primary.ctl("reload")
    fill(primary, 3)
    at = primary.psql("SELECT pg_current_wal_lsn()")
    until(lambda: standby.psql(f"SELECT pg_last_wal_receive_lsn() >= '{at}'") == "t", "the standby lags")
    primary.stop("immediate")
    standby.psql("SELECT pg_promote()")
    kept.configure(standby)
    fill(standby, 1)
    found = wait_for_own(module, kept, standby)
    assert codes(found) == ["archive_gap"] and found["gaps"][0]["count"] >= 3, found
    fill_up = {**kept.of(standby), "backfill": True, "data_directory": str(standby.data)}
    filled = module("wal_archive", state="continuous", wait=20, **fill_up)
    assert not filled["failed"] and filled["gaps"] == [], filled
    assert all(name.startswith("00000001") for name in filled["backfilled"]) and len(filled["backfilled"]) >= 3
    again = module("wal_archive", state="continuous", wait=20, **fill_up)
    assert not again["failed"] and not again["changed"], again


def wait_for_own(module: Any, kept: Kept, server: Any) -> dict[str, Any]:
    """Until the server has archived what is its own."""

    until(
        lambda: not module("wal_archive", **kept.of(server))["archiving"]["ready_files"],
        "the new primary does not archive",
    )
    found: dict[str, Any] = module("wal_archive", **kept.of(server))
    return found


@pytest.fixture
def small(servers: Any) -> Iterator[Kept]:
    """A repository on a file system of 12 MB."""
    kept = Kept(servers, "plain")
    kept.run("mkdir", kept.repository)
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m,mode=777", "tmpfs", str(kept.repository)], check=False
        ).returncode
    ):
        pytest.skip("Only root may mount a small file system.")
    yield kept
    subprocess.run(["umount", "-l", str(kept.repository)], check=True)


def test_a_repository_that_is_full(module: Any, small: Kept) -> None:
    server = small.primary()
    assert not module("wal_archive", state="initialized", **small.of(server))["failed"]
    server.write_config(archive_command="/bin/true")
    server.ctl("reload")
    fill(server, 2)
    until(lambda: module("wal_archive", **small.of(server))["archiving"]["ready_files"] == 0, "true archives all")
    full = module("wal_archive", backfill=True, data_directory=str(server.data), **small.of(server))
    assert full["failed"] and full["code"] == "repository_full", full
    assert small.files("") == [], "nothing half is left"


def test_pgbackrest_repositories_that_cannot_be_read(module: Any, servers: Any) -> None:
    kept = Kept(servers, "pgbackrest")
    server = kept.primary()
    kept.configure(server, "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=one")
    kept.archiving(module, server)
    assert not module("wal_archive", state="continuous", wait=20, **kept.of(server))["failed"]
    kept.configure(server, "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=two")
    found = module("wal_archive", **kept.of(server))
    assert "repository_cipher" in codes(found), found
    gate = module("wal_archive", state="continuous", wait=20, **kept.of(server))
    assert gate["failed"] and gate["code"] == "repository_cipher" and "two" not in str(gate), gate
    host = "repo1-host-type=tls\nrepo1-host={}\nrepo1-host-port=9\nrepo1-host-cert-file=/nowhere\nrepo1-host-key-file=/nowhere"
    kept.configure(server, host.format("127.0.0.1"))
    away = module("wal_archive", **kept.of(server))
    assert not away["failed"] and any(each.startswith("repository_") for each in codes(away)), away
    missing = module("wal_archive", **{**kept.of(server), "config_file": "/nowhere.conf"})
    assert codes(missing)[-1] == "repository_config", missing
