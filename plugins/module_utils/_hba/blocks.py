# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The blocks of a pg_hba.conf that the options of hba_rules ask for. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .check import check_rules
from .file import FLEET, LAST, WantedBlocks, fleet_rules
from .wanted import wanted_rules


def wanted_blocks(params: Mapping[str, Any]) -> WantedBlocks:
    """The options as blocks; raises HbaRuleInvalid."""
    own, absent = wanted_rules(params["rules"])
    check_rules(own)
    if params["block"] != FLEET:
        return WantedBlocks({params["block"]: own if params["state"] == "present" else []}, absent)
    logins = (("replication", params["replication_user"]), ("postgres", params["rewind_user"]))
    first, last = fleet_rules(params["nodes"], logins, own, params["client_certificates"])
    if params["state"] == "absent":
        first, last = [], []
    return WantedBlocks({FLEET: first, LAST: last}, absent, logins)
