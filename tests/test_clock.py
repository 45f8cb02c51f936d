from __future__ import annotations

from datetime import datetime

import pytest

from ingest.clock import SystemClock, utc_text


@pytest.mark.parametrize(
    ("moment", "timespec", "text"),
    [
        ("2026-11-23T12:00:00+03:00", "milliseconds", "2026-11-23T09:00:00.000Z"),
        ("2026-01-01T00:30:00.5+01:00", "milliseconds", "2025-12-31T23:30:00.500Z"),
        ("2026-11-23T09:00:00.987654Z", "seconds", "2026-11-23T09:00:00Z"),
    ],
)
def test_a_time_is_written_in_utc(moment: str, timespec: str, text: str) -> None:
    assert utc_text(datetime.fromisoformat(moment), timespec) == text


def test_the_clock_gives_times_as_they_are_written() -> None:
    text = SystemClock().timestamp()
    assert utc_text(datetime.fromisoformat(text)) == text
