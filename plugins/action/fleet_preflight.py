# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(fleet_preflight): what no node can know alone, before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.preflight import (
    Member,
    Neighbour,
    Problem,
    Wishes,
    destroy_problems,
    identity_problems,
    preflight_problems,
    refuse,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.fleets import fleet_of
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.secret_files import settle_owner

SPEC: dict[str, Any] = {
    "scope": {"type": "str", "required": True, "choices": ["identity", "all", "destroy"]},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "inventory": {"type": "list", "elements": "str", "default": []},
    "fleet": {"type": "str", "required": True},
    "min_free_mb": {"type": "int", "default": 0},
    "repository": {"type": "str", "default": "pgdg"},
    "releases": {"type": "dict"},
    "certificates": {"type": "bool", "default": False},
    "adopted": {"type": "bool", "default": False},
    "replication_password": {"type": "str", "no_log": True},
    "secrets_directory": {"type": "str", "default": ""},
}


def read_members(names: list[str], hostvars: Mapping[str, Any]) -> list[Member]:
    """The nodes whose machine has been looked at in this run."""
    return [
        _member(name, hostvars[name]) for name in names if "version" in (hostvars[name].get("pg_server_node") or {})
    ]


def _member(name: str, facts: Mapping[str, Any]) -> Member:
    known = facts["pg_server_facts"]
    return Member(
        name,
        facts["pg_server_node"],
        address=str(known["address"]),
        slot=str(known["slot"]),
        cluster=str(known["cluster"]),
        adopt=bool(known["adopt"]),
        hba_rules=known["hba_rules"],
        replication_user=str(known["replication_user"]),
        rewind_user=str(known["rewind_user"]),
        local=_is_local(facts),
    )


def _neighbour(name: str, facts: Mapping[str, Any]) -> Neighbour:
    """Of a node that was not looked at, the inventory's variables tell where it is, as far as they can be computed."""
    known = {**_by_inventory(name, facts), **(facts.get("pg_server_facts") or {})}
    node = facts.get("pg_server_node") or {}
    port = (node.get("port") or {}).get("number", known["port"])
    return Neighbour(
        name,
        fleet_of(facts),
        f"{known['address']}:{port}",
        str(node.get("config_directory", "")),
        str(known["secrets_directory"]),
        _is_local(facts),
    )


def _by_inventory(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": _given(facts, "pg_server_address") or _given(facts, "ansible_host") or name,
        "port": _given(facts, "pg_server_port") or 5432,
        "secrets_directory": _given(facts, "pg_server_secrets_directory") or "",
    }


def _given(facts: Mapping[str, Any], name: str) -> Any:
    """A variable of the inventory, unless it is made of others that are not there."""
    try:
        return facts.get(name)
    except AnsibleError:
        return None


def _is_local(facts: Mapping[str, Any]) -> bool:
    return str(facts.get("ansible_connection", "")).rpartition(".")[2] == "local"


def _more(scope: str, members: list[Member], wishes: Wishes, adopted: bool) -> list[Problem]:
    """What a scope refuses beyond variables that differ from the machines."""
    if scope == "all":
        return preflight_problems(members, wishes)
    return destroy_problems(members) if scope == "destroy" and not adopted else []


class ActionModule(ActionBase):
    """Refuse, once for all nodes, with the words and the code of the collection's own errors."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        scope, adopted = (options.pop(name) for name in ("scope", "adopted"))
        secrets, password = options["secrets_directory"], options["replication_password"]
        hostvars, others = task_vars["hostvars"], set(options.pop("inventory")) - set(options["nodes"])
        members = read_members(options["nodes"], hostvars)
        wishes = Wishes(**options, neighbours=[_neighbour(name, hostvars[name]) for name in sorted(others)])
        problems = identity_problems(members, wishes)
        try:
            refuse(problems or _more(scope, members, wishes, adopted))
            if secrets and password:
                settle_owner(secrets, wishes.nodes, hostvars, password, not self._task.check_mode)
        except PgFleetError as error:
            return {**result, "failed": True, **error.as_result()}
        return {**result, "changed": False}
