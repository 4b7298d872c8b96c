# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Options that the actions of drills share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .load import Load

LOAD_SPEC: dict[str, Any] = {
    "nodes": {"type": "dict", "default": {}},
    "login_user": {"type": "str", "default": "pgfleet_drill"},
    "login_password": {"type": "str", "default": "", "no_log": True},
    "login_db": {"type": "str", "default": "pgfleet_drill"},
    "ssl_mode": {"type": "str", "default": "prefer"},
    "ca_cert": {"type": "path"},
    "channel_binding": {"type": "str"},
    "writes_per_second": {"type": "float", "default": 100},
    "reads_per_second": {"type": "float", "default": 20},
    "seconds": {"type": "float", "default": 900},
}

_TRUST = {"sslrootcert": "ca_cert", "channel_binding": "channel_binding"}


def load_from(params: Mapping[str, Any]) -> Load:
    """The load that these options describe; ``nodes`` is address and port by name."""
    return Load(
        {name: (str(address), int(port)) for name, (address, port) in params["nodes"].items()},
        {
            "user": params["login_user"],
            "password": params["login_password"],
            "dbname": params["login_db"],
            "sslmode": params["ssl_mode"],
            "application_name": "pgfleet_drill",
            **{word: params[option] for word, option in _TRUST.items() if params[option]},
        },
        params["writes_per_second"],
        params["reads_per_second"],
        params["seconds"],
    )
