# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Write the settings of a server so that those before can come back, and see whether it would start with them.

The settings file that the server was last known to work with lies beside the new one as ``pgfleet.conf.previous`` until the
new one is in force. Whoever finds it (the next run after one that was killed, a start that fails) can go back.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .._datadir.facts import find_server
from .._errors import PgFleetError
from .._host.files import FoundFile, WantedFile
from .._host.files_io import look, user_called, validate, write
from .._postgres.login import Login
from .._postgres.settings import changes_between, read_settings
from .rehearsal import Place, Rehearsal, rehearse
from .server import contexts, reload_and_judge, waiting_settings
from .state import InForce, same_value

PREVIOUS = ".previous"
_SHOWN = 4


class SettingsRefused(PgFleetError):
    """A server does not work, or would not start, with a setting."""

    code = "settings_refused"


@dataclass(frozen=True)
class Change:
    """A setting that a server is to get: as it was, as it is to be (None: no line), and where that is written if not by us."""

    name: str
    before: str | None
    after: str | None
    where: str = ""

    def __str__(self) -> str:
        wanted = f"{self.name} = '{self.after}'" if self.after is not None else f"{self.name} left out"
        place = f" in {self.where}" if self.where else ""
        return f"{wanted}{place} (it was {'not set' if self.before is None else repr(self.before)})"


def changes_of(old: str, new: str, waiting: list[dict[str, Any]]) -> list[Change]:
    """What a new file changes, and what waits for a restart anyway."""
    ours = [Change(name, *texts) for name, texts in changes_between(old, new).items()]
    named = {change.name for change in ours}
    others = [
        Change(row["name"], row["setting"], row["wanted"] or row["boot_val"], _where(row))
        for row in waiting
        if row["name"].lower() not in named
    ]
    return ours + others


def _where(row: Mapping[str, Any]) -> str:
    return f"line {row['line']} of {row['file']}" if row["file"] else ""


def blamed(changes: list[Change], reason: str) -> str:
    """The changes that a server's words name, or all of them where they name none."""
    named = [change for change in changes if change.name in reason.lower()] or changes
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(map(str, named[:_SHOWN])) + more


def previous_text(path: str) -> str | None:
    """The settings that the server was last known to work with, where the present ones are not yet proven."""
    found = look(path + PREVIOUS)
    return found.text if found.exists else None


def keep_previous(path: str, found: FoundFile, running: bool) -> None:
    """Keep the file that is there, unless an older one is kept already, which is then the one that is proven."""
    if look(path + PREVIOUS).exists or not (found.exists or running):
        return
    owner = found.owner or look(os.path.dirname(path)).owner
    write(WantedFile(path + PREVIOUS, found.text, owner, found.mode or "0644"), user_called(owner))


def forget_previous(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path + PREVIOUS)


def put_back(path: str) -> bool:
    """Put the settings of before in the place of the present ones; whether there were any."""
    try:
        os.rename(path + PREVIOUS, path)
    except FileNotFoundError:
        return False
    return True


def predicted(changes: list[Change], login: Login) -> dict[str, dict[str, str | None]]:
    """The settings that will wait for a restart, as replication_status shows them: ``setting`` and ``wanted``."""
    known = contexts(login)
    found = {}
    for change in changes:
        now = known.get(change.name.lower())
        if now is None or now["context"] != "postmaster":
            continue
        wanted = now["boot_val"] if change.after is None else change.after
        if not same_value(wanted or "", f"{now['setting']}*{now['unit'] or ''}", now["unit"]):
            found[change.name] = {"setting": now["setting"], "wanted": wanted}
    return found


def refuse_what_cannot_start(
    place: Place, path: str, text: str, changes: list[Change], login: Login, running: bool
) -> None:
    """Raise the server's own reason when it would not start with this file."""
    if not place.initialised:
        command = (os.path.join(place.bin_dir, "postgres"), "-C", "port", "-D", "/", "--config-file=%s")
        validate(WantedFile(path, text, "", validate=command))
        return
    found = rehearse(place, {path: text})
    if found.about_memory and running:
        found = _unless_the_memory_is_taken(place, path, text, login, found)
    if found.reason:
        what = blamed(changes, found.reason) if changes else "its settings"
        raise SettingsRefused(
            f"The server cannot start with {what}: {found.reason}.",
            "It was only tried: the server runs as before, and nothing was changed."
            if running
            else "Nothing was changed.",
            reason=found.reason,
        )


def _unless_the_memory_is_taken(place: Place, path: str, text: str, login: Login, found: Rehearsal) -> Rehearsal:
    """With what is in force it must come up beside the running server, or the trial says nothing about the settings."""
    known = contexts(login)
    in_force = {
        name: str(known[name]["setting"])
        for name in read_settings(text)
        if known.get(name, {}).get("context") == "postmaster" and known[name]["setting"] is not None
    }
    for name in ("huge_pages", "shared_buffers", "max_connections"):
        in_force.setdefault(name, str(known[name]["setting"]))
    return Rehearsal() if rehearse(place, {path: text}, in_force).reason else found


def bring_into_force(path: str, data_directory: str, login: Login, changes: list[Change]) -> InForce:
    """Reload and read back; what the server refuses goes, and the settings of before come back."""
    try:
        found = reload_and_judge(login)
    except PgFleetError as error:
        found, words = InForce(), str(error.facts.get("server_words") or error.message)
    else:
        words = _refusal(found)
    if not words:
        if not waiting_settings(login):
            forget_previous(path)
        return found
    back = put_back(path)
    _signal_reload(data_directory)
    raise SettingsRefused(
        f"The server does not work with {blamed(changes, words) if changes else 'its settings'}: {words}.",
        f"The settings of before are back in {path} and in force."
        if back
        else f"Correct {path}, or what the words name.",
        reason=words,
    )


def _refusal(found: InForce) -> str:
    refused = [f"{name}: {error}" for name, error in (found.refused or {}).items()]
    return "; ".join([*refused, *(f"{name} was not taken by the reload" for name in found.missing)])


def _signal_reload(data_directory: str) -> None:
    pid = find_server(data_directory)
    if pid is not None:
        os.kill(pid, signal.SIGHUP)
