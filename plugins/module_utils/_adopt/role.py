# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Whether a role that is there already may serve for replication: only when nothing of it has to change. No I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from .plan import AdoptionRefused


def refuse_taken_role(name: str, role: Mapping[str, Any] | None, user: str, password: str) -> None:
    """Raise for somebody's role that would have to be changed; their standbys may log in with it."""
    if role is None:
        return
    why = _why_not(role, password)
    if why:
        raise AdoptionRefused(
            f"The server of {name} has a role '{user}' already, which {why}.",
            "Give another pg_server_replication_user, or its present password as pg_server_replication_password. Nothing was changed.",
            "adopt_role_taken",
        )


def _why_not(role: Mapping[str, Any], password: str) -> str:
    if role["superuser"]:
        return "is a superuser"
    if not (role["login"] and role["replication"]):
        return "has no LOGIN or no REPLICATION"
    if not is_password(role["password"] or "", password):
        return "has another password than pg_server_replication_password, or one that is not stored as SCRAM"
    return ""


def is_password(stored: str, password: str) -> bool:
    """Whether a stored SCRAM secret, ``SCRAM-SHA-256$4096:salt$StoredKey:ServerKey``, is that of a password (RFC 5803)."""
    try:
        method, numbers, keys = stored.split("$")
        rounds, salt = numbers.split(":")
        wanted = base64.b64decode(keys.split(":")[0])
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    except ValueError:
        return False
    key = hmac.new(salted, b"Client Key", "sha256").digest()
    return method == "SCRAM-SHA-256" and hmac.compare_digest(hashlib.sha256(key).digest(), wanted)
