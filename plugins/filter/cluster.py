# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Decisions over several nodes at once, which no module on one node can take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._failover import plan_failover
from ansible_collections.pgfleet.cluster.plugins.module_utils._files import differing
from ansible_collections.pgfleet.cluster.plugins.module_utils._operate import plan_node, plan_rolling
from ansible_collections.pgfleet.cluster.plugins.module_utils._preflight import preflight_problems
from ansible_collections.pgfleet.cluster.plugins.module_utils._report import cluster_document, cluster_table
from ansible_collections.pgfleet.cluster.plugins.module_utils._restart import restart_order
from ansible_collections.pgfleet.cluster.plugins.module_utils._switchover import plan_switchover
from ansible_collections.pgfleet.cluster.plugins.module_utils._topology import Node, derive_topology


def speaking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The collection's own errors become a filter's error with the same words."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except PgFleetError as error:
            raise AnsibleFilterError(str(error)) from error

    return call


def status_results(names: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """What each node answered: the result of replication_status, {} where there is no server, None for silence."""
    answers: dict[str, Any] = {}
    for name in names:
        facts = hostvars[name]
        asked = "version" in (facts.get("pg_server_node") or {})
        status = facts.get("pg_server_status") or {}
        answers[name] = (status if "status" in status else {}) if asked else None
    return answers


@speaking
def live_topology(names: Iterable[str], hostvars: Mapping[str, Any], first_primaries: Iterable[str]) -> dict[str, Any]:
    results = status_results(names, hostvars)
    nodes = [Node.from_status(name, result) for name, result in results.items()]
    return derive_topology(nodes, list(first_primaries)).as_result()


@speaking
def report(
    names: Iterable[str],
    hostvars: Mapping[str, Any],
    first_primaries: Iterable[str],
    pagila: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    results = status_results(names, hostvars)
    addresses = {
        name: "{address}:{port}".format(**hostvars[name]["pg_server_facts"])
        for name, result in results.items()
        if result is not None
    }
    return cluster_document(results, addresses, list(first_primaries), pagila or {})


def servers_to_restart(names: Iterable[str], hostvars: Mapping[str, Any], primary: str) -> list[str]:
    results = status_results(names, hostvars)
    pending = {
        name: result["status"]["settings"]["pending_values"] or {}
        for name, result in results.items()
        if result and result["status"]["reachable"]
    }
    return restart_order(pending, primary)


@speaking
def switchover_plan(names: Iterable[str], hostvars: Mapping[str, Any], to: str, max_lag_bytes: int) -> dict[str, Any]:
    return plan_switchover(status_results(names, hostvars), to, int(max_lag_bytes)).as_result()


@speaking
def failover_plan(
    names: Iterable[str],
    hostvars: Mapping[str, Any],
    fenced: bool = False,
    force: bool = False,
    synchronous: bool = False,
) -> dict[str, Any]:
    return plan_failover(status_results(names, hostvars), fenced, force, synchronous).as_result()


@speaking
def node_plan(names: Iterable[str], hostvars: Mapping[str, Any], node: str, operation: str) -> dict[str, Any]:
    return plan_node(status_results(names, hostvars), node, operation).as_result()


@speaking
def restart_plan(
    names: Iterable[str], hostvars: Mapping[str, Any], switchover: bool = False, to: str = ""
) -> dict[str, Any]:
    return plan_rolling(status_results(names, hostvars), switchover, to).as_result()


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "files_that_differ": speaking(differing),
            "live_topology": live_topology,
            "preflight_problems": speaking(preflight_problems),
            "report": report,
            "status_table": speaking(cluster_table),
            "restart_order": servers_to_restart,
            "switchover_plan": switchover_plan,
            "failover_plan": failover_plan,
            "node_plan": node_plan,
            "restart_plan": restart_plan,
        }
