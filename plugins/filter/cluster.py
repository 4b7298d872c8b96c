# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The state of a fleet for people and programs, and comparisons of what is wanted with what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from functools import wraps
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.pgfleet.cluster.plugins.module_utils._archive.settings import archive_of, archive_settings
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files import differing
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.passfile import passfile_text
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._backup.problems import archive_problems
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._backup.report import backup_document, backup_tables
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.archived import saved_by_archive
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.certificates import (
    adopted_nodes,
    have_certificates,
    show_certificates,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.proven import at_rest, follows, rules_are_there
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.report import fleet_document, fleet_tables
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.restart import highest_of_each
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.fleets import fleets_of, members_of
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.authorities import PRESENT
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.proven import are_kept
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._pki.sources import OwnSource, source_of


def speaking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The collection's own errors become a filter's error with the same words."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except PgFleetError as error:
            raise AnsibleFilterError(str(error)) from error

    return call


@speaking
def report(
    names: Iterable[str],
    hostvars: Mapping[str, Any],
    first_primaries: Iterable[str],
    active: Iterable[str] | None = None,
    again: Iterable[Mapping[str, Any]] = (),
    took_part: Iterable[str] | None = None,
) -> dict[str, Any] | list[dict[str, Any]]:
    listed = list(names)
    left, began = (set(listed if hosts is None else hosts) for hosts in (active, took_part))
    answers = list(again)
    fleets = {fleet: nodes for fleet, nodes in fleets_of(listed, hostvars).items() if began & set(nodes)}
    documents = [
        fleet_document(fleet, nodes, hostvars, first_primaries, left, answers) for fleet, nodes in fleets.items()
    ]
    return documents[0] if len(documents) == 1 else documents


def certificates_are_there(node: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """The authority is read here, on the control machine; what cannot be read is role pki's to tell."""
    if boolean(options["renew"]) or options["authority_state"] != PRESENT:
        return False
    try:
        source = source_of(options, options["host"])
        if isinstance(source, OwnSource) and not source.folder.publishes(source.authorities):
            return False
        wanted, before = source.wanted(), float(options["renew_before"])
        now = datetime.now(timezone.utc)
        return are_kept(node.get("certificates") or {}, source.trust(), wanted, options["owner"], before, now)
    except (PgFleetError, OSError, ValueError):
        return False


def settings_of_archive(repository: Mapping[str, Any], timeout: Any) -> dict[str, str]:
    return archive_settings(archive_of(repository), int(timeout))


def backup_report(names: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
    """Of the primaries whose archive and backups were read."""
    known = [(name, hostvars[name]) for name in names if "pg_backup_sets" in hostvars[name]]
    documents = [
        backup_document(facts["pg_server_facts"]["fleet"], name, facts["pg_backup_archive"], facts["pg_backup_sets"])
        for name, facts in known
    ]
    return documents[0] if len(documents) == 1 else documents


def text_of_passfile(servers: Iterable[Mapping[str, Any]], user: str, password: Any) -> str:
    return passfile_text([(str(server["host"]), int(server["port"])) for server in servers], user, str(password))


def stale_passfiles(names: Iterable[str], hostvars: Mapping[str, Any], text: str, owner: str) -> list[str]:
    """Nodes whose password file is there and is another one; one that was not there has just been written."""
    stale = []
    for name in names:
        facts = hostvars[name].get("pg_server_facts") or {}
        path = facts.get("passfile", "")
        found = ((hostvars[name].get("pg_server_node") or {}).get("files") or {}).get(path)
        if found and differing([{"path": path, "secret_content": text}], {path: found}, owner):
            stale.append(name)
    return stale


def refused_logins(names: Iterable[str], hostvars: Mapping[str, Any], result: str) -> list[str]:
    """A sentence for each node whose result is no accepted login."""
    answers = {name: hostvars[name].get(result) or {} for name in names}
    return [
        f"{name}: {answer.get('refusal') or answer.get('msg') or 'no answer.'}"
        for name, answer in answers.items()
        if answer.get("proven") is not True
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "adopted_nodes": adopted_nodes,
            "archive_problems": archive_problems,
            "archive_settings": settings_of_archive,
            "at_rest": at_rest,
            "backup_report": backup_report,
            "backup_table": backup_tables,
            "certificates_are_there": certificates_are_there,
            "files_that_differ": speaking(differing),
            "fleet_members": members_of,
            "follows": follows,
            "have_certificates": have_certificates,
            "highest_of_each": lambda given: highest_of_each(list(given)),
            "passfile_text": text_of_passfile,
            "refused_logins": refused_logins,
            "report": report,
            "rules_are_there": rules_are_there,
            "saved_by_archive": saved_by_archive,
            "show_certificates": show_certificates,
            "stale_passfiles": stale_passfiles,
            "status_table": speaking(fleet_tables),
        }
