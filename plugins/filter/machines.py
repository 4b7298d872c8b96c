# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Virtual machines as the inventory names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.machines import fleet_machines, machines_report

_FIELDS = ("name", "address", "memory_mb", "vcpus", "disk_gb", "autostart")


@wraps(fleet_machines)
def machines(*args: Any) -> list[dict[str, Any]]:
    try:
        return fleet_machines(*args)
    except PgFleetError as error:
        raise AnsibleFilterError(str(error)) from error


def with_host_keys(wanted: Iterable[Mapping[str, Any]], directory: str) -> list[dict[str, Any]]:
    """The machines as the modules virtual_machines and containers take them; a key that is not there (check mode) is empty."""
    return [
        {**{name: machine[name] for name in _FIELDS if name in machine}, **_keys(directory, machine["name"])}
        for machine in wanted
    ]


def _keys(directory: str, name: str) -> dict[str, str]:
    path = Path(directory, "hosts", name).expanduser()
    files = {"host_key": path, "host_public_key": path.with_name(name + ".pub")}
    return {option: file.read_text() if file.is_file() else "" for option, file in files.items()}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"machines": machines, "with_host_keys": with_host_keys, "machines_report": machines_report}
