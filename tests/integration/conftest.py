"""Clusters that the playbooks make on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.pgfleet.cluster.tests.integration import turns
from ansible_collections.pgfleet.cluster.tests.integration.fleet import Fleet, own_place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that take turns and whose turn it is not."""
    marked = [(item, int(mark.args[0])) for item in items if (mark := item.get_closest_marker("turns"))]
    places = [(item.nodeid.partition("::")[0], of) for item, of in marked]
    for (item, _of), reason in zip(marked, turns.reasons(turns.chosen(), places)):
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def empty_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Nodes without servers; whatever a test makes of them is wiped."""
    with own_place() as (name, ports):
        made = Fleet(tmp_path_factory.mktemp("fleet"), name, ports)
        made.wipe()  # what a killed run of the tests has left
        yield made
        made.wipe()


@pytest.fixture(scope="module")
def fleet(empty_fleet: Fleet) -> Fleet:
    """A finished cluster."""
    empty_fleet.tasks_of_first_run = empty_fleet.site().output.count("\nTASK [")
    return empty_fleet
