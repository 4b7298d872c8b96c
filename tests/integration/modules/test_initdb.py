# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Fresh clusters: made, kept whatever they are, refused where something else is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.waiting import until


@pytest.fixture
def dest(servers):
    return servers.data("node")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_check_then_create_then_keep_whatever_it_is(servers, module, dest):
    wal = servers.data("wal")
    wanted = {
        "data_directory": str(dest),
        "locale": "C.UTF-8",
        "wal_dir": str(wal),
        "auth_local": "trust",
        "wal_segment_size": 4,
    }
    foreseen = module("initdb", check=True, **wanted)
    assert (foreseen["action"], foreseen["reason"], foreseen["system_identifier"]) == ("created", "missing", None)
    assert names(servers.folder) == []
    done = module("initdb", **wanted)
    assert (done["action"], done["reason"], done["changed"]) == ("created", "missing", True), done
    assert (done["timeline"], done["cluster_state"], done["data_checksums"]) == (1, "shut down", True)
    assert done["diff"] == foreseen["diff"]
    assert names(servers.folder) == ["node", "wal"] and dest.stat().st_mode & 0o777 == 0o700
    assert (dest / "pg_wal").readlink() == wal
    for check in (True, False):
        kept = module("initdb", check=check, **wanted)
        assert (kept["action"], kept["changed"], kept["system_identifier"]) == (
            "kept",
            False,
            done["system_identifier"],
        )
        assert (kept["standby"], kept["server_pid"]) == (False, None)
    server = servers.server(dest).start()
    running = module("initdb", **wanted)
    assert (running["action"], running["server_pid"]) == ("kept", server.pid)
    assert server.psql("SHOW lc_collate") == "C.UTF-8" and server.psql("SHOW wal_segment_size") == "4MB"
    server.stop()
    server.write("standby.signal", "")
    assert module("initdb", **wanted)["standby"] is True


@pytest.mark.parametrize(
    ("code", "prepare", "more"),
    [
        ("locale_missing", "true", {"locale": "xx_YY.UTF-8"}),
        ("foreign_files", "mkdir node && touch node/precious", {}),
        ("unfinished_copy", "mkdir node && echo 15 > node/PG_VERSION", {}),
        (
            "unreadable_control_file",
            "mkdir -p node/global && echo 15 > node/PG_VERSION && touch node/global/pg_control",
            {},
        ),
        ("not_a_directory", "touch node", {}),
        ("incoming_foreign", "mkdir -p node.incoming/precious", {}),
        ("not_empty", "mkdir -p wal/precious", {"wal_dir": "{folder}/wal"}),
        ("invalid_input", "true", {"wal_dir": "{folder}/node/wal"}),
        ("programs_missing", "true", {"bin_dir": "/nowhere"}),
        ("not_permitted", "true", {"data_directory": "/usr/node"}),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" not in value else "",
)
def test_refused_in_check_mode_and_for_real(servers, module, dest, code, prepare, more):
    servers.run("sh", "-c", f"cd '{servers.folder}' && {prepare}")
    before = names(servers.folder)
    given = {name: value.format(folder=servers.folder) for name, value in more.items()}
    for check in (True, False):
        result = module("initdb", check=check, **{"data_directory": str(dest), "locale": "C.UTF-8", **given})
        assert (result["failed"], result.get("code")) == (True, code), result
        assert result["remedy"]
    assert names(servers.folder) == before


def test_failure_of_initdb_leaves_nothing(servers, module, dest):
    result = module("initdb", data_directory=str(dest), locale="C.UTF-8", encoding="LATIN1")
    assert (result["failed"], result["code"]) == (True, "initdb_failed") and "encoding" in result["msg"], result
    assert names(servers.folder) == []


def test_killed_and_run_again(servers, module, dest):
    wanted = {"data_directory": str(dest), "locale": "C.UTF-8", "wal_dir": str(servers.data("wal"))}
    started = module.start("initdb", **wanted)
    until(Path(f"{dest}.incoming/base").exists, seconds=10, every=0.001)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert not dest.exists()
    done = module("initdb", **wanted)
    assert (done["action"], done["reason"]) == ("created", "unfinished_cluster"), done
    assert names(servers.folder) == ["node", "wal"]
    assert module("initdb", **wanted)["action"] == "kept"
