# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(fleet_plan): decisions over all nodes at once, which no module on one node can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.module_utils._change.checks import refuse_stuck_archiver
from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.certificates import refuse_some_certified
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.change import status_of
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.failover import plan_failover
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.node import plan_node, plan_rolling
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.restart import (
    first_change,
    limits_of,
    refuse_below_primary,
    refuse_unequal,
    restart_order,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.results import (
    pending_restarts,
    status_results,
    tried_settings,
    wanted_settings,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.switchover import plan_switchover
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._cluster.topology import (
    Node,
    derive_topology,
    refuse_not_asked,
    refuse_refusals,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.fleets import refuse_broken

Results = Mapping[str, Any]
Options = Mapping[str, Any]


def topology(results: Results, options: Options) -> dict[str, Any]:
    nodes = [Node.from_status(name, result) for name, result in results.items()]
    return derive_topology(nodes, options["first_primaries"]).as_result()


def whole(results: Results, _options: Options) -> dict[str, Any]:
    refuse_not_asked(Node.from_status(name, result) for name, result in results.items())
    return {}


def unbroken(_results: Results, _options: Options) -> dict[str, Any]:
    return {}


def sessions(results: Results, _options: Options) -> dict[str, Any]:
    refuse_refusals([Node.from_status(name, result) for name, result in results.items()])
    return {}


def switchover(results: Results, options: Options) -> dict[str, Any]:
    return plan_switchover(results, options["node"], options["max_lag_bytes"]).as_result()


def failover(results: Results, options: Options) -> dict[str, Any]:
    return plan_failover(results, options["fenced"], options["force"], options["synchronous"]).as_result()


def one_node(results: Results, options: Options) -> dict[str, Any]:
    return plan_node(results, options["node"], options["operation"]).as_result()


def restart(results: Results, options: Options) -> dict[str, Any]:
    return plan_rolling(results, options["switchover"], options["node"]).as_result()


def pending_restart(results: Results, options: Options) -> dict[str, Any]:
    pending = pending_restarts(results)
    refuse_below_primary(limits_of(results), pending, options["primary"])
    order = restart_order(pending, options["primary"])
    if options["primary"] in order:
        refuse_stuck_archiver(options["primary"], status_of(results, options["primary"]))
    return {"order": order}


def alike(_results: Results, options: Options) -> dict[str, Any]:
    refuse_unequal(options["wanted"])
    refuse_some_certified(options["wanted"])
    return {}


def settings(results: Results, options: Options) -> dict[str, Any]:
    tried = options["tried"]
    refuse_below_primary(limits_of(results), {**pending_restarts(results), **tried}, options["primary"])
    if tried.get(options["primary"]):
        refuse_stuck_archiver(options["primary"], status_of(results, options["primary"]))
    return {"first": first_change(tried, tried, options["running"], options["primary"])}


PLANS: dict[str, Callable[[Results, Options], dict[str, Any]]] = {
    "topology": topology,
    "whole": whole,
    "unbroken": unbroken,
    "sessions": sessions,
    "switchover": switchover,
    "failover": failover,
    "rejoin": one_node,
    "rebuild": one_node,
    "remove": one_node,
    "restart": restart,
    "pending_restart": pending_restart,
    "settings": settings,
    "alike": alike,
}
#: What is only gone on with as long as no node of the fleet has failed in this run.
FOR_WHOLE_FLEETS = ("unbroken", "sessions", "settings", "pending_restart")
SPEC: dict[str, Any] = {
    "operation": {"type": "str", "required": True, "choices": list(PLANS)},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "first_primaries": {"type": "list", "elements": "str", "default": []},
    "node": {"type": "str", "default": ""},
    "primary": {"type": "str", "default": ""},
    "running": {"type": "list", "elements": "str", "default": []},
    "max_lag_bytes": {"type": "int", "default": 16777216},
    "fenced": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "synchronous": {"type": "bool", "default": False},
    "switchover": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Plan an operation; a refusal is the result's own message and code."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        results = status_results(options["nodes"], task_vars["hostvars"])
        options["tried"] = tried_settings(options["nodes"], task_vars["hostvars"], "pg_server_settings_tried")
        options["wanted"] = wanted_settings(options["nodes"], task_vars["hostvars"])
        try:
            if options["operation"] in FOR_WHOLE_FLEETS:
                refuse_broken(options["nodes"], task_vars["ansible_play_hosts_all"], task_vars["ansible_play_hosts"])
            return {**result, "changed": False, **PLANS[options["operation"]](results, options)}
        except PgFleetError as error:
            return {**result, "failed": True, **error.as_result()}
