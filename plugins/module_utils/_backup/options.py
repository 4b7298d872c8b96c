# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The repository that a module's options mean (``repository_spec``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .._errors import InvalidInput
from .._postgres.login import Login
from .pgbackrest import PgBackRest
from .plain import Plain
from .repository import Repository

PGBACKREST, PLAIN = "pgbackrest", "plain"
_BELONGS = {PGBACKREST: ("stanza", "config_file"), PLAIN: ("repository",)}


def repository_of(params: Mapping[str, Any]) -> Repository:
    """Refuses options of the other provider, and what is missing of this one's."""
    provider = params["provider"]
    for other, names in _BELONGS.items():
        for name in names:
            if (other == provider) != bool(params.get(name)):
                raise _wrong(provider, other, name)
    for name in ("config_file", "repository"):
        if params.get(name) and not os.path.isabs(params[name]):
            raise InvalidInput(f"{name} '{params[name]}' is not an absolute path.", "Give one that begins with '/'.")
    if provider == PLAIN:
        return Plain(os.path.normpath(params["repository"]), Login.from_params(params), params.get("bin_dir") or "")
    return PgBackRest(params["stanza"], params["config_file"])


def _wrong(provider: str, other: str, name: str) -> InvalidInput:
    if other == provider:
        return InvalidInput(f"The provider {provider} needs {name}.", f"Give {name}.")
    return InvalidInput(
        f"{name} belongs to the provider {other}, and this one is {provider}.",
        f"Leave {name} out, or give provider: {other}.",
    )
