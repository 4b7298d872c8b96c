# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Names that a role of the fleet can have. No I/O."""

from __future__ import annotations

_NAME_BYTES = 63
#: Names that mean something else in statements or in pg_hba.conf, and the superuser, who would lose rights.
_TAKEN = ("public", "none", "all", "postgres")


def role_name_problem(option: str, name: str) -> tuple[str, str] | None:
    """What is wrong with a name, and the remedy; None for a good one."""
    found = f"{option} is '{name}'"
    if not name or not name.isprintable() or name != name.strip():
        return (
            f"{found}, which is empty or has blanks around it or characters that cannot be printed.",
            "Give another name.",
        )
    if len(name.encode()) > _NAME_BYTES:
        return f"{found}, which has more than {_NAME_BYTES} bytes.", "Give a shorter name."
    if name in _TAKEN or name.startswith("pg_"):
        return f"{found}, which PostgreSQL keeps for itself.", "Give another name."
    return None


def role_names_problem(replication_user: str, rewind_user: str) -> tuple[str, str] | None:
    """The same for both roles of a fleet."""
    if replication_user == rewind_user:
        return (
            f"pg_server_replication_user and pg_server_rewind_user are both '{rewind_user}'.",
            "Give each its own name.",
        )
    replication = role_name_problem("pg_server_replication_user", replication_user)
    return replication or role_name_problem("pg_server_rewind_user", rewind_user)
