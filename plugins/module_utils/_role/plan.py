# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a role of the fleet must be, and the changes that bring it there. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import PgFleetError

REPLICATION, REWIND = "replication", "rewind"
#: What pg_rewind calls on its source (manual: pg_rewind, Notes).
REWIND_FUNCTIONS = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)
_NEVER = ("super", "createdb", "createrole", "bypassrls")
_WORDS = {
    "login": "LOGIN", "replication": "REPLICATION", "super": "SUPERUSER", "createdb": "CREATEDB",
    "createrole": "CREATEROLE", "bypassrls": "BYPASSRLS",
}  # fmt: skip


class RoleRefused(PgFleetError):
    """A role of that name is there, and is not one that the collection may change."""

    code = "role_foreign"


@dataclass(frozen=True)
class Role:
    """A role as pg_authid and pg_db_role_setting show it. ``settings`` are by database; ``""`` is every one."""

    name: str
    flags: Mapping[str, bool]
    connection_limit: int = -1
    valid_until: str | None = None
    password_matches: bool = False
    has_password: bool = True
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    member_of: tuple[str, ...] = ()
    owns: int = 0
    essential: bool = False

    def shown(self) -> dict[str, Any]:
        """For ``--diff``."""
        return {
            **{_WORDS[name].lower(): value for name, value in self.flags.items()},
            "connection_limit": self.connection_limit,
            "valid_until": self.valid_until,
            "password": "(as given)" if self.password_matches else "(another one)" if self.has_password else None,
            "settings": {database or "all databases": list(lines) for database, lines in self.settings.items()},
        }


@dataclass(frozen=True)
class RolePlan:
    """What ALTER ROLE or CREATE ROLE must say, whose settings must go, and what a person should know."""

    create: bool = False
    clauses: tuple[str, ...] = ()
    password: bool = False
    reset: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.create or self.clauses or self.password or self.reset)


def wanted_role(name: str, purpose: str, valid_until: str | None) -> Role:
    """It may log in, and replicate if that is what it is for; nothing limits it, and nothing else is its."""
    flags = {"login": True, "replication": purpose == REPLICATION, **dict.fromkeys(_NEVER, False)}
    return Role(name, flags, valid_until=valid_until, password_matches=True)


def plan_role(found: Role | None, wanted: Role, keep_password: bool) -> RolePlan:
    """``keep_password``: leave another password than the given one alone. Raises RoleRefused."""
    if found is None:
        return RolePlan(True, _clauses(None, wanted), True, changes=("created",))
    refuse_essential(found)
    clauses = _clauses(found, wanted)
    password = not found.password_matches and not (keep_password and found.has_password)
    reset = tuple(found.settings)
    changes = [*map(str.lower, clauses), *(["password"] if password else [])]
    changes += [
        f"setting {line}{f' in {database}' if database else ''}"
        for database, lines in found.settings.items()
        for line in lines
    ]
    return RolePlan(False, clauses, password, reset, tuple(changes), _warnings(found))


def refuse_essential(found: Role) -> None:
    """The superuser of the cluster is nobody's replication role."""
    if found.essential:
        raise RoleRefused(
            f"Role '{found.name}' is the superuser of the cluster or this session's own role.",
            "Give the fleet's role another name; it would lose its rights.",
        )


def refuse_owner(found: Role) -> None:
    """A role that lives for the time of a rewind owns nothing; what another one owns would be dropped with it."""
    refuse_essential(found)
    if found.owns:
        raise RoleRefused(
            f"Role '{found.name}' owns {found.owns} objects, so it is not the short-lived role of a rewind.",
            "Give that one another name (pg_server_rewind_user). Nothing was dropped.",
        )


def _clauses(found: Role | None, wanted: Role) -> tuple[str, ...]:
    flags = [
        ("" if value else "NO") + _WORDS[name]
        for name, value in wanted.flags.items()
        if found is None or found.flags[name] != value
    ]
    if found is not None and found.connection_limit != wanted.connection_limit:
        flags.append(f"CONNECTION LIMIT {wanted.connection_limit}")
    limit = found.valid_until if found else None
    if limit != wanted.valid_until:
        flags.append(f"VALID UNTIL '{wanted.valid_until or 'infinity'}'")
    return tuple(flags)


def _warnings(found: Role) -> tuple[str, ...]:
    if not found.member_of:
        return ()
    return (
        f"Role '{found.name}' is a member of {', '.join(found.member_of)} and has their rights, too; that is left as it is.",
    )
