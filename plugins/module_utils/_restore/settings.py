# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The files that make a laid out backup recover to a target, as texts. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .._archive.settings import in_command
from .._postgres.settings import PRIMARY_BOUND, as_integer, settings_file
from .target import Target

PROMOTE, PAUSE, SHUTDOWN = "promote", "pause", "shutdown"
ACTIONS = (PROMOTE, PAUSE, SHUTDOWN)
MADE = "Written by pgfleet.cluster.restore for a side server."
#: What pg_controldata calls them (manual: Hot Standby, Administrator's Overview); max_connections and so on are in the WAL too.
_IN_CONTROL_FILE = {
    "max_connections": "max_connections setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_worker_processes": "max_worker_processes setting",
}
#: Nothing works on its own account in a side server: no job of the origin's runs twice, and no subscription takes what is the origin's.
_QUIET = {"autovacuum": "off", "cron.launch_active_jobs": "off", "timescaledb.max_background_workers": "0"}
#: Libraries that run the origin's jobs, in older versions whatever is set.
_OF_JOBS = ("pg_cron",)
#: A side server is reached through its socket by its owner alone, feeds no archive and no standby, and follows nobody.
_APART = {
    "archive_cleanup_command": "",
    "archive_mode": "off",
    "hot_standby": "on",
    "lc_messages": "C",
    "listen_addresses": "",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
    "max_logical_replication_workers": "0",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "recovery_end_command": "",
    "ssl": "off",
    "synchronous_standby_names": "",
    "unix_socket_permissions": "0700",
}


@dataclass(frozen=True)
class SideOptions:
    """How a side server is to run. ``settings``: the caller's own; ``minimum``: what the origin had of those that may not be less."""

    port: int
    socket_directory: str
    owner: str
    superuser: str
    settings: Mapping[str, str] = field(default_factory=dict)
    minimum: Mapping[str, str] = field(default_factory=dict)
    libraries: Sequence[str] = ()

    @property
    def files(self) -> dict[str, str]:
        """The configuration of the side server, by names of files in its data directory."""
        own = {
            **_QUIET,
            **self.settings,
            **_APART,
            "port": str(self.port),
            "unix_socket_directories": self.socket_directory,
            "shared_preload_libraries": library_list(self.libraries),
        }
        return {
            "postgresql.conf": settings_file({**own, **at_least(self.minimum, own)}, MADE),
            "pg_hba.conf": f"# {MADE}\nlocal all {quoted(self.superuser)} peer map=side\nlocal all all peer\n",
            "pg_ident.conf": f"# {MADE}\nside {quoted(self.owner)} {quoted(self.superuser)}\n",
        }


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def at_least(minimum: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What a server that reads the origin's WAL must allow, by whichever asks for more."""
    found = {}
    for name, usual in PRIMARY_BOUND.items():
        asked = (as_integer(each.get(name, "")) or 0 for each in (minimum, given))
        found[name] = str(max(usual, *asked))
    return found


def origin_limits(controldata: str) -> dict[str, str]:
    """The limits of the origin as ``LC_ALL=C pg_controldata`` prints them."""
    pairs = (line.partition(":") for line in controldata.splitlines())
    fields = {name.strip(): value.strip() for name, colon, value in pairs if colon}
    return {name: fields[label] for name, label in _IN_CONTROL_FILE.items() if label in fields}


def for_directory(restore_command: str, path: str) -> str:
    """The command with the whole path of the file that it is to write: pgBackRest takes the server's relative one only in the directory
    that its configuration names, which is the origin's."""
    return restore_command.replace('"%p"', f'{in_command(path)}/"%p"')


def side_recovery(target: Target, timeline: int, action: str, restore_command: str) -> dict[str, str]:
    """The recovery settings of a side server, whole: nothing of the origin's postgresql.auto.conf stays."""
    return {"restore_command": restore_command, **target.settings(timeline, action)}


def in_place_recovery(target: Target, timeline: int, action: str, restore_command: str) -> dict[str, str]:
    """The same for a server that keeps its other settings. A delay of its origin, a standby, would delay the recovery."""
    return {**side_recovery(target, timeline, action, restore_command), "recovery_min_apply_delay": "0"}


def library_names(value: str) -> list[str]:
    """The elements of shared_preload_libraries."""
    found = re.findall(r'"((?:[^"]|"")*)"|([^\s,"]+)', value)
    return [inner.replace('""', '"') or bare for inner, bare in found]


def wanted_libraries(given: Mapping[str, str], origin: str) -> list[str]:
    """Those that the caller names, else those of the origin that run no jobs."""
    name = "shared_preload_libraries"
    if name in given:
        return library_names(given[name])
    return [each for each in library_names(origin) if each not in _OF_JOBS]


def library_list(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)
