# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whose a directory of secrets is. Two fleets of one name would share it, and the one destroyed would take the other's. No I/O."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError


class SecretsRefused(PgFleetError):
    """The directory of secrets cannot be used; ``code`` says why."""

    code = "secrets_of_another_fleet"


@dataclass(frozen=True)
class Owner:
    """A fleet as its marker has it: nodes as "name address:port", and its system identifier once there is a server."""

    nodes: tuple[str, ...]
    system: str | None = None

    def __str__(self) -> str:
        return ", ".join(self.nodes) + (f" (system identifier {self.system})" if self.system else "")

    def as_text(self) -> str:
        return json.dumps({"nodes": list(self.nodes), "system_identifier": self.system}, indent=2) + "\n"


def parse_owner(text: str, path: str) -> Owner:
    try:
        found = json.loads(text)
        system = found["system_identifier"]
        return Owner(tuple(map(str, found["nodes"])), str(system) if system else None)
    except (ValueError, TypeError, KeyError):
        raise SecretsRefused(
            f"'{path}' on the control machine does not say whose the secrets beside it are.",
            "Remove this file; the next run of site writes it again. Nothing was changed.",
            "secrets_unusable",
        ) from None


def is_another(noted: Owner | None, nodes: Collection[str], systems: Collection[str]) -> bool:
    """Nodes come, go and move while the system identifier stays; where one is not known, a node in common decides."""
    if noted is None:
        return False
    if noted.system and systems:
        return noted.system not in systems
    return set(nodes).isdisjoint(noted.nodes)


def plan_owner(noted: Owner | None, nodes: Collection[str], systems: Collection[str], directory: str) -> Owner:
    """What the marker has to say from now on; raises where it says that the secrets are another fleet's."""
    if noted and is_another(noted, nodes, systems):
        mine = Owner(tuple(nodes), min(systems, default=None))
        raise SecretsRefused(
            f"The secrets in '{directory}' on the control machine are those of another fleet, {noted}; this one is {mine}.",
            "Give this fleet another pg_server_fleet or pg_server_secrets_directory."
            " If the other one is gone, remove fleet.json there. Nothing was changed.",
        )
    kept = noted.system if noted and noted.system in systems else None
    return Owner(tuple(nodes), kept or (next(iter(systems)) if len(set(systems)) == 1 else None))
