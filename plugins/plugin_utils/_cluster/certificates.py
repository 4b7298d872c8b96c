# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether the nodes of a fleet log in at each other with certificates. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.recovery import OWN_FILES, parse_conninfo
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import ARCHIVE

_SERVER = "/pki/server/certificate.pem"
#: What is issued last.
_LAST = "/pki/rewind/certificate.pem"


class CertificatesDiffer(PgFleetError):
    """Some nodes of a fleet are to have certificates, and others not: they would refuse each other."""

    code = "certificates_differ"


def refuse_some_certified(wanted: Mapping[str, Mapping[str, str]]) -> None:
    """By the settings that each node is to have."""
    certified = {node: settings.get("ssl_cert_file", "").endswith(_SERVER) for node, settings in wanted.items()}
    if len(set(certified.values())) > 1:
        listed = (", ".join(node for node, has in certified.items() if has is one) for one in (True, False))
        raise CertificatesDiffer(
            "pki_mode differs between the nodes: {} would show certificates of the fleet, and {} would not.".format(
                *listed
            ),
            "Give all nodes of the fleet the same pki_mode. Nothing was changed.",
        )


def have_certificates(names: Iterable[str], hostvars: Mapping[str, Any], configured: bool = False) -> bool:
    """Whether every node that was looked at has its certificates; what a node that gives no answer has, it has still.

    With ``configured`` new nodes, which get theirs, do not count.
    """
    looked_at = [node for name in names if (node := hostvars[name].get("pg_server_node"))]
    nodes = [node for node in looked_at if node["configured"] or not configured]
    return bool(nodes) and all(
        any(found and path.endswith(_LAST) for path, found in node["files"].items()) for node in nodes
    )


def adopted_nodes(names: Iterable[str], hostvars: Mapping[str, Any]) -> list[str]:
    """Nodes whose server somebody else made, adopted before or by this run."""
    found = []
    for name in names:
        node, facts = (hostvars[name].get(fact) or {} for fact in ("pg_server_node", "pg_server_facts"))
        becomes = facts.get("adopt") and node.get("configured") and not node.get("ours")
        if node.get("adopted") or becomes:
            found.append(name)
    return found


def show_certificates(topology: Mapping[str, Any], hostvars: Mapping[str, Any]) -> bool:
    """Whether no standby would be kept out by rules that ask for one. One that is yet to be cloned gets what is wanted."""
    standbys = [name for name in topology["standbys"] if name in topology["existing"] and _logs_in(hostvars[name])]
    return all(_shows(hostvars[name].get("pg_server_node") or {}) for name in standbys)


def _logs_in(variables: Mapping[str, Any]) -> bool:
    """A standby that reads the archive only logs in nowhere, until its recovery settings are others."""
    found = (variables.get("pg_server_node") or {}).get("recovery") or {}
    upstream = (variables.get("pg_server_facts") or {}).get("upstream")
    return upstream != ARCHIVE or bool(found.get("primary_conninfo"))


def _shows(node: Mapping[str, Any]) -> bool:
    conninfo = (node.get("recovery") or {}).get("primary_conninfo", "")
    return bool(OWN_FILES.search(parse_conninfo(conninfo).get("sslcert", "")))
