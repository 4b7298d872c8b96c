# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The certificates that a node is to have. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidInput
from .certificate import normal_name

SERVER, CLIENT = "server", "client"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MODE = re.compile("0?[0-7]{3}")


@dataclass(frozen=True)
class Wanted:
    """One certificate with its key. ``given`` is the PEM text of one that somebody else issued."""

    name: str
    common_name: str
    unit: str = ""
    names: tuple[str, ...] = ()
    usages: tuple[str, ...] = (SERVER,)
    owner: str = "postgres"
    group: str = ""
    mode: str = "0600"
    combined: bool = False
    given: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any], owner: str = "postgres") -> Wanted:
        usages = tuple(dict.fromkeys(params.get("usages") or (SERVER,)))
        names = tuple(dict.fromkeys(normal_name(name) for name in params.get("names") or () if name))
        made = cls(
            name=params["name"],
            common_name=params["common_name"],
            unit=params.get("unit") or "",
            names=names,
            usages=usages,
            owner=params.get("owner") or owner,
            group=params.get("group") or "",
            mode=params.get("mode") or "0600",
            combined=bool(params.get("combined")),
            given=params.get("certificate") or "",
        )
        made._check()
        return made

    def _check(self) -> None:
        if not _FILE_NAME.fullmatch(self.name):
            raise InvalidInput(
                f"'{self.name}' cannot be the name of a certificate: it is that of its files, too.",
                "Use letters, digits, underscores and hyphens.",
            )
        if not 0 < len(self.common_name) <= 64 or len(self.unit) > 64:
            raise InvalidInput(
                f"The common name '{self.common_name}' or the unit '{self.unit}' of certificate '{self.name}' is empty or too long.",
                "X.509 allows 64 letters for each.",
            )
        if SERVER in self.usages and not self.names:
            raise InvalidInput(
                f"The server certificate '{self.name}' has no name: no client would accept it.",
                "Give every name and address by which the server is reached.",
            )
        for name in self.names:
            if not name.isascii():
                raise InvalidInput(f"'{name}' cannot stand in a certificate.", "Write it in ASCII (xn--…).")
        if not _MODE.fullmatch(self.mode) or int(self.mode, 8) & 0o037:
            raise InvalidInput(
                f"The key of certificate '{self.name}' would have mode {self.mode}.", "Give 0600, 0400 or 0640."
            )
