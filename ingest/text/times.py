"""Durations, moments and ages as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ingest.text.numbers import NOT_AVAILABLE, count_text

_DAY_S = 86_400
_LONGEST_S = 1e10  # three hundred years: no duration


# Upper limit in seconds, length of the unit, its name.
_AGES = (
    (90, 1, "second"),
    (90 * 60, 60, "minute"),
    (36 * 3600, 3600, "hour"),
    (60 * _DAY_S, _DAY_S, "day"),
    (730 * _DAY_S, 30.44 * _DAY_S, "month"),
    (float("inf"), 365.25 * _DAY_S, "year"),
)


def duration_text(seconds: float | None) -> str:
    """12 ms, 4.3 s, 2 min 05 s, 3 h 07 min; n/a for None."""
    if seconds is None or not seconds < _LONGEST_S:
        return NOT_AVAILABLE
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def clock_text(seconds: float, now: datetime | None = None) -> str:
    """14:05:10, so many seconds from now, in this machine's time zone."""
    moment = (now or datetime.now(UTC)).astimezone() + timedelta(seconds=seconds)
    return f"{moment:%H:%M:%S}"


def moment_text(timestamp: str | None) -> str:
    """24 Nov 2026, 09:14, in this machine's time zone; empty for None or a text that is no time."""
    moment = _moment(timestamp)
    return f"{moment.day} {moment:%b %Y, %H:%M}" if moment else ""


def age_text(timestamp: str | None, now: datetime | None = None) -> str:
    """5 minutes ago; empty for None or a text that is no time."""
    moment = _moment(timestamp)
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 10:
        return "just now"
    length, unit = next((length, unit) for limit, length, unit in _AGES if seconds < limit)
    return count_text(round(seconds / length), unit) + " ago"


def _moment(timestamp: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(timestamp or "").astimezone()
    except (ValueError, OverflowError):  # the first and last years have no time zone
        return None
