# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Which slots this collection has made, kept in the comment on the role that uses them.

A comment is part of the cluster: every standby has it, so whichever node leads knows the slots of nodes that have left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .._errors import InvalidInput
from .._postgres.connection import Server, sql

_RECORD = re.compile(r"\s*\[pgfleet slots:([a-z0-9_ ]*)\]")


def recorded_slots(comment: str) -> frozenset[str]:
    """The names in a comment."""
    found = _RECORD.search(comment)
    return frozenset(found[1].split()) if found else frozenset()


def with_record(comment: str, names: Iterable[str]) -> str:
    """The comment with exactly these names; whatever else it says stays."""
    rest = _RECORD.sub("", comment)
    listed = " ".join(sorted(names))
    return f"{rest} [pgfleet slots: {listed}]".strip() if listed else rest


class SlotRecord:
    """The record on one server."""

    def __init__(self, server: Server, role: str) -> None:
        self.server = server
        self.role = role
        rows = server.rows(
            "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') AS comment FROM pg_roles WHERE rolname = %s",
            (role,),
        )
        self.exists = bool(rows)
        self.comment: str = rows[0]["comment"] if rows else ""

    @property
    def names(self) -> frozenset[str]:
        return recorded_slots(self.comment)

    def write(self, names: Iterable[str]) -> None:
        """Nobody may be there yet to wait for, so the commit is local."""
        text = with_record(self.comment, names)
        if text == self.comment:
            return
        if not self.exists:
            raise InvalidInput(f"There is no role '{self.role}' to keep the names of slots.", "Create it first.")
        self.server.rows("SET synchronous_commit = 'local'")
        statement = sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(self.role), sql.Literal(text or None))
        self.server.rows(statement)
        self.comment = text
