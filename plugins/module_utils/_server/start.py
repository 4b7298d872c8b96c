# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Start a server whose settings may have changed, so that one that does not start with them starts without."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._datadir.facts import find_server
from .._errors import PgFleetError
from .._host.as_user import call_as
from .._host.files import WantedFile
from .._host.files_io import look, user_called, write
from .._host.machine import owner_name
from .._postgres.login import Login
from .._postgres.pid_file import read_pid_file
from .._settings.apply import PREVIOUS, SettingsRefused, blamed, changes_of, forget_previous, put_back
from .._settings.server import waiting_settings
from .control import ServerControl, act


def start_or_go_back(control: ServerControl, action: str) -> None:
    """Start or restart; on failure with the settings of before, or with the values that were in force, and say why.

    Raises SettingsRefused when the server runs all the same, and the first failure when it does not.
    """
    path, data = control.settings_file, control.data_directory
    waiting = _waiting(data) if action == "restart" else []
    try:
        act(control, action)
    except PgFleetError as failure:
        if find_server(data) is not None or not path:
            raise  # it has not even stopped
        raise _gone_back(control, path, failure, waiting) from failure
    if path:
        forget_previous(path)


def _gone_back(control: ServerControl, path: str, failure: PgFleetError, waiting: list[dict[str, Any]]) -> PgFleetError:
    reason = str(failure.facts.get("reason") or failure.message)
    refused, old = look(path).text, look(path + PREVIOUS)
    changes = changes_of(old.text if old.exists else refused, refused, waiting)
    said = f"The server of {control.data_directory} does not start"
    said += f" with {blamed(changes, reason)}: {reason}." if changes else f": {reason}."
    if put_back(path) and _starts(control, {}):
        return SettingsRefused(
            said, f"The settings of before are back in {path}, and it runs with them.", reason=reason
        )
    in_force = {row["name"]: row["setting"] for row in waiting}
    if in_force and _starts(control, in_force):
        names = ", ".join(in_force)
        return SettingsRefused(
            said,
            f"It runs again with the old values of {names} on its command line, until its next restart: correct them where they"
            " are written (ALTER SYSTEM RESET for postgresql.auto.conf), then restart it.",
            reason=reason,
        )
    return PgFleetError(
        said, "It does not run. Its log says more; correct what it names and run site.", failure.code, reason=reason
    )


def _starts(control: ServerControl, given: Mapping[str, str]) -> bool:
    """Whether it starts with these values on its command line."""
    try:
        if given and control.unit:
            _start_unit(control, given)
        else:
            options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in given.items())
            act(replace(control, more_options=options), "start")
    except PgFleetError:
        return False
    return find_server(control.data_directory) is not None


def _start_unit(control: ServerControl, given: Mapping[str, str]) -> None:
    """The unit's pg_ctlcluster has options of pg_ctl from a file, cut at every space."""
    path = os.path.join(os.path.dirname(control.config_file or ""), "pg_ctl.conf")
    if any(re.search(r"[\s'\"\\]", value) for value in given.values()):
        raise PgFleetError("A value with a space cannot be given to a unit.")
    kept = look(path)
    owner = kept.owner or owner_name(os.stat(control.data_directory).st_uid)
    options = " ".join(f"-o -c{name}={value}" for name, value in given.items())
    write(WantedFile(path, f"pg_ctl_options = '{options}'\n", owner, kept.mode or "0644"), user_called(owner))
    try:
        act(control, "start")
    finally:
        text = kept.text if kept.exists else "pg_ctl_options = ''\n"
        write(WantedFile(path, text, owner, kept.mode or "0644"), user_called(owner))


def _waiting(data_directory: str) -> list[dict[str, Any]]:
    """What would change with the restart, asked as the owner of the data; nothing where nobody can be asked."""
    try:
        found = read_pid_file(data_directory)
        owner = owner_name(os.stat(data_directory).st_uid)
        if found.port is None:
            return []
        login = Login(unix_socket=found.socket_directory, port=found.port, connect_timeout=5)
        return list(call_as(owner, lambda: waiting_settings(login)))
    except (OSError, ValueError, KeyError, PgFleetError):
        return []
