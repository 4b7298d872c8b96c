# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which action leads a server to a state, and what Debian's start.conf lets be started. No I/O."""

from __future__ import annotations

from .._errors import PgFleetError

ACTIONS = {"started": "start", "stopped": "stop", "restarted": "restart", "reloaded": "reload"}


def plan_server(state: str, running: bool, stopping: bool = False) -> tuple[str | None, str]:
    """The action that leads to a state, None when there is nothing to do, and whether the server then runs.

    A server that is ``stopping`` runs no longer, and is gone before it is started.
    """
    running = running and not (stopping and state in ("started", "restarted"))
    after = "stopped" if state == "stopped" else "running"
    if state == "reloaded" and not running:
        raise PgFleetError("The server is stopped and cannot reload.", "Start it.", "not_running")
    if state == "restarted" and not running:
        return "start", after
    if state in ("restarted", "reloaded"):
        return ACTIONS[state], after
    return (None if running == (state == "started") else ACTIONS[state]), after


def start_mode(text: str) -> str:
    """What start.conf says; C(auto) where it says nothing."""
    words = [line.partition("#")[0].strip() for line in text.splitlines()]
    return next(filter(None, words), "auto")
