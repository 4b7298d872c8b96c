# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(check_options)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible import constants
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.release import __version__

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.fleets import (
    ANY,
    NAMED,
    ONE,
    chosen_nodes,
    fleets_of,
)
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.options import (
    OptionRefused,
    check_types_are_kept,
    problems,
)

ROLES = Path(__file__).resolve().parents[2] / "roles"
# Names of facts that are not there yet when a playbook begins.
OWN = re.compile(r"\b(hostvars|groups)\b|\b_*(pg_|pki_|pagila_|kvm_|container_)\w+")
# A part of a secret is not to be shown; the name of the variable that holds it may be.
A_NAME = re.compile(r"\s*\{\{\s*[\w.]+\s*\}\}\s*")
BRACES = "it has braces in it, which Ansible reads as a template", "Give it as !unsafe, or without braces."
SPEC: dict[str, Any] = {
    "roles": {"type": "list", "elements": "str", "default": []},
    "words": {"type": "dict", "default": {}},
    "fleets": {"type": "str", "default": ANY, "choices": [ANY, ONE, NAMED]},
}


@cache
def options_of(role: str) -> dict[str, Any]:
    """The options of all entry points of a role."""
    entries = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    options = {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}
    ranges = yaml.safe_load((ROLES / role / "vars/main.yml").read_text()).get(f"__{role}_ranges", {})
    return {
        name: {**option, "range": ranges.get(name.removeprefix(f"{role}_"), [0])} for name, option in options.items()
    }


def is_made(option: dict[str, Any], value: Any) -> bool:
    """A secret that a lookup makes or reads; it is not to be made for the sake of a check."""
    return bool(option.get("no_log")) and "lookup" in str(value)


def _speaker(variables: Mapping[str, Any]) -> Any:
    """The host that says for all what is wrong with the words of the command line."""
    return next(iter(variables["ansible_play_hosts"]))


class ActionModule(ActionBase):
    """Refuse options that are not what they must be, before anything is done."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, params = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        variables = task_vars or {}
        specifications = dict(params["words"])
        for role in params["roles"]:
            specifications.update(options_of(role))
        given, unknown = self._given(specifications, variables)
        try:
            check_types_are_kept(__version__, bool(getattr(constants, "DEFAULT_JINJA2_NATIVE", True)))
            if variables["inventory_hostname"] not in self._chosen(params["fleets"], given, variables):
                return {**result, "changed": False}
        except PgFleetError as error:
            return self._refusal(result, [error] if variables["inventory_hostname"] == _speaker(variables) else [])
        shown = {name: option for name, option in specifications.items() if not option.get("no_log")}
        found = unknown + problems(shown, {name: value for name, value in given.items() if name in shown})
        return self._refusal(result, found)

    @staticmethod
    def _refusal(result: dict[str, Any], found: Sequence[PgFleetError]) -> dict[str, Any]:
        if not found:
            return {**result, "changed": False}
        text = " ".join(map(str, found))
        return {**result, "failed": True, "msg": f"{text} Nothing was changed.", "code": found[0].code}

    @staticmethod
    def _chosen(scope: str, given: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
        """The hosts that the words of the playbook are for."""
        words = {name: str(given.get(name) or "") for name in ("fleet", "to", "node")}
        node = words["to"] or words["node"] if scope == ONE else ""
        nodes = variables["groups"].get("postgres", ())
        try:
            fleets = fleets_of(nodes, variables["hostvars"])
        except AnsibleError:  # a fleet that cannot be computed is refused by its own host
            return [variables["inventory_hostname"]]
        chosen = chosen_nodes(fleets, words["fleet"], node, scope)
        return [*chosen, *(host for host in [variables["inventory_hostname"]] if host not in nodes)]

    def _given(
        self, names: Mapping[str, dict[str, Any]], variables: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[OptionRefused]]:
        """The options that are set, and those that are made of variables that nobody sets.

        One that fails in another way, or is made of what the roles will say, is looked at where it is used.
        """
        given: dict[str, Any] = {}
        unknown: list[OptionRefused] = []
        for name in sorted(set(names) & set(variables)):
            if is_made(names[name], variables[name]):
                continue
            try:
                given[name] = self._templar.template(variables[name])
            except AnsibleUndefinedVariable as error:
                words, remedy = str(error).splitlines()[0], "Correct it."
                if OWN.search(f"{words} {variables[name]}"):
                    continue
                if names[name].get("no_log") and not A_NAME.fullmatch(str(variables[name])):
                    words, remedy = BRACES
                unknown.append(OptionRefused(f"{name} cannot be computed: {words.rstrip('.')}.", remedy))
            except AnsibleError:
                continue
        return given, unknown
