# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Where the certificates of a node lie. No I/O.

Each has a directory of its own for every generation, and a link to the one in force, so that certificate and key change at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from .certificate import Certificate
from .wanted import Wanted


@dataclass(frozen=True)
class Place:
    """Files of one certificate, in whichever of its directories."""

    directory: str

    @property
    def certificate(self) -> str:
        return f"{self.directory}/certificate.pem"

    @property
    def key(self) -> str:
        return f"{self.directory}/key.pem"

    @property
    def combined(self) -> str:
        return f"{self.directory}/combined.pem"


@dataclass(frozen=True)
class Layout:
    """The directory of a node's certificates."""

    directory: str

    @property
    def authorities(self) -> str:
        return f"{self.directory}/ca.pem"

    def link(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def current(self, name: str) -> Place:
        return Place(self.link(name))

    def pending(self, name: str) -> Place:
        return Place(f"{self.link(name)}.next")

    def generation(self, name: str, leaf: Certificate) -> Place:
        return Place(f"{self.link(name)}.{leaf.fingerprint[:16]}")

    def paths(self, wanted: Wanted) -> dict[str, str]:
        """What a server's configuration names; these stay the same for all generations."""
        place = self.current(wanted.name)
        combined = {"combined": place.combined} if wanted.combined else {}
        return {"certificate": place.certificate, "key": place.key, **combined}
