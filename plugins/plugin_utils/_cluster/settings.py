# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which settings of the inventory a fleet cannot work with, and for how many standbys a commit waits. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import (
    SettingRefused,
    as_integer,
    setting_name,
    setting_texts,
)

#: Settings that a variable of its own gives, which other nodes and playbooks read too.
OWNED = {
    "port": "pg_server_port",
    "listen_addresses": "pg_server_listen_addresses",
    "unix_socket_directories": "pg_server_unix_socket_directory",
    "data_directory": "pg_server_data_directory",
    "hba_file": "pg_server_hba_rules",
}
#: Settings that this collection gives by itself, and why.
KEPT = {
    "config_file": "the node's configuration lies where Debian's packages look for it",
    "ident_file": "it lies beside pg_hba.conf",
    "external_pid_file": "it lies where Debian's packages look for it",
    "primary_conninfo": "a standby follows the primary that the servers have",
    "primary_slot_name": "every standby has its own slot",
}
#: Settings of the archive, which role pg_backup gives where the fleet takes backups.
_ARCHIVE = ("archive_mode", "archive_command", "archive_library", "basic_archive.archive_directory", "restore_command")
#: What is taken for well where files of others may give it.
_GIVEN_BY_OTHERS = {"max_slot_wal_keep_size": "1GB", "max_wal_senders": "1000", "max_replication_slots": "1000"}
_RECOVERY_TARGET = re.compile(r"recovery_target(_.*)?")
#: Texts that the server reads as false, by their first letters.
_OFF = re.compile(r"\s*(of|off|f|fa|fal|fals|false|n|no|0)\s*", re.IGNORECASE)
_ON = re.compile(r"\s*(on|t|tr|tru|true|y|ye|yes|1)\s*", re.IGNORECASE)
#: Time-outs in milliseconds that would end the collection's own sessions, or those of standbys, when they are this short.
_SECOND = 1000
_TIMEOUTS = (
    "wal_sender_timeout",
    "wal_receiver_timeout",
    "statement_timeout",
    "transaction_timeout",
    "tcp_user_timeout",
)
_DURATION = re.compile(r"\s*([0-9.]+)\s*(us|ms|s|min|h|d)?\s*")
_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60000, "h": 3600000, "d": 86400000}


class NoRestoreCommand(PgFleetError):
    """A standby is to read an archive, and has no command that reads one."""

    code = "no_restore_command"


class SynchronousNobody(PgFleetError):
    """Commits could not wait for as many standbys as is asked for."""

    code = "synchronous_nobody"


def fleet_settings(own: Mapping[str, Any], given: Mapping[Any, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """The settings of one node as texts: those of the collection, and over them those of the inventory.

    ``facts`` has C(nodes), the names of the fleet, C(tls), C(certificates) and C(strict); C(streaming) names those that commits may wait
    for as standbys, C(reads_archive) says that this one reads the archive only. Raises SettingRefused, SynchronousNobody or NoRestoreCommand.
    """
    mine, theirs = setting_texts(own), setting_texts(given)
    left_out = {setting_name(name) for name, value in given.items() if value is None}
    for name in {**theirs, **dict.fromkeys(left_out, "")}:
        _refuse_owned(name)
        _refuse_second_archive(name, mine)
    wanted = {name: text for name, text in {**mine, **theirs}.items() if name in theirs or name not in left_out}
    judged = {**_GIVEN_BY_OTHERS, **wanted} if facts.get("partial") else wanted
    for check in (_wal_level, _hot_standby, _read_only, _keep_size, _timeouts):
        check(judged)
    for check_facts in (_senders, _slots, _tls, _synchronous, _archive):
        check_facts(judged, facts)
    return wanted


def _refuse_owned(name: str) -> None:
    if name in OWNED:
        raise SettingRefused(
            f"'{name}' in pg_server_settings would contradict the inventory's own variable.", f"Use {OWNED[name]}."
        )
    if name in KEPT:
        raise SettingRefused(f"'{name}' in pg_server_settings is not yours to give: {KEPT[name]}.", "Take it out.")
    if _RECOVERY_TARGET.fullmatch(name):
        raise SettingRefused(
            f"'{name}' in pg_server_settings would end a standby's recovery.", "Restore a backup outside the fleet."
        )


def _refuse_second_archive(name: str, mine: Mapping[str, str]) -> None:
    if name in _ARCHIVE and "archive_mode" in mine:
        raise SettingRefused(
            f"'{name}' in pg_server_settings would contradict the archive that pg_backup_enabled gives the fleet.",
            "Take it out, or set pg_backup_enabled to false.",
        )


def _wal_level(wanted: Mapping[str, str]) -> None:
    level = wanted.get("wal_level", "replica").strip().lower()
    if level == "minimal":
        raise SettingRefused("wal_level is 'minimal', and nothing can be replicated then.", "Give replica or logical.")


def _hot_standby(wanted: Mapping[str, str]) -> None:
    if _OFF.fullmatch(wanted.get("hot_standby", "on")):
        raise SettingRefused("hot_standby is off, and no standby would accept a session then.", "Give on.")


def _read_only(wanted: Mapping[str, str]) -> None:
    if _ON.fullmatch(wanted.get("default_transaction_read_only", "off")):
        raise SettingRefused(
            "default_transaction_read_only is on, and the primary would refuse every write.",
            "Set it for a role or a database (ALTER ROLE … SET).",
        )


def _senders(wanted: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    _at_least(wanted, "max_wal_senders", 10, len(facts["nodes"]) + 1, "one for each standby, and two for a clone")


def _slots(wanted: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    _at_least(
        wanted, "max_replication_slots", 10, len(facts["nodes"]), "one for each node, as any may lead or come back"
    )


def _at_least(wanted: Mapping[str, str], name: str, default: int, least: int, why: str) -> None:
    value = as_integer(wanted[name]) if name in wanted else default
    if value is not None and value < least:
        raise SettingRefused(f"{name} is {value}, but this fleet needs {least}: {why}.", f"Give {least} or more.")


def _keep_size(wanted: Mapping[str, str]) -> None:
    text = wanted.get("max_slot_wal_keep_size", "-1")
    if as_integer(text) in (-1, 0):
        what = "slots could fill the disk" if as_integer(text) else "every slot would be lost at the next checkpoint"
        raise SettingRefused(
            f"max_slot_wal_keep_size is {text}, and {what}.",
            "Give a size, or leave it out (pg_server_max_slot_wal_keep_size).",
        )


def _timeouts(wanted: Mapping[str, str]) -> None:
    for name in _TIMEOUTS:
        found = _DURATION.fullmatch(wanted.get(name, ""))
        if found and found.group(1).count(".") < 2:
            span = float(found.group(1)) * _MILLISECONDS[found.group(2) or "ms"]
            if 0 < span < _SECOND:
                raise SettingRefused(
                    f"{name} is {wanted[name]}, and sessions of the fleet would be ended all the time.",
                    "Give a second or more, or 0 for none; a number without a unit is in milliseconds.",
                )


def _tls(wanted: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    if facts.get("certificates") and not facts["tls"]:
        raise SettingRefused(
            "pki_mode asks for certificates, and pg_server_tls is false, so no server could show one.",
            "Leave pg_server_tls at true, or set pki_mode to off.",
        )
    on = bool(_ON.fullmatch(wanted.get("ssl", "off")))
    if "ssl" in wanted and on != bool(facts["tls"]):
        raise SettingRefused(
            f"ssl is {wanted['ssl']} in pg_server_settings, and pg_server_tls is {str(bool(facts['tls'])).lower()}.",
            "Set pg_server_tls alone.",
        )


def _archive(wanted: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    if facts.get("reads_archive") and not wanted.get("restore_command", "").strip():
        raise NoRestoreCommand(
            "pg_standby_upstream is archive, and no restore_command would be in force, so this standby would get no WAL at all.",
            "Set pg_backup_enabled to true for the fleet, or give archive_mode, archive_command and restore_command in pg_server_settings;"
            " or set pg_standby_upstream to stream.",
        )


_STANDBY_NAMES = re.compile(r"\s*(?:(any|first)\s+)?(\d+)\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_ONE_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\s,"()]+)')


def _synchronous(wanted: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    """A text of one's own may wait for standbys outside the fleet only where strictness asks for it."""
    text = wanted.get("synchronous_standby_names", "").strip()
    if not text or facts["strict"]:
        return
    found = _STANDBY_NAMES.fullmatch(text)
    count, listed = (int(found.group(2)), found.group(3)) if found else (1, text)
    names = {(quoted or bare).replace('""', '"').lower() for quoted, bare in _ONE_NAME.findall(listed)}
    nodes = [str(node).lower() for node in facts.get("streaming", facts["nodes"])]
    others = len(nodes) - 1 if "*" in names or names >= set(nodes) else len(names & set(nodes))
    if others < count:
        raise SynchronousNobody(
            f"synchronous_standby_names is {text!r}: a commit would wait for {count} standbys, and at most {others} of its names"
            " are standbys of this fleet. Every write would hang.",
            "Name nodes of the fleet, or say with pg_server_synchronous_strict: true that the others exist.",
        )


def synchronous_names(mode: str, count: int, strict: bool, nodes: Sequence[str]) -> str:
    """The text of synchronous_standby_names; raises SynchronousNobody where nobody could be waited for.

    All nodes that stream as standbys are listed, as any of them may lead; one that does never is its own standby. Without strictness at least
    one standby more than is waited for must exist, so that one that is lost does not stop writes.
    """
    if mode == "off":
        return ""
    standbys = len(nodes) - 1
    if count < 1:
        raise SynchronousNobody(
            f"pg_server_synchronous_count is {count}, and a commit would wait for nobody.",
            "Give 1 or more, or pg_server_synchronous: off.",
        )
    if standbys < count:
        have = {0: "has no standby", 1: "has one standby"}.get(standbys, f"has {standbys} standbys")
        raise SynchronousNobody(
            f"pg_server_synchronous is {mode} and waits for {count} standby{'s' if count > 1 else ''}, but the fleet {have}.",
            "Add standbys, lower pg_server_synchronous_count, or set pg_server_synchronous: off.",
        )
    waited = count if strict else min(count, standbys - 1)
    if waited < 1:
        raise SynchronousNobody(
            f"pg_server_synchronous is {mode}, but with one standby commits could wait for nobody: its loss would stop all writes.",
            "Add a standby, accept that with pg_server_synchronous_strict: true, or set pg_server_synchronous: off.",
        )
    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in sorted(nodes))
    return f"{'FIRST' if mode == 'on' else 'ANY'} {waited} ({listed})"
