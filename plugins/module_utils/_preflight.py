# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What makes a machine unfit for a node, found before anything is changed. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._errors import PgFleetError
from ._hba.check import check_rules
from ._hba.wanted import wanted_rules

_MB = 1024 * 1024


def preflight_problems(node: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Sentences, one for each problem; an empty list for a machine that is fit.

    ``node`` is the result of node_info. ``wanted`` holds ``address``, ``min_free_mb``, ``repository``, ``releases``
    (as for node_info), ``addresses``: ``address:port`` of every node of the cluster, and ``hba_rules``.
    """
    if _system(node) not in wanted["releases"]:
        return [
            f"This machine runs {node['os']['name'] or _system(node)}, which is not supported."
            f" Use one of: {', '.join(sorted(wanted['releases']))}."
        ]
    checks = (_foreign_port(node), _foreign_cluster(node), _space(node, wanted), _version(node, wanted))
    return [problem for problem in (*checks, _double(node, wanted), _rules(wanted)) if problem]


def _system(node: Mapping[str, Any]) -> str:
    return f"{node['os']['id']}-{node['os']['version_id']}"


def _foreign_port(node: Mapping[str, Any]) -> str | None:
    port = node["port"]
    if port["busy"] and not port["ours"]:
        return (
            f"Port {port['number']} is in use by another program."
            " Stop it, or give this node another port (pg_server_port)."
        )
    return None


def _foreign_cluster(node: Mapping[str, Any]) -> str | None:
    if node["configured"] and not node["ours"]:
        return (
            f"{node['config_directory']} belongs to a cluster that this collection did not make."
            " Give this node another cluster name (pg_server_cluster)."
        )
    return None


def _space(node: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    free = node["filesystem"]["free_bytes"] // _MB
    if free < wanted["min_free_mb"] and not node["configured"]:
        return (
            f"{node['filesystem']['path']} has {free} MB free, but {wanted['min_free_mb']} MB are needed."
            " Make room, or lower pg_server_min_free_mb."
        )
    return None


def _version(node: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    shipped = wanted["releases"][_system(node)]
    if wanted["repository"] == "distribution" and node["version"] != shipped and node["missing_packages"]:
        return (
            f"{node['os']['name']} ships PostgreSQL {shipped}, not {node['version']}."
            " Set pg_server_version to 'distribution', or pg_server_repository to 'pgdg'."
        )
    return None


def _double(node: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    own = f"{wanted['address']}:{node['port']['number']}"
    count = list(wanted["addresses"]).count(own)
    if count > 1:
        return f"{count} nodes of the inventory have the address {own}. Give each its own pg_server_address or port."
    return None


def _rules(wanted: Mapping[str, Any]) -> str | None:
    try:
        check_rules(wanted_rules(wanted.get("hba_rules", []))[0])
    except PgFleetError as error:
        return f"pg_server_hba_rules: {error}"
    return None
