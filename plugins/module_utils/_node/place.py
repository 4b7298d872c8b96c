# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Where a node's server is on its machine, and how that differs from what the inventory says. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._host.facts import expand

_OWNER_LINE = re.compile(r"^# Owned by pgfleet\.cluster, fleet (.*?)\. Changes made here are lost")


@dataclass(frozen=True)
class WantedNode:
    """What the inventory says of a node. Without ``fleet`` and ``node`` only the cluster of that name can be its own."""

    version: int
    cluster: str
    data_directory: str
    port: int
    socket_directory: str = ""
    fleet: str = ""
    node: str = ""


@dataclass(frozen=True)
class Installed:
    """A cluster that is configured on the machine, in Debian's layout.

    ``port`` and ``sockets`` are those of the files, ``own_port`` that of the running server. ``unused``: the data directory is
    missing or empty and no server ever wrote a log; ``started``: a server did run in the data directory.
    """

    version: int
    cluster: str
    directory: str
    data_directory: str = ""
    port: int = 5432
    sockets: tuple[str, ...] = ()
    ours: bool = False
    fleet: str = ""
    node: str = ""
    adopted: bool = False
    pid: int | None = None
    own_port: int | None = None
    unused: bool = False
    started: bool = True
    socket_exists: bool = True

    @property
    def name(self) -> str:
        return f"{self.version}/{self.cluster}"

    def described(self) -> str:
        whose = f"node '{self.node}' of the fleet '{self.fleet}'" if self.ours else "not made by this collection"
        running = f"process {self.pid}" if self.pid else "stopped"
        return f"cluster {self.name}, data directory {self.data_directory}, port {self.own_port or self.port}, {running}, {whose}"


@dataclass(frozen=True)
class Difference:
    """A variable that says something else than the machine."""

    code: str
    variable: str
    wanted: str
    found: str
    message: str
    remedy: str
    facts: dict[str, Any] = field(default_factory=dict)

    def as_result(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "variable": self.variable,
            "wanted": self.wanted,
            "found": self.found,
            "message": self.message,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Way:
    """Port and socket directory of a server."""

    port: int
    socket_directory: str


def fleet_of(settings_text: str) -> str:
    """The fleet that the first line of our settings file names."""
    found = _OWNER_LINE.match(settings_text)
    return found.group(1) if found else ""


def find_place(wanted: WantedNode, clusters: Sequence[Installed]) -> Installed | None:
    """The cluster on the machine that is this node's server, whatever the variables say; None where there is none."""
    exact = next((each for each in clusters if (each.version, each.cluster) == (wanted.version, wanted.cluster)), None)
    if exact is not None and exact.ours and (exact.fleet, exact.node) == (wanted.fleet, wanted.node):
        return exact
    own = [each for each in clusters if each is not exact and _is_own(each, wanted)]
    if own:
        return max(own, key=lambda each: (each.fleet == wanted.fleet, each.pid is not None, each.version))
    return exact


def is_taken(place: Installed | None, adopt: bool) -> bool:
    """Whether a cluster that is there becomes the node's: its own, or another's that may be adopted."""
    return place is not None and (place.ours or adopt)


def way_to(place: Installed | None, wanted: WantedNode, same_path: Callable[[str, str], bool]) -> Way:
    """How the server is reached on its machine."""
    if place is None or place.unused:
        return Way(wanted.port, wanted.socket_directory)
    known = any(same_path(wanted.socket_directory, each) for each in place.sockets)
    sockets = wanted.socket_directory if known or not place.sockets else place.sockets[0]
    return Way(place.own_port or place.port, sockets)


def _is_own(cluster: Installed, wanted: WantedNode) -> bool:
    """Whether a cluster is this node's under another name. Of another fleet it is only where it has the node's own port or data."""
    if not (cluster.ours and wanted.node and cluster.node == wanted.node) or cluster.unused:
        return False
    data = expand(wanted.data_directory, wanted.version, wanted.cluster)
    return cluster.fleet == wanted.fleet or cluster.port == wanted.port or cluster.data_directory == data


def find_differences(
    wanted: WantedNode, place: Installed | None, same_path: Callable[[str, str], bool]
) -> list[Difference]:
    """How the inventory differs from the node's server. A node that never had one is as the inventory says."""
    if place is None or place.unused:
        return []
    if place.ours and wanted.fleet and place.fleet != wanted.fleet:
        return [_fleet(wanted, place)]
    found = [_version(wanted, place), _cluster(wanted, place), _data_directory(wanted, place, same_path)]
    if place.started:
        found += [_port(wanted, place), _socket_directory(wanted, place, same_path)]
    return [difference for difference in found if difference]


def _differs(variable: str, wanted: object, found: object, sentence: str, remedy: str, back: str = "") -> Difference:
    code = {"unix_socket_directory": "socket_directory"}.get(variable, variable)
    return Difference(
        f"{code}_differs",
        f"pg_server_{variable}",
        str(wanted),
        str(found),
        sentence,
        f"Set pg_server_{variable} to '{back or found}'. {remedy}",
    )


def _fleet(wanted: WantedNode, place: Installed) -> Difference:
    return _differs(
        "fleet",
        wanted.fleet,
        place.fleet,
        f"The server here belongs to the fleet '{place.fleet}' ({place.described()}), but pg_server_fleet says '{wanted.fleet}'.",
        "A second fleet on this machine needs clusters and ports of its own.",
    )


def _version(wanted: WantedNode, place: Installed) -> Difference | None:
    if place.version == wanted.version:
        return None
    return _differs(
        "version",
        wanted.version,
        place.version,
        f"The server here is PostgreSQL {place.version} ({place.described()}), but pg_server_version says {wanted.version}.",
        "This collection does no major upgrades: upgrade with pg_upgrade by hand, or build a second fleet and move the data.",
    )


def _cluster(wanted: WantedNode, place: Installed) -> Difference | None:
    if place.cluster == wanted.cluster:
        return None
    return _differs(
        "cluster",
        wanted.cluster,
        place.cluster,
        f"The server of this node is the cluster '{place.cluster}' ({place.described()}), but pg_server_cluster says '{wanted.cluster}'.",
        f"A server that is no longer needed is removed with 'pg_dropcluster {place.version} {place.cluster}'.",
    )


def _data_directory(wanted: WantedNode, place: Installed, same_path: Callable[[str, str], bool]) -> Difference | None:
    data = expand(wanted.data_directory, place.version, place.cluster)
    if not place.data_directory or same_path(data, place.data_directory):
        return None
    return _differs(
        "data_directory",
        data,
        place.data_directory,
        f"The server here has its data in '{place.data_directory}' ({place.directory}/postgresql.conf),"
        f" but pg_server_data_directory says '{data}'.",
        "To move the data, stop the server, move the directory, and write its new path into postgresql.conf; then change the variable.",
    )


def _port(wanted: WantedNode, place: Installed) -> Difference | None:
    """A server whose port was edited in its files by hand may wait for its restart."""
    if wanted.port in (place.port, place.own_port):
        return None
    found = place.own_port or place.port
    file = f"{place.directory}/conf.d/pgfleet.conf" if place.ours else f"{place.directory}/postgresql.conf"
    return _differs(
        "port",
        wanted.port,
        found,
        f"The server here ({place.described()}) has the port {found}, but pg_server_port says {wanted.port}.",
        f"To move it, change the port in {file}, restart that server, and then change the variable: site tells the other nodes.",
    )


def _socket_directory(wanted: WantedNode, place: Installed, same_path: Callable[[str, str], bool]) -> Difference | None:
    """A server that does not run because its socket directory does not exist may be given another one."""
    known = any(same_path(wanted.socket_directory, each) for each in place.sockets)
    if not wanted.socket_directory or known or (place.pid is None and not place.socket_exists):
        return None
    found = ", ".join(place.sockets)
    return _differs(
        "unix_socket_directory",
        wanted.socket_directory,
        found,
        f"The server here ({place.described()}) has its socket in '{found}',"
        f" but pg_server_unix_socket_directory says '{wanted.socket_directory}'.",
        "To move it, change unix_socket_directories in its configuration, restart it, and then change the variable.",
        back=place.sockets[0] if place.sockets else "",
    )
