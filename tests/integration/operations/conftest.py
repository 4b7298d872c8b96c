"""One cluster for the files that a worker of the tests runs one after the other: each leaves a whole one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.pgfleet.cluster.tests.integration.fleet import NODES, Fleet, own_place


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with own_place() as (name, ports):
        made = Fleet(tmp_path_factory.mktemp("fleet"), name, ports)
        made.wipe()  # what a killed run of the tests has left
        yield made
        made.wipe()


def is_whole(fleet: Fleet) -> bool:
    """One node leads and all others stream from it."""
    leading = [node for node in NODES if fleet.answer(node, "SELECT pg_is_in_recovery()") == "f"]
    streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
    return len(leading) == 1 and fleet.answer(leading[0], streaming) == str(len(NODES) - 1)


@pytest.fixture(scope="module")
def fleet(_shared: Fleet) -> Fleet:
    """A finished cluster; made again where the tests of another file have failed and left less."""
    _shared.all_hosts()
    _shared.write_variables()
    if not is_whole(_shared):
        _shared.wipe()
        _shared.site()
    return _shared
