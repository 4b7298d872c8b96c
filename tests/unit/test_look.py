"""What the machine says of a server that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._status import read as _look
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.values import Status


@pytest.mark.parametrize(
    ("needed", "running", "local", "codes"),
    [
        pytest.param(1 << 62, True, True, ["disk_nearly_full"], id="too little"),
        pytest.param(0, True, True, [], id="enough"),
        pytest.param(1 << 62, False, True, [], id="of a stopped server the reason for that tells"),
        pytest.param(1 << 62, True, False, [], id="on another machine"),
    ],
)
def test_a_disk_that_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed: int, running: bool, local: bool, codes: list[str]
) -> None:
    monkeypatch.setattr(_look, "MIN_FREE_BYTES", needed)
    status = Status("here", running=running, data_directory=str(tmp_path))
    assert [each.code for each in _look._disk_trouble(status, local)] == codes
