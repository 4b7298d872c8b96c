# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.control import ServerControl, pg_ctl

PLAIN = ServerControl("/d", "/bin", log_file="/log")
WAIT = ["--wait", "--timeout=60"]

CASES = {
    "reload": (PLAIN, "reload", []),
    "stop": (PLAIN, "stop", [*WAIT, "--mode=fast"]),
    "stop needs no log": (ServerControl("/d", "/bin"), "stop", [*WAIT, "--mode=fast"]),
    "start": (PLAIN, "start", [*WAIT, "--log=/log"]),
    "restart": (replace(PLAIN, stop_mode="immediate"), "restart", [*WAIT, "--mode=immediate", "--log=/log"]),
    "config_file": (replace(PLAIN, config_file="/c"), "start", [*WAIT, "--log=/log", "--options", "-c config_file=/c"]),
    "more options": (replace(PLAIN, more_options="-c a=1"), "start", [*WAIT, "--log=/log", "--options", "-c a=1"]),
}  # fmt: skip


@pytest.mark.parametrize(("control", "action", "words"), CASES.values(), ids=CASES)
def test_pg_ctl(control: ServerControl, action: str, words: list[str]) -> None:
    assert pg_ctl(control, action) == ["/bin/pg_ctl", action, "--silent", "--pgdata=/d", *words]


def test_a_server_is_not_started_without_a_place_for_its_output() -> None:
    with pytest.raises(InvalidInput, match="log_file is missing"):
        pg_ctl(replace(PLAIN, log_file=None), "start")
