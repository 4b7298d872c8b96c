# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the first look at the nodes has proven already, so that a run need not look again. No I/O.

Whatever is not known counts as not proven: then the module that would do the work looks for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.blocks import wanted_blocks
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.file import (
    FLEET,
    WantedBlocks,
    plan_text,
    unique,
    without_effect,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.rule import SECRET_OPTIONS
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Following
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.settings import write_settings
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import ARCHIVE, PRIMARY, STANDBY, STREAMING

_HBA_DEFAULTS = {"block": FLEET, "state": "present", "client_certificates": False}
_HBA_MODE = "0640"
_PASSFILE_MODE = "0600"
#: Results of the tasks by which a deployment changes a node.
CHANGING = (
    "__pg_server_written", "__pg_server_hba_file", "pg_server_settings_applied", "pg_primary_role", "pg_primary_slots",
    "pg_server_login", "pg_standby_clone", "__pagila_load_run", "__pki_kept",
)  # fmt: skip


def rules_are_there(node: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether hba_rules with these options would change nothing and say nothing."""
    found = node.get("rules") or {}
    if not found or found["unfinished"] or (found["owner"], found["mode"]) != (options["owner"], _HBA_MODE):
        return False
    try:
        wanted = wanted_blocks({**_HBA_DEFAULTS, **options})
        return not _is_told_apart(wanted) and plan_text(found["text"], options["path"], wanted) == found["text"]
    except PgFleetError:
        return False


def _is_told_apart(wanted: WantedBlocks) -> bool:
    """Rules that the module would warn of, or whose secrets the look has not brought along."""
    rules = unique(rule for block in wanted.blocks.values() for rule in block)
    secret = any(name in SECRET_OPTIONS for rule in rules for name, _value in rule.options)
    return secret or bool(without_effect(rules))


def follows(node: Mapping[str, Any], options: Mapping[str, Any], owner: str) -> bool:
    """Whether basebackup with these options would keep the directory as it is: its server streams as is wanted."""
    if options.get("rebuild") or not _streams(node, options):
        return False
    found = node["recovery"]
    passfile = (node.get("files") or {}).get(options["passfile"]) or {}
    if not found["signal"] or found["unfinished"] or passfile.get("mode") != _PASSFILE_MODE:
        return False
    names = ("primary_conninfo", "primary_slot_name")
    text = write_settings("", {name: found[name] for name in names})
    return passfile.get("owner") == owner and not Following.from_params(options).recovery.needed(text)


def _streams(node: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """By the running server itself: from this primary, by this slot, with settings that are in force."""
    status = (node.get("server") or {}).get("status") or {}
    if status.get("role") != STANDBY or status["settings"]["reload_pending"] is not False:
        return False
    if options.get("upstream") == ARCHIVE:
        return _reads_archive(status)
    receiver = status.get("wal_receiver") or {}
    wanted = (STREAMING, options["login_host"], options["login_port"], options["slot"])
    found = tuple(receiver.get(name) for name in ("status", "sender_host", "sender_port", "slot"))
    return found == wanted


def _reads_archive(status: Mapping[str, Any]) -> bool:
    return status.get("wal_source") == ARCHIVE and status["wal_receiver"] is None


def at_rest(topology: Mapping[str, Any], hostvars: Mapping[str, Any]) -> bool:
    """Whether all nodes did their part at the first look, and no task has changed anything since."""
    standbys = [name for name in topology["standbys"] if hostvars[name]["pg_server_facts"].get("upstream") != ARCHIVE]
    slots = [hostvars[name]["pg_server_facts"]["slot"] for name in standbys]
    return all(
        not _is_changed(hostvars[name]) and _does_its_part(hostvars[name], role, standbys, slots)
        for name, role in topology["roles"].items()
    )


def _is_changed(variables: Mapping[str, Any]) -> bool:
    return any((variables.get(name) or {}).get("changed") for name in CHANGING)


def _does_its_part(variables: Mapping[str, Any], role: str, standbys: Collection[str], slots: Collection[str]) -> bool:
    found = (variables.get("pg_server_node") or {}).get("server") or {}
    status = found.get("status") or {}
    if not status or found["reasons"] or found["findings"] or status["role"] != role:
        return False
    settings = status["settings"]
    if settings["file_errors"] != [] or settings["hba_errors"] != [] or settings["reload_pending"] is not False:
        return False
    if role == PRIMARY:
        return _feeds(status, standbys, slots)
    if variables["pg_server_facts"].get("upstream") == ARCHIVE:
        return _reads_archive(status)
    return (status["wal_receiver"] or {}).get("status") == STREAMING


def _feeds(status: Mapping[str, Any], standbys: Collection[str], slots: Collection[str]) -> bool:
    streaming = {each["name"] for each in status["standbys"] if each["state"] == STREAMING}
    held = {each["name"] for each in status["slots"] if each["active"]}
    return streaming >= set(standbys) and held >= set(slots)
