"""Wait for something that must come."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], what: str = "it did not come", seconds: float = 20, every: float = 0.05) -> None:
    """Poll until it is true; after ``seconds`` it is a failure, which ``what`` names."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(every)
