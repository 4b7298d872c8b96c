# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._server.plan import plan_server, start_mode

# state, whether it runs, whether it is stopping -> action, what it is then
PLANS = [
    ("started", False, False, "start", "running"),
    ("started", True, False, None, "running"),
    ("started", True, True, "start", "running"),
    ("stopped", True, False, "stop", "stopped"),
    ("stopped", True, True, "stop", "stopped"),
    ("stopped", False, False, None, "stopped"),
    ("restarted", True, False, "restart", "running"),
    ("restarted", True, True, "start", "running"),
    ("restarted", False, False, "start", "running"),
    ("reloaded", True, False, "reload", "running"),
]


@pytest.mark.parametrize(("state", "running", "stopping", "action", "after"), PLANS)
def test_plan(state: str, running: bool, stopping: bool, action: str | None, after: str) -> None:
    assert plan_server(state, running, stopping) == (action, after)


def test_what_does_not_run_cannot_reload() -> None:
    with pytest.raises(PgFleetError, match="cannot reload"):
        plan_server("reloaded", False)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", "auto"),
        ("# auto, manual or disabled\n\nmanual\n", "manual"),
        ("disabled # by hand\n", "disabled"),
        ("# disabled\n", "auto"),
    ],
)
def test_start_conf(text: str, mode: str) -> None:
    assert start_mode(text) == mode
