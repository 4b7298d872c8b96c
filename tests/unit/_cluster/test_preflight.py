"""What makes a machine unfit, one problem a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.preflight import (
    Member,
    Neighbour,
    NotFit,
    Wishes,
    destroy_problems,
    identity_problems,
    preflight_problems,
    refuse,
)

GIB = 1024**3
PLACE = {"exists": False, "is_directory": False, "mount_point": False, "cluster": False, "entries": [],
         "parent": "/var/lib/postgresql", "parent_writable": True, "outside": []}  # fmt: skip


def machine(**different: Any) -> dict[str, Any]:
    return {
        "os": {"id": "debian", "version_id": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
        "version": 15,
        "missing_packages": [],
        "adopted": False,
        "data_directory": "/var/lib/postgresql/15/main",
        "config_directory": "/etc/postgresql/15/main",
        "configured": False,
        "ours": False,
        "unused": True,
        "node": "",
        "differences": [],
        "port": {"number": 5432, "busy": False, "ours": False, "own": None, "holder": None},
        "filesystem": {"path": "/var/lib/postgresql", "total_bytes": 100 * GIB, "free_bytes": 50 * GIB},
        "data": PLACE,
        **different,
    }


def member(name: str = "node1", address: str = "192.0.2.1", slot: str = "node1_slot", cluster: str = "main",
           adopt: bool = False, **different: Any) -> Member:  # fmt: skip
    return Member(name, machine(**different), address, slot, cluster, adopt)


def wishes(**different: Any) -> Wishes:
    fixed: dict[str, Any] = {
        "fleet": "shop",
        "nodes": ["node1", "node2"],
        "min_free_mb": 512,
        "repository": "distribution",
        "releases": {"debian-12": 15},
    }
    return Wishes(**{**fixed, **different})


def busy(**holder: Any) -> dict[str, Any]:
    return {"number": 5432, "busy": True, "ours": False, "own": None, "holder": holder or None}


CLUSTER: dict[str, Any] = {
    "configured": True,
    "ours": True,
    "unused": False,
    "data": {**PLACE, "exists": True, "is_directory": True, "cluster": True},
}
ROWS: dict[str, tuple[Member, Wishes, str | None, str]] = {
    "an empty machine is fit": (member(), wishes(), None, ""),
    "our running server": (
        member(**CLUSTER, port={"number": 5432, "busy": True, "ours": True, "own": 5432}), wishes(), None, ""),
    "another program on the port": (member(port=busy()), wishes(), "port_in_use", "Port 5432 is in use by another program."),
    "a named program on the port": (
        member(port=busy(program="nc", pid=12)), wishes(), "port_in_use", "another program (nc, process 12)"),
    "a foreign PostgreSQL on the port": (
        member(port=busy(program="postgres", pid=12, data_directory="/srv/pg", cluster="15/old", ours=False, fleet="", node="")),
        wishes(), "port_in_use", "cluster 15/old, not made by this collection, with its data in '/srv/pg', process 12"),
    "a PostgreSQL of no known cluster": (
        member(port=busy(program="postgres", pid=12, data_directory="/srv/pg")), wishes(), "port_in_use", "data in '/srv/pg', process 12"),
    "a node of ours on the port": (
        member(port=busy(program="postgres", pid=12, data_directory="/srv/pg", cluster="15/a", ours=True, fleet="f", node="n")),
        wishes(), "port_in_use", "cluster 15/a, node 'n' of the fleet 'f'"),
    "somebody's cluster of that name": (member(configured=True, unused=False), wishes(), "cluster_foreign", "pg_server_adopt"),
    "somebody's cluster that is to be adopted": (member(configured=True, unused=False, adopt=True), wishes(), None, ""),
    "no space": (
        member(filesystem={"path": "/data", "free_bytes": GIB // 4}), wishes(), "not_enough_space", "/data has 256 MB free"),
    "a running cluster on a full disk": (member(**CLUSTER, filesystem={"path": "/data", "free_bytes": 0}), wishes(), None, ""),
    "a version the distribution lacks": (
        member(version=17, missing_packages=["postgresql-17"]), wishes(), "version_not_shipped", "ships PostgreSQL 15, not 17"),
    "that version is installed already": (member(version=17), wishes(), None, ""),
    "that version from the project's repository": (
        member(version=17, missing_packages=["postgresql-17"]), wishes(repository="pgdg"), None, ""),
    "an unsupported system": (
        member(os={"id": "arch", "version_id": None, "name": "Arch Linux"}, configured=True), wishes(),
        "system_not_supported", "Arch Linux, which is not supported. Use one of: debian-12"),
    "a mount point": (
        member(data={**PLACE, "exists": True, "is_directory": True, "mount_point": True}), wishes(), "mount_point", "main/data'"),
    "a mount point with lost+found": (
        member(data={**PLACE, "exists": True, "is_directory": True, "mount_point": True, "entries": ["lost+found"]}), wishes(),
        "mount_point", "lost+found"),
    "a cluster of ours on a mount point": (member(**{**CLUSTER, "data": {**CLUSTER["data"], "mount_point": True}}), wishes(), None, ""),
    "files of somebody": (
        member(data={**PLACE, "exists": True, "is_directory": True, "entries": ["notes.txt"]}), wishes(), "foreign_files", "notes.txt"),
    "a file": (member(data={**PLACE, "exists": True}), wishes(), "not_a_directory", "is not a directory"),
    "an empty directory": (member(data={**PLACE, "exists": True, "is_directory": True}), wishes(), None, ""),
    "a parent that belongs to root": (
        member(data={**PLACE, "parent": "/srv", "parent_writable": False}), wishes(), "not_permitted", "may not write in '/srv'"),
    "a parent before the user exists": (member(data={**PLACE, "parent": "/var/lib", "parent_writable": None}), wishes(), None, ""),
    "a name with hyphen, dot and upper case": (member("Node-1.example.com"), wishes(), None, ""),
    "a name of 63 bytes": (member("n" * 63), wishes(), None, ""),
    "a name of 64 bytes": (member("n" * 64), wishes(), "node_name_invalid", "64 bytes"),
    "a name that is not ASCII": (member("knöten"), wishes(), "node_name_invalid", "outside of ASCII"),
    "a name with a quote": (member('a"b'), wishes(), "node_name_invalid", "quotes"),
    "a name with a blank": (member("a b"), wishes(), "node_name_invalid", "blanks"),
    "a slot that is too long": (member(slot="n" * 64), wishes(), "slot_name_invalid", "pg_server_slot"),
    "a slot with a hyphen": (member(slot="node-1"), wishes(), "slot_name_invalid", "'node-1'"),
    "a slot in upper case": (member(slot="Node1"), wishes(), "slot_name_invalid", "lower-case"),
    "an empty slot": (member(slot=""), wishes(), "slot_name_invalid", "pg_server_slot"),
    "a cluster name with a slash": (member(cluster="../x"), wishes(), "cluster_name_invalid", "'../x'"),
    "an IPv6 address": (member(address="2001:db8::1"), wishes(), None, ""),
    "a wildcard for an address": (member(address="0.0.0.0"), wishes(), "address_invalid", "pg_server_address"),
    "two addresses": (member(address="192.0.2.1,192.0.2.2"), wishes(), "address_invalid", "one address"),
    "no address": (member(address=""), wishes(), "address_invalid", "pg_server_address"),
    "no fleet": (member(), wishes(fleet=""), "fleet_name_invalid", "pg_server_fleet"),
    "a fleet that leaves its directory": (member(), wishes(fleet="../.."), "fleet_name_invalid", "'../..'"),
    "a fleet with a blank": (member(), wishes(fleet="my fleet"), None, ""),
    "a fleet with certificates": (member(**CLUSTER), wishes(certificates=True), None, ""),
    "a server with certificates that is to be adopted": (
        member(configured=True, unused=False, adopt=True), wishes(certificates=True), "certificates_of_adopted", "'pki_mode: snakeoil'"),
    "one with certificates that was adopted": (
        member(**CLUSTER, adopted=True), wishes(certificates=True), "certificates_of_adopted", "node1: A server that somebody else made"),
    "one that was adopted, without certificates": (member(**CLUSTER, adopted=True), wishes(), None, ""),
    "a server of ours that adopting does not concern": (member(**CLUSTER, adopt=True), wishes(certificates=True), None, ""),
    "an address that PostgreSQL 14 does not look for": (
        member(version=14), wishes(certificates=True, releases=None), "certificates_by_address", "not for addresses such as 192.0.2.1"),
    "a name that PostgreSQL 14 looks for": (member(version=14, address="node1"), wishes(certificates=True, repository="pgdg"), None, ""),
    "a fleet of two lines": (member(), wishes(fleet="a\nb"), "fleet_name_invalid", "directory"),
}  # fmt: skip


@pytest.mark.parametrize(("node", "wish", "code", "words"), ROWS.values(), ids=ROWS.keys())
def test_problems(node: Member, wish: Wishes, code: str | None, words: str) -> None:
    problems = preflight_problems([node], wish)
    assert [problem.code for problem in problems] == ([code] if code else [])
    if problems:
        assert words in str(problems[0])


def test_nodes_that_are_in_each_others_way() -> None:
    same_slot = [member("node-1", "192.0.2.1", "node_1_slot"), member("node.1", "192.0.2.2", "node_1_slot")]
    problems = preflight_problems(same_slot, wishes())
    assert [problem.code for problem in problems] == ["slot_name_taken"]
    assert "node-1 and node.1" in str(problems[0]) and "pg_server_slot" in str(problems[0])
    same_address = [member("a", slot="a_slot"), member("b", slot="b_slot")]
    assert [problem.code for problem in preflight_problems(same_address, wishes())] == ["address_taken"]


@pytest.mark.parametrize(
    ("neighbour", "code", "words"),
    [
        (Neighbour("w1", "west", "192.0.2.1:5433"), None, ""),
        (Neighbour("w1", "west", "192.0.2.1:5432"), "address_taken", "also that of w1 of the fleet west"),
        (Neighbour("w1", "west", "192.0.2.1:5433", "/etc/postgresql/15/main"), None, ""),
        (
            Neighbour("w1", "west", "192.0.2.1:5433", "/etc/postgresql/15/main", local=True),
            "cluster_taken",
            "w1 (fleet west)",
        ),
        (
            Neighbour("w1", "west", "192.0.2.9:5432", secrets_directory="/s"),
            "secrets_shared",
            "The fleets local, west have",
        ),
    ],
    ids=["apart", "address and port", "cluster of another machine", "cluster of this machine", "secrets"],
)
def test_what_a_node_of_another_fleet_has_already(neighbour: Neighbour, code: str | None, words: str) -> None:
    wish = wishes(fleet="local", neighbours=[neighbour], secrets_directory="/s")
    problems = preflight_problems([replace(member("a"), local=True)], wish)
    assert [problem.code for problem in problems] == ([code] if code else [])
    assert words in " ".join(map(str, problems))


def test_two_nodes_of_this_machine_have_clusters_of_their_own() -> None:
    one, other = member("a", "192.0.2.1", "a_slot"), member("b", "192.0.2.2", "b_slot")
    assert preflight_problems([one, other], wishes()) == []
    pair = [replace(one, local=True), replace(other, local=True)]
    assert [problem.code for problem in preflight_problems(pair, wishes())] == ["cluster_taken"]


def test_all_problems_are_named_at_once() -> None:
    node = member(configured=True, unused=False, port=busy())
    with pytest.raises(NotFit, match=r"Port 5432.*did not make.*Nothing was changed") as refused:
        refuse(preflight_problems([node], wishes()))
    assert refused.value.code == "port_in_use"
    assert len(refused.value.facts["problems"]) == 2
    refuse([])


def test_a_node_in_another_nodes_cluster() -> None:
    node = member(configured=True, ours=True, unused=False, node="node2")
    assert [problem.code for problem in identity_problems([node], wishes())] == ["node_differs"]
    renamed = member(configured=True, ours=True, unused=False, node="former-name")
    assert identity_problems([renamed], wishes()) == []


def test_differences_are_said_in_their_own_words() -> None:
    differs = {"code": "port_differs", "message": "It has the port 1.", "remedy": "Set pg_server_port to '1'."}
    with pytest.raises(
        NotFit, match=r"node1: It has the port 1\. Set pg_server_port to '1'\. Nothing was changed\."
    ) as refused:
        refuse(identity_problems([member(differences=[differs])], wishes()))
    assert refused.value.code == "port_differs"


def test_an_adopted_server_is_not_destroyed_without_a_word() -> None:
    assert [each.code for each in destroy_problems([member(adopted=True), member(adopted=False)])] == ["adopted"]
