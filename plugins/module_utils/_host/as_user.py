# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Do a part of a module's work as another user of the operating system."""

from __future__ import annotations

import json
import os
import pwd
import sys
import traceback
from collections.abc import Callable
from typing import Any

from .._errors import PgFleetError


def call_as(user: str, work: Callable[[], Any]) -> Any:
    """What ``work`` returns, as plain data, when a process of ``user`` does it; only root can ask for another user."""
    account = pwd.getpwnam(user)
    if account.pw_uid == os.geteuid():
        return work()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _do(account, work, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        answer = pipe.read()
    _pid, status = os.waitpid(child, 0)
    if status or not answer:
        raise PgFleetError(f"Work as user '{user}' failed: {answer or f'wait status {status}'}", code="os_error")
    return json.loads(answer)


def _do(account: pwd.struct_passwd, work: Callable[[], Any], writing: int) -> None:
    """The child: become the user, work, answer, and end without the parent's clean-up."""
    status = 1
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        try:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os.environ["HOME"] = (
                account.pw_dir
            )  # or libpq fails on certificates of the other user, which it may not read
            pipe.write(json.dumps(work()))
            status = 0
        except Exception:
            pipe.write(traceback.format_exc(limit=-1))
    sys.stdout.flush()
    os._exit(status)
