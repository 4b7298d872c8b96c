# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Work as the user of the server, and name what the operating system refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .._errors import PgFleetError


@contextmanager
def as_server_user(refused: type[PgFleetError], of_root: str, codes: Mapping[int, tuple[str, str]]) -> Iterator[None]:
    """Refuse to work as root; errors of the system become ``refused``. ``codes``: code and remedy by their number."""
    if os.geteuid() == 0:
        raise refused(
            of_root, "Run the task as the operating-system user of the server (become_user: postgres).", "run_as_root"
        )
    try:
        yield
    except OSError as error:
        code, remedy = codes.get(error.errno or 0, ("os_error", "The system's own words say why."))
        raise refused(f"The operating system refused: {error}.", remedy, code) from error
