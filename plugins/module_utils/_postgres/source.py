# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What a server says of itself over a replication connection, as a value. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from .controldata import History


@dataclass(frozen=True)
class Source:
    """A server that others clone from or follow. ``history`` are the timelines before its present one."""

    address: str
    version: int
    system_identifier: str
    timeline: int
    position: int
    history: History = ()
    standby: bool = False

    @property
    def major(self) -> int:
        return self.version // 10000
