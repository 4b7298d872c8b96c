# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The certificates of a node's server that end soon, or have ended: nobody else says so."""

from __future__ import annotations

import glob
from datetime import datetime, timezone
from typing import Any

from .._errors import PgFleetError
from .._tls.certificate import leaf_of
from .._tls.flaws import date_flaws

#: From then on it is a finding; site renews them long before.
WARN_DAYS = 30


def certificate_findings(config_directory: str) -> list[dict[str, Any]]:
    """What is wrong with their dates, each with its code and remedy."""
    now = datetime.now(timezone.utc)
    found: list[dict[str, Any]] = []
    for path in sorted(glob.glob(f"{config_directory}/pki/*/certificate.pem")):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        try:
            found += [flaw.as_result() for flaw in date_flaws(leaf_of(text, path), f"'{path}'", now, WARN_DAYS)]
        except PgFleetError as error:
            found.append(
                {"code": error.code, "message": error.message, "remedy": "Run site.yml, which issues it again."}
            )
    return found
