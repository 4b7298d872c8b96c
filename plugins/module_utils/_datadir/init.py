# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a fresh cluster is to be made in a directory, and with which command. No I/O."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .facts import INCOMING
from .place import (
    KEPT,
    MOVE_AWAY,
    DirectoryRefused,
    Place,
    Plan,
    not_a_cluster,
    refuse_obstacles,
    refuse_swap_under_a_server,
    why_vacant,
)

CREATED = "created"


def plan_init(place: Place, bin_version: int) -> Plan:
    """Keep a cluster of the same major version, whatever its role; make one where nothing is; refuse the rest."""
    dest = place.dest
    if dest.incoming == "swapping":
        refuse_swap_under_a_server(dest)
        return Plan(CREATED, "finish_swap", f"A directory of an earlier run waits to become '{dest.path}'.", True)
    if dest.vacant:
        refuse_obstacles(place, False, MOVE_AWAY)
        return Plan(CREATED, *why_vacant(dest))
    problem = not_a_cluster(dest, MOVE_AWAY)
    if problem:
        raise problem
    if dest.pg_version != bin_version:
        raise DirectoryRefused(
            f"'{dest.path}' is of PostgreSQL {dest.pg_version}, but the programs in bin_dir are of {bin_version}.",
            "Upgrade it with pg_upgrade, or give the bin_dir of its version.",
            "version_mismatch",
        )
    return Plan(KEPT, "is_cluster", f"'{dest.path}' is a cluster of the system {dest.system_identifier}.")


@dataclass(frozen=True)
class InitOptions:
    """What a fresh cluster is to be like."""

    locale: str
    encoding: str
    data_checksums: bool
    superuser: str
    auth_local: str
    auth_host: str
    wal_segment_size: int | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> InitOptions:
        return cls(**{each.name: params[each.name] for each in fields(cls)})


def init_command(bin_dir: str, version: int, incoming: str, wal_dir: str, options: InitOptions) -> list[str]:
    """The command line of initdb; since PostgreSQL 18 checksums are its own default."""
    words = [
        os.path.join(bin_dir, "initdb"),
        f"--pgdata={incoming}",
        f"--username={options.superuser}",
        f"--locale={options.locale}",
        f"--encoding={options.encoding}",
        f"--auth-local={options.auth_local}",
        f"--auth-host={options.auth_host}",
    ]
    if options.data_checksums:
        words.append("--data-checksums")
    elif version >= 18:
        words.append("--no-data-checksums")
    words += [f"--waldir={wal_dir}{INCOMING}"] if wal_dir else []
    words += [f"--wal-segsize={options.wal_segment_size}"] if options.wal_segment_size else []
    return words
