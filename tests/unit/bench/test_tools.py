"""What the measurements read from ansible.posix.profile_tasks."""

from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.tests.bench.tools import seconds_by_task

SHORT = "pgfleet.cluster.pg_server : Say who may log in"
LONG = "pgfleet.cluster.kvm_vm : Make and start the machines, and wait until they are ready"


@pytest.mark.parametrize("name", [SHORT, LONG], ids=["short", "longer than the column"])
@pytest.mark.parametrize("seconds", [0.08, 1.44, 50.3, 101.5, 1001.5])
def test_seconds_of_any_length_are_read(name: str, seconds: float) -> None:
    line = f"{name + ' ':-<71}{f' {seconds:.02f}s':->9}"
    assert seconds_by_task(f"Saturday 21 November 2026 *****\n=====\n{line}\n") == {name: seconds}
