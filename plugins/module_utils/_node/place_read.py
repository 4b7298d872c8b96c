# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read the clusters that are configured on a machine in Debian's layout, and who holds a port."""

from __future__ import annotations

import glob
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .._datadir.facts import find_server
from .._datadir.owner import nearest_directory
from .._datadir.swap import outside_directories
from .._errors import PgFleetError
from .._host.as_user import call_as
from .._host.machine import read_text
from .._host.processes import pids, program, working_directory
from .._postgres.pid_file import read_pid_file
from .._postgres.settings import read_settings
from .._settings.conf import read_server_conf
from .place import Installed, fleet_of

CONFIGURATIONS = "/etc/postgresql"
OWNED_SETTINGS = "conf.d/pgfleet.conf"
ADOPTED_NOTE = "pgfleet.adopted"
_SOCKETS = "/var/run/postgresql"  # what Debian's packages are built with
_LISTENING = "0A"
_ENTRIES = 20


def read_clusters() -> list[Installed]:
    """All clusters of this machine that have a configuration."""
    found = glob.glob(f"{CONFIGURATIONS}/*/*/postgresql.conf") + glob.glob(f"{CONFIGURATIONS}/*/*/{OWNED_SETTINGS}")
    directories = {re.sub(rf"^({CONFIGURATIONS}/[^/]+/[^/]+)/.*", r"\1", path) for path in found}
    return [read_cluster(path) for path in sorted(directories) if path.split("/")[-2].isdigit()]


def read_cluster(directory: str) -> Installed:
    """One cluster as its files, and its running server, have it."""
    *_above, version, cluster = directory.split("/")
    conf = read_server_conf(directory)
    ours = os.path.exists(f"{directory}/{OWNED_SETTINGS}")
    owned = read_text(f"{directory}/{OWNED_SETTINGS}")
    data = conf.values.get("data_directory", "")
    note = read_settings(read_text(f"{directory}/{ADOPTED_NOTE}"))
    sockets = [each.strip() for each in conf.values.get("unix_socket_directories", _SOCKETS).split(",")]
    pid, running = server_of(data) if data else (None, None)
    return Installed(
        version=int(version),
        cluster=cluster,
        directory=directory,
        data_directory=data,
        port=_number(conf.values.get("port"), 5432),
        sockets=tuple(dict.fromkeys([*sockets, *(running[1:] if running else ())])),
        ours=ours,
        fleet=fleet_of(owned),
        node=note.get("node", conf.values.get("cluster_name", "")),
        adopted=bool(note),
        pid=pid,
        own_port=int(running[0]) if running else None,
        unused=_is_vacant(data) and not os.path.exists(log_of(int(version), cluster)),
        started=os.path.exists(os.path.join(data, "postmaster.opts")),
        socket_exists=all(os.path.isdir(each) for each in sockets if not each.startswith("@")),
    )


def log_of(version: int, cluster: str) -> str:
    return f"/var/log/postgresql/postgresql-{version}-{cluster}.log"


def server_of(data_directory: str) -> tuple[int | None, tuple[str, ...] | None]:
    """Process, and port and socket directory, of the server that runs on a data directory (manual: postmaster.pid)."""
    pid = find_server(data_directory)
    found = read_pid_file(data_directory)
    if pid is None or found.port is None:
        return pid, None
    return pid, tuple(each for each in (str(found.port), found.socket_directory) if each)


def same_path(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def port_state(number: int, own_port: int | None, clusters: Sequence[Installed]) -> dict[str, Any]:
    """Whether something listens on a port, and whose it is when a PostgreSQL server does."""
    busy = _is_busy(number)
    ours = busy and own_port == number
    holder = _holder(number, clusters) if busy and not ours else None
    return {"number": number, "busy": busy, "ours": ours, "own": own_port, "holder": holder}


def _is_busy(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", number))
        except PermissionError:
            return False
        except OSError:
            return True
    return False


def _holder(number: int, clusters: Iterable[Installed]) -> dict[str, Any] | None:
    """The process that listens on a port, and of a PostgreSQL server where its data are and which cluster it is."""
    pid = next(_listeners(number), None)
    if pid is None:
        return None
    name = program(pid)
    if name not in ("postgres", "postmaster"):
        return {"pid": pid, "program": name}
    data = working_directory(pid)
    cluster = next((each for each in clusters if each.data_directory and same_path(each.data_directory, data)), None)
    known = (
        {"cluster": cluster.name, "ours": cluster.ours, "fleet": cluster.fleet, "node": cluster.node} if cluster else {}
    )
    return {"pid": pid, "program": "postgres", "data_directory": data, **known}


def _listeners(number: int) -> Iterator[int]:
    inodes = {
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for fields in (line.split() for line in read_text(f"/proc/net/{table}").splitlines()[1:])
        if len(fields) > 9 and fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == number
    }
    for pid in sorted(pids()) if inodes else ():
        try:
            handles = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        if any(_link(f"/proc/{pid}/fd/{handle}") in inodes for handle in handles):
            yield pid


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _is_vacant(path: str) -> bool:
    try:
        return not path or not os.listdir(path)
    except OSError:
        return not os.path.lexists(path)


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.strip().isdigit() else otherwise


def describe_data(path: str, owner: str) -> dict[str, Any]:
    """What lies at a data directory, and whether its owner may make one there."""
    there = os.path.isdir(path)
    entries = sorted(os.listdir(path)) if there else []
    return {
        "exists": os.path.lexists(path),
        "is_directory": there,
        "mount_point": there and os.path.ismount(path),
        "cluster": "PG_VERSION" in entries,
        "entries": entries[:_ENTRIES],
        "system_identifier": _system_identifier(path),
        **_parent(path, owner),
        "outside": [
            {"link": link, "path": target, "mount_point": os.path.ismount(target), **_parent(target, owner)}
            for link, target in (outside_directories(path) if there else {}).items()
        ],
    }


def _system_identifier(path: str) -> str | None:
    """The first eight bytes of the control file; a stopped server has them, too."""
    try:
        with open(os.path.join(path, "global/pg_control"), "rb") as file:
            return str(int.from_bytes(file.read(8), sys.byteorder)) if os.path.getsize(file.name) >= 8 else None
    except OSError:
        return None


def _parent(path: str, owner: str) -> dict[str, Any]:
    parent = nearest_directory(os.path.dirname(path))
    try:
        writable = call_as(owner, lambda: os.access(parent, os.W_OK | os.X_OK))
    except (KeyError, PgFleetError):  # no such user yet, or we are not root
        writable = None
    return {"parent": parent, "parent_writable": writable}
