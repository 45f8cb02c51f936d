"""The time, handed in wherever it is needed, so that tests bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock to measure with, and the date to record."""

    def now(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def timestamp(self) -> str:
        """The date and time in UTC, ISO 8601 with milliseconds."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def timestamp(self) -> str:
        """The date and time in UTC, ISO 8601 with milliseconds."""
        return utc_text(datetime.now(UTC))


def utc_text(moment: datetime, timespec: str = "milliseconds") -> str:
    """A time with a time zone as the database writes it: ISO 8601 in UTC, ending in Z.

    Texts of one timespec sort as their times do.
    """
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
