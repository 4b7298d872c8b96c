# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Where a node's server is, or is to be, and what it says of itself."""

from __future__ import annotations

import glob
import os
import pwd
from typing import Any

from .._host.as_user import call_as
from .._host.facts import expand
from .._host.machine import filesystem_of
from .._postgres.connection import PSYCOPG2_ERROR
from .._postgres.login import Login
from .._status.directory import OnMachine
from .._status.read import look_until
from .place import WantedNode, find_differences, find_place, is_taken, way_to
from .place_read import describe_data, log_of, port_state, read_clusters, same_path, server_of
from .settled import describe_recovery, describe_rules


def describe_place(wanted: WantedNode, owner: str, adopt: bool) -> dict[str, Any]:
    """Where it is, and what is there."""
    clusters = read_clusters()
    found = find_place(wanted, clusters)
    place = found if is_taken(found, adopt) else None
    version, cluster = (place.version, place.cluster) if place else (wanted.version, wanted.cluster)
    there = place.data_directory if place and not place.unused else ""
    data = there or expand(wanted.data_directory, version, cluster)
    pid, running = server_of(data)
    own_port = int(running[0]) if running else None
    way = way_to(place, wanted, same_path)
    return {
        "version": version,
        "cluster": cluster,
        "fleet": place.fleet if place else "",
        "node": place.node if place and place.ours else "",
        "data_directory": data,
        "config_directory": f"/etc/postgresql/{version}/{cluster}",
        "bin_dir": f"/usr/lib/postgresql/{version}/bin",
        "log_file": log_of(version, cluster),
        "configured": os.path.exists(f"/etc/postgresql/{version}/{cluster}/postgresql.conf"),
        "ours": bool(place and place.ours),
        "adopted": bool(place and place.adopted),
        "unused": place is None or place.unused,
        "running_pid": pid,
        "reached_by": {"port": own_port or way.port, "unix_socket_directory": way.socket_directory},
        "port": port_state(wanted.port, own_port, clusters),
        "differences": [each.as_result() for each in find_differences(wanted, place, same_path)],
        "data": describe_data(data, owner),
        "recovery": describe_recovery(data),
        "rules": describe_rules(f"/etc/postgresql/{version}/{cluster}/pg_hba.conf"),
        "filesystem": filesystem_of(data),
        "replaced": sorted(glob.glob(f"{data}.replaced-*")),
    }


def ask_server(owner: str, login: Login, where: OnMachine) -> dict[str, Any] | None:
    """The server's status, by the login of its own user; None where nobody could ask."""
    if PSYCOPG2_ERROR or not os.path.isdir(where.bin_dir or ""):
        return None
    try:
        pwd.getpwnam(owner)
    except KeyError:
        return None
    found = call_as(owner, lambda: look_until(login, where))
    return {part: found[part] for part in ("status", "reasons", "findings")}
