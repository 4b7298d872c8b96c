"""Clusters that the playbooks make on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import Fleet, own_place


@pytest.fixture(scope="module")
def empty_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Nodes without servers; whatever a test makes of them is destroyed."""
    with own_place() as (name, ports):
        made = Fleet(tmp_path_factory.mktemp("fleet"), name, ports)
        made.destroy("-e", "adopted=yes")  # what a killed run of the tests has left
        made.forget_what_was_set_aside()
        yield made
        made.all_hosts()
        made.destroy()
        made.forget_what_was_set_aside()


@pytest.fixture(scope="module")
def fleet(empty_fleet: Fleet) -> Fleet:
    """A finished cluster."""
    empty_fleet.site()
    return empty_fleet
