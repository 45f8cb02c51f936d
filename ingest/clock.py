"""The time, handed in wherever it is needed, so that tests bring their own."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


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


def parse_age(text: str) -> timedelta | None:
    """How long 36h, 7d, 2w or 1y are; None for another text."""
    found = re.fullmatch(r"(\d{1,6})([hdwy])", text.strip(), re.ASCII)
    return timedelta(hours=int(found[1]) * _HOURS[found[2]]) if found else None


def ago(age: timedelta) -> str:
    """The time that long ago, as the database writes times. Raises OverflowError: before year 1."""
    return utc_text(datetime.now(UTC) - age)
