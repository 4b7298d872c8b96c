# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Passwords as PostgreSQL keeps them (RFC 5802, RFC 7677), so that a password itself never reaches a server. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stringprep
import unicodedata
from base64 import b64decode, b64encode

_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_ITERATIONS = 4096
_PROHIBITED = (
    stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
    stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8, stringprep.in_table_c9,
    stringprep.in_table_a1,
)  # fmt: skip


def new_verifier(password: str) -> str:
    """A verifier with a salt of its own."""
    return _verifier(password, os.urandom(16), _ITERATIONS)


def matches(stored: str | None, password: str) -> bool:
    """Whether a role with this ``rolpassword`` takes the password, by SCRAM."""
    found = _VERIFIER.fullmatch(stored or "")
    return bool(found) and stored == _verifier(password, b64decode(found[2]), int(found[1])) if found else False


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (b64encode(value).decode() for value in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt_text}${stored_text}:{server_text}"


def _prepared(password: str) -> bytes:
    """SASLprep (RFC 4013); where it fails, PostgreSQL takes the bytes as they are."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    text = unicodedata.normalize("NFKC", mapped)
    if not text or any(check(char) for char in text for check in _PROHIBITED) or _mixes_directions(text):
        return password.encode()
    return text.encode()


def _mixes_directions(text: str) -> bool:
    right = [stringprep.in_table_d1(char) for char in text]
    if not any(right):
        return False
    return any(map(stringprep.in_table_d2, text)) or not (right[0] and right[-1])
