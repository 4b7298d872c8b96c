# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The one family of errors that planners and servers raise and modules report."""

from __future__ import annotations

from typing import Any


class PgFleetError(Exception):
    """What is wrong and where, what was found, and the remedy.

    ``code`` is stable and meant for programs; the text is meant for people.
    """

    code = "error"

    def __init__(self, message: str, remedy: str = "", code: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or type(self).code
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_result(self) -> dict[str, Any]:
        """Arguments for ``fail_json``."""
        return {"msg": str(self), "code": self.code, "remedy": self.remedy, **self.facts}


class InvalidInput(PgFleetError):
    """An option has a value that can never work."""

    code = "invalid_input"


class MissingFeature(PgFleetError):
    """The server is too old for what was asked."""

    code = "missing_feature"


class SlotConflict(PgFleetError):
    """A slot cannot be brought to the wanted state."""

    code = "slot_conflict"


class ConnectFailed(PgFleetError):
    """A connection was not made; ``code`` says why."""

    code = "unreachable"


class QueryFailed(PgFleetError):
    """The server refused a statement."""

    code = "query_failed"


class MachineConflict(PgFleetError):
    """Virtual machines cannot be brought to the wanted state."""

    code = "machine_conflict"


class MachineFailed(PgFleetError):
    """A virtual machine died, or was not ready in time."""

    code = "machine_failed"
