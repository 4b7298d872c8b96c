# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The password file of a node: proved, written, read back, and taken back. The old file lies beside it until all is settled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .._errors import ConnectFailed
from .._host.as_user import call_as
from .._host.atomic import write_file
from .._host.files_io import user_called
from .._postgres.login import Login
from .._postgres.passfile import passfile_text, read_passfile
from .server import prove_login

BEFORE = ".before"


class NodePassfile:
    """The file of one node, as the module's options say."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.login = replace(Login.from_params(params), session_name="pgfleet_login")
        self.servers = [(str(server["host"]), int(server["port"])) for server in params["servers"]]
        self.path: str = params["path"]
        self.owner: str = params["owner"]

    @property
    def text(self) -> str:
        return passfile_text(self.servers, self.login.user, self.login.password)

    @property
    def differs(self) -> bool:
        if not os.path.isfile(self.path) or read_passfile(self.path) != self.text:
            return True
        status = os.stat(self.path)
        return bool(status.st_mode & 0o077) or status.st_uid != user_called(self.owner).pw_uid

    def write(self) -> None:
        """The new text; a file that an earlier run has left beside it is older still and stays."""
        if os.path.isfile(self.path) and not os.path.exists(self.path + BEFORE):
            self._put(self.path + BEFORE, read_passfile(self.path))
        self._put(self.path, self.text)

    def restore(self) -> bool:
        if not os.path.exists(self.path + BEFORE):
            return False
        os.rename(self.path + BEFORE, self.path)
        return True

    def settle(self) -> bool:
        try:
            os.unlink(self.path + BEFORE)
        except FileNotFoundError:
            return False
        return True

    def refused(self, by_file: bool) -> dict[str, Any] | None:
        """Why the login is refused; None when it is accepted."""
        login = replace(self.login, password="", passfile=self.path) if by_file else self.login
        answer: dict[str, Any] | None = call_as(self.owner, lambda: _try(login))
        return answer

    def _put(self, path: str, text: str) -> None:
        user = user_called(self.owner)
        write_file(path, text)
        if os.geteuid() == 0:
            with suppress(FileNotFoundError):
                os.chown(path, user.pw_uid, user.pw_gid)


def _try(login: Login) -> dict[str, Any] | None:
    try:
        prove_login(login)
    except ConnectFailed as error:
        return {"code": error.code, "words": error.message, "remedy": error.remedy}
    return None
