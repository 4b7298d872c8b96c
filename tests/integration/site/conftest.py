"""Fleets that several files of tests begin with; each file has one of its own."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def bare_fleet(empty_fleet: Any) -> Any:
    """Nothing yet, and without the sample database from then on."""
    variables = empty_fleet.inventory / "group_vars/postgres.yml"
    variables.write_text(variables.read_text().replace("pagila_load_enabled: true", "pagila_load_enabled: false"))
    return empty_fleet


@pytest.fixture(scope="module")
def pair(bare_fleet: Any) -> Any:
    """A primary and a standby."""
    bare_fleet.hosts({"primary": {}}, {"node1": {}})
    bare_fleet.site()
    return bare_fleet
