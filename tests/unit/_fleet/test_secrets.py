"""Whose the secrets on the control machine are, one case a row, and the marker in real directories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._node.place_read import describe_data
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.secret_files import forget_secrets, settle_owner
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.secrets import Owner, SecretsRefused, plan_owner

A, B, C = "node1 192.0.2.1:5432", "node2 192.0.2.2:5432", "node3 192.0.2.3:5432"
A_MOVED = "node1 192.0.2.1:5499"
ROWS: dict[str, tuple[Owner | None, list[str], list[str], Owner | None]] = {
    "no marker, no server": (None, [A, B], [], Owner((A, B))),
    "no marker, a server": (None, [A, B], ["1"], Owner((A, B), "1")),
    "the first server": (Owner((A, B)), [A, B], ["1"], Owner((A, B), "1")),
    "as before": (Owner((A, B), "1"), [A, B], ["1"], Owner((A, B), "1")),
    "nodes added": (Owner((A,), "1"), [A, B, C], ["1"], Owner((A, B, C), "1")),
    "other nodes, same system": (Owner((A,), "1"), [B, C], ["1"], Owner((B, C), "1")),
    "another port, same system": (Owner((A,), "1"), [A_MOVED], ["1"], Owner((A_MOVED,), "1")),
    "nodes changed before there was a server": (Owner((A, B)), [B, C], [], Owner((B, C))),
    "its servers were removed by hand": (Owner((A, B), "1"), [A, B], [], Owner((A, B))),
    "one node has another system": (Owner((A, B), "1"), [A, B], ["1", "2"], Owner((A, B), "1")),
    "two systems and none noted": (Owner((A, B)), [A, B], ["1", "2"], Owner((A, B))),
    "another system": (Owner((A, B), "1"), [C], ["2"], None),
    "another system on nodes of that name": (Owner((A, B), "1"), [A, B], ["2"], None),
    "no server, other nodes": (Owner((A, B), "1"), [C], [], None),
    "no server, same name, another port": (Owner((A,), "1"), [A_MOVED], [], None),
    "nothing noted but other nodes": (Owner((A, B)), [C], ["2"], None),
}


@pytest.mark.parametrize(("noted", "nodes", "systems", "wanted"), ROWS.values(), ids=ROWS.keys())
def test_plan(noted: Owner | None, nodes: list[str], systems: list[str], wanted: Owner | None) -> None:
    if wanted is None:
        assert noted
        with pytest.raises(SecretsRefused) as refused:
            plan_owner(noted, nodes, systems, "/secrets")
        assert refused.value.code == "secrets_of_another_fleet"
        assert all(
            word in str(refused.value) for word in (*nodes, *systems, *noted.nodes, "/secrets", "pg_server_fleet")
        )
    else:
        assert plan_owner(noted, nodes, systems, "/secrets") == wanted


def facts(port: int, system: str | None = None) -> dict[str, Any]:
    known = {"pg_server_facts": {"address": "127.0.0.1", "port": port}}
    return {**known, "pg_server_node": {"version": 17, "data": {"system_identifier": system}}}


FIRST = {"node1": facts(5701, "7")}
SECOND = {"node1": facts(5711)}


def test_the_marker_goes_with_its_fleet_only(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    settle_owner(str(place), FIRST, FIRST, "given", write=True)
    assert not place.exists(), "a password from elsewhere needs no directory"
    place.mkdir()
    (place / "replication.password").write_text("made\n")
    settle_owner(str(place), FIRST, FIRST, "given", write=True)
    settle_owner(str(place), FIRST, FIRST, "made", write=False)
    assert not (place / "fleet.json").exists()
    settle_owner(str(place), FIRST, FIRST, "made", write=True)
    assert (place / "fleet.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((place / "fleet.json").read_text()) == {
        "nodes": ["node1 127.0.0.1:5701"],
        "system_identifier": "7",
    }
    with pytest.raises(SecretsRefused):
        settle_owner(str(place), SECOND, SECOND, "made", write=True)
    left = forget_secrets(str(place), SECOND, SECOND, write=True)
    assert not left["changed"] and "5701" in left["msg"] and place.exists()
    assert forget_secrets(str(place), FIRST, FIRST, write=False)["changed"] and place.exists()
    assert forget_secrets(str(place), FIRST, FIRST, write=True)["changed"] and not place.exists()
    assert not forget_secrets(str(place), FIRST, FIRST, write=True)["changed"]


def test_machines_that_are_gone_are_known_by_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/fleet.json").write_text(Owner(("node1 192.0.2.7:5432",), "7").as_text())
    other, own = {"node1": {"ansible_host": "192.0.2.8"}}, {"node1": {"ansible_host": "192.0.2.7"}}
    assert not forget_secrets(str(tmp_path / "secrets"), other, other, write=True)["changed"]
    assert not forget_secrets(str(tmp_path / "secrets"), [], {}, write=True)["changed"]
    assert forget_secrets(str(tmp_path / "secrets"), own, own, write=True)["changed"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nodes": 5, "system_identifier": "7"}', "null"])
def test_a_broken_marker_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "replication.password").write_text("made")
    (tmp_path / "fleet.json").write_text(text)
    for act in (
        lambda: settle_owner(str(tmp_path), FIRST, FIRST, "made", write=True),
        lambda: forget_secrets(str(tmp_path), FIRST, FIRST, write=True),
    ):
        with pytest.raises(SecretsRefused) as refused:
            act()
        assert refused.value.code == "secrets_unusable" and str(tmp_path / "fleet.json") in str(refused.value)


def test_the_system_identifier_is_in_the_control_file(tmp_path: Path) -> None:
    (tmp_path / "global").mkdir()
    assert describe_data(str(tmp_path), "postgres")["system_identifier"] is None
    (tmp_path / "global/pg_control").write_bytes((7512345678901234567).to_bytes(8, "little") + b"\0" * 100)
    assert describe_data(str(tmp_path), "postgres")["system_identifier"] == "7512345678901234567"
