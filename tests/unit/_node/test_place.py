"""Where a node's server is on its machine, and what an inventory may not say otherwise; one case a row."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._node.place import (
    Installed,
    WantedNode,
    Way,
    find_differences,
    find_place,
    fleet_of,
    is_taken,
    way_to,
)

WANTED = WantedNode(
    version=17,
    cluster="main",
    data_directory="/var/lib/postgresql/%v/%c",
    port=5432,
    socket_directory="/var/run/postgresql",
    fleet="shop",
    node="node1",
)
OURS = Installed(
    version=17,
    cluster="main",
    directory="/etc/postgresql/17/main",
    data_directory="/var/lib/postgresql/17/main",
    port=5432,
    sockets=("/var/run/postgresql",),
    ours=True,
    fleet="shop",
    node="node1",
    pid=4711,
    own_port=5432,
)
FOREIGN = replace(OURS, ours=False, fleet="", node="17/main")
LOCAL = replace(WANTED, cluster="shop_node1", data_directory="/var/lib/postgresql/%v/%c")
OURS_LOCAL = replace(OURS, cluster="shop_node1", data_directory="/var/lib/postgresql/17/shop_node1")
NEIGHBOUR = replace(
    OURS_LOCAL, cluster="shop_node2", node="node2", data_directory="/var/lib/postgresql/17/shop_node2", port=5433
)


def wanted(**different: Any) -> WantedNode:
    return replace(WANTED, **different)


ROWS: dict[str, tuple[WantedNode, list[Installed], list[str]]] = {
    "an empty machine": (WANTED, [], []),
    "as it should be": (WANTED, [OURS], []),
    "stopped": (WANTED, [replace(OURS, pid=None, own_port=None)], []),
    "data directory": (wanted(data_directory="/srv/pg"), [OURS], ["data_directory_differs"]),
    "data directory, stopped": (
        wanted(data_directory="/srv/pg"),
        [replace(OURS, pid=None, own_port=None)],
        ["data_directory_differs"],
    ),
    "data directory of a server that never was": (
        wanted(data_directory="/srv/pg"),
        [replace(OURS, pid=None, own_port=None, unused=True, started=False)],
        [],
    ),
    "data directory that initdb has filled, before a first start": (
        wanted(data_directory="/srv/pg", port=5433),
        [replace(OURS, pid=None, own_port=None, started=False)],
        ["data_directory_differs"],
    ),
    "a link to the same data directory": (wanted(data_directory="/link/to/main"), [OURS], []),
    "port": (wanted(port=5439), [OURS], ["port_differs"]),
    "port, stopped": (wanted(port=5439), [replace(OURS, pid=None, own_port=None)], ["port_differs"]),
    "port of a server that never ran": (wanted(port=5439), [replace(OURS, pid=None, own_port=None, started=False)], []),
    "a port changed in the files and not yet in force": (wanted(port=5439), [replace(OURS, port=5439)], []),
    "socket directory": (wanted(socket_directory="/run/other"), [OURS], ["socket_directory_differs"]),
    "one of two socket directories": (
        wanted(socket_directory="/run/two"),
        [replace(OURS, sockets=("/var/run/postgresql", "/run/two"))],
        [],
    ),
    "a socket directory that never was there": (
        wanted(socket_directory="/run/other"),
        [replace(OURS, pid=None, own_port=None, socket_exists=False)],
        [],
    ),
    "cluster": (wanted(cluster="other"), [OURS], ["cluster_differs"]),
    "cluster, stopped": (wanted(cluster="other"), [replace(OURS, pid=None, own_port=None)], ["cluster_differs"]),
    "version": (wanted(version=16), [OURS], ["version_differs"]),
    "version and cluster": (wanted(version=16, cluster="x"), [OURS], ["version_differs", "cluster_differs"]),
    "everything at once": (
        wanted(data_directory="/srv/pg", port=5439, socket_directory="/run/other"),
        [OURS],
        ["data_directory_differs", "port_differs", "socket_directory_differs"],
    ),
    "fleet": (wanted(fleet="other"), [OURS], ["fleet_differs"]),
    "fleet, where the cluster's name has the fleet in it": (
        replace(LOCAL, fleet="other", cluster="other_node1"),
        [OURS_LOCAL, NEIGHBOUR],
        ["fleet_differs"],
    ),
    "a second fleet beside the first": (
        replace(LOCAL, fleet="other", cluster="other_node1", port=6000),
        [OURS_LOCAL],
        [],
    ),
    "a neighbour of the same fleet": (LOCAL, [NEIGHBOUR, OURS_LOCAL], []),
    "a new node beside its neighbour": (LOCAL, [NEIGHBOUR], []),
    "a neighbour's cluster": (
        replace(LOCAL, cluster="shop_node2"),
        [OURS_LOCAL, NEIGHBOUR],
        ["cluster_differs"],
    ),
    "what an interrupted run left under another name": (
        wanted(cluster="other"),
        [replace(OURS, pid=None, own_port=None, unused=True)],
        [],
    ),
    "a foreign server under the name": (WANTED, [FOREIGN], []),
    "a foreign server on another port": (wanted(port=5439), [FOREIGN], ["port_differs"]),
    "a foreign server elsewhere on the machine": (wanted(cluster="shop"), [FOREIGN], []),
}


@pytest.mark.parametrize(("wish", "clusters", "codes"), ROWS.values(), ids=ROWS.keys())
def test_differences(wish: WantedNode, clusters: list[Installed], codes: list[str]) -> None:
    def same_path(one: str, other: str) -> bool:
        return os.path.basename(one) == os.path.basename(other) if one.startswith("/link") else one == other

    found = find_differences(wish, find_place(wish, clusters), same_path)
    assert [each.code for each in found] == codes
    for each in found:
        assert each.variable in each.message and each.variable in each.remedy
        assert each.wanted in each.message and each.found in each.message + each.remedy


@pytest.mark.parametrize(
    ("text", "fleet"),
    [
        ("# Owned by pgfleet.cluster, fleet shop. Changes made here are lost; use pg_server_settings.\n", "shop"),
        ("# Owned by pgfleet.cluster, fleet a.b c. Changes made here are lost; use pg_server_settings.\n", "a.b c"),
        ("port = 5432\n", ""),
    ],
)
def test_the_fleet_of_our_file(text: str, fleet: str) -> None:
    assert fleet_of(text) == fleet


WAYS: dict[str, tuple[Installed | None, WantedNode, Way]] = {
    "an empty machine": (None, wanted(port=5440), Way(5440, "/var/run/postgresql")),
    "a server that never was": (replace(OURS, unused=True), wanted(port=5440), Way(5440, "/var/run/postgresql")),
    "as the inventory says": (OURS, WANTED, Way(5432, "/var/run/postgresql")),
    "another port than in its files": (replace(OURS, port=5440), WANTED, Way(5432, "/var/run/postgresql")),
    "stopped, the port of its files": (
        replace(OURS, port=5440, own_port=None),
        WANTED,
        Way(5440, "/var/run/postgresql"),
    ),
    "another socket directory": (replace(OURS, sockets=("/a", "/b")), WANTED, Way(5432, "/a")),
    "one of its socket directories": (
        replace(OURS, sockets=("/a", "/b")),
        wanted(socket_directory="/b"),
        Way(5432, "/b"),
    ),
    "no socket directory known": (replace(OURS, sockets=()), WANTED, Way(5432, "/var/run/postgresql")),
}


@pytest.mark.parametrize(("place", "wish", "way"), WAYS.values(), ids=WAYS)
def test_way(place: Installed | None, wish: WantedNode, way: Way) -> None:
    assert way_to(place, wish, lambda one, other: one == other) == way


@pytest.mark.parametrize(
    ("place", "adopt", "expected"),
    [(None, True, False), (OURS, False, True), (FOREIGN, False, False), (FOREIGN, True, True)],
)
def test_another_cluster_is_only_taken_to_be_adopted(place: Installed | None, adopt: bool, expected: bool) -> None:
    assert is_taken(place, adopt) is expected
