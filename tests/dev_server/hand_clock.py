from __future__ import annotations

from ingest.clock import SystemClock


class HandClock(SystemClock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time_s = 100.0

    def now(self) -> float:
        return self.time_s
