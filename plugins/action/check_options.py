# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The control side of M(check_options)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._options import problems

ROLES = Path(__file__).resolve().parents[2] / "roles"
SPEC: dict[str, Any] = {
    "roles": {"type": "list", "elements": "str", "default": []},
    "words": {"type": "dict", "default": {}},
}


@cache
def options_of(role: str) -> dict[str, Any]:
    """The options of all entry points of a role, without secrets, which are not to be made for the sake of a check."""
    entries = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    options = {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}
    ranges = yaml.safe_load((ROLES / role / "vars/main.yml").read_text()).get(f"__{role}_ranges", {})
    return {
        name: {**option, "range": ranges.get(name.removeprefix(f"{role}_"), [0])}
        for name, option in options.items()
        if not option.get("no_log")
    }


class ActionModule(ActionBase):
    """Refuse options that are not what they must be, before anything is done."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, params = self.validate_argument_spec(SPEC)  # type: ignore[no-untyped-call]
        specifications = dict(params["words"])
        for role in params["roles"]:
            specifications.update(options_of(role))
        found = problems(specifications, self._given(specifications, task_vars or {}))
        if found:
            text = " ".join(map(str, found))
            return {**result, "failed": True, "msg": f"{text} Nothing was changed.", "code": found[0].code}
        return {**result, "changed": False}

    def _given(self, names: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """The options that are set; one that is made of what is not known yet is looked at where it is used."""
        given = {}
        for name in names:
            if name in variables:
                try:
                    given[name] = self._templar.template(variables[name])
                except AnsibleError:
                    continue
        return given
