"""A directory that was recovered beside a living one takes its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.modules.test_restore import (
    PROVIDERS,
    Origin,
    make_origin,
    note_points,
    wanted,
)


@pytest.mark.parametrize(("provider", "kind"), list(zip(PROVIDERS, ("lsn", "name"))))
def test_a_cluster_goes_back_to_a_moment(
    servers: Any, module_path: Path, module: Any, provider: str, kind: str
) -> None:
    origin: Origin = make_origin(servers, module_path, provider)
    note_points(origin)
    primary, beside = origin.primary, servers.data("beside")
    target = {**origin.at(kind), "timeline": 1}
    recovering = wanted(origin, beside, **target, action="shutdown")
    replacing = {**wanted(origin, primary.data, **target), "mode": "files"}
    assert module("restore", prepared=str(beside), **replacing)["code"] == "not_prepared"
    done = module("restore", **recovering)
    assert (done["action"], done["reached"]["state"]) == ("restored", "shut_down"), done
    assert module("restore", **recovering)["action"] == "kept"
    refused = module("restore", prepared=str(beside), **replacing)
    assert (refused["code"], refused["server_pid"]) == ("server_running", primary.pid), refused
    assert primary.psql("SELECT count(*) FROM pg_class WHERE relname = 'ledger'") == "0", "it was dropped"

    primary.stop()
    other = {**replacing, "target_type": "lsn", "target": "0/5555555"}
    assert module("restore", prepared=str(beside), **other)["code"] == "other_restore"
    checked = module("restore", check=True, prepared=str(beside), **replacing)
    assert (checked["action"], checked["changed"]) == ("replaced", True) and beside.exists(), checked
    swapped = module("restore", prepared=str(beside), **replacing)
    assert (swapped["action"], swapped["changed"]) == ("replaced", True), swapped
    assert (Path(swapped["replaced_path"]) / "PG_VERSION").exists() and not beside.exists()
    again = module("restore", prepared=str(beside), **replacing)
    assert (again["action"], again["reason"], again["changed"]) == ("kept", "not_started", False), again

    primary.start()
    led = module("restore", **replacing)
    assert (led["action"], led["reached"]["state"], led["reached"]["timeline"]) == ("recovered", "promoted", 2), led
    assert int(primary.psql("SELECT count(*) FROM ledger")) == origin.points[kind][1]
    assert primary.psql("SHOW archive_mode") == "on", "its own settings are in force again"
    assert "recovery_target" not in servers.run("cat", primary.data / "postgresql.auto.conf").stdout
    assert not module("restore", **replacing)["changed"]
