"""Clusters that the playbooks make on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.pgfleet.cluster.tests.integration import turns
from ansible_collections.pgfleet.cluster.tests.integration.fleet import Fleet, own_place

#: Workers take files in this order, then the others: a long one that comes late leaves one worker alone with it at the end.
LONGEST_FIRST = (
    "test_operations.py", "test_drills.py", "test_fleets.py", "test_site.py", "test_archive_only.py", "test_backup.py",
    "test_backup_drills.py", "test_interrupted.py", "test_adopt.py", "test_wrong_values.py", "test_two_operators.py", "test_identity.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that take turns and whose turn it is not, and let long files come first."""
    places_of_files = {file: place for place, file in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places_of_files.get(item.path.name, len(LONGEST_FIRST)))
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
