# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the first look at a node has proven about its certificates, so that nobody looks again. No I/O.

Whatever is not known counts as not proven: then role pki looks for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import leaf_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.flaws import Verdict
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.plan import KEEP, Found, plan_step
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted

from .authorities import LAST_DAYS

_PUBLIC = "0644"


def are_kept(
    found: Mapping[str, Any],
    trust: Mapping[str, Any],
    wanted: Sequence[Mapping[str, Any]],
    owner: str,
    renew_before: float,
    now: datetime,
) -> bool:
    """Whether certificate_files would change nothing and certificate_authority say nothing. ``found`` is what node_info describes."""
    if not found or not _trusts(found, trust, now):
        return False
    try:
        return all(
            _is_kept(Wanted.from_params(each, owner), found["found"].get(each["name"]) or {}, now, renew_before)
            for each in wanted
        )
    except PgFleetError:
        return False


def _trusts(found: Mapping[str, Any], trust: Mapping[str, Any], now: datetime) -> bool:
    """Exactly those that it is to trust. While an authority is being replaced, or in its last year, others have something to say."""
    signer, trusted = trust["signer"], trust["trusted"]
    if not trusted or (found["authorities"], found["authorities_mode"]) != (trusted, _PUBLIC):
        return False
    return not signer or (signer == trusted and not leaf_of(signer).ends_within(LAST_DAYS, now))


def _is_kept(wanted: Wanted, found: Mapping[str, Any], now: datetime, renew_before: float) -> bool:
    if not found or wanted.combined or wanted.group:
        return False
    files = found["files"]
    drifted = [
        name
        for name, mode in (("certificate.pem", _PUBLIC), ("key.pem", wanted.mode))
        if files.get(name) != [wanted.owner, f"{int(mode, 8):04o}"]
    ]
    here = Found(found["text"], bool(files.get("key.pem")), Verdict(*found["verdict"]), tuple(drifted))
    return plan_step(wanted, here, now, renew_before).action == KEEP
