"""Numbers, times and states as the pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

from ingest.number_text import MINUS, NOT_AVAILABLE, count_text

_DAY_S = 86_400
# Upper limit in seconds, length of the unit, its name.
_AGES = (
    (90, 1, "second"),
    (90 * 60, 60, "minute"),
    (36 * 3600, 3600, "hour"),
    (60 * _DAY_S, _DAY_S, "day"),
    (730 * _DAY_S, 30.44 * _DAY_S, "month"),
    (float("inf"), 365.25 * _DAY_S, "year"),
)

# A state is told by its mark and word, never by its colour alone.
STATE_MARKS = {
    "completed": "✓",
    "success": "✓",
    "failed": "✕",
    "timeout": "◷",
    "cancelled": "⊘",
    "interrupted": "⊘",
    "running": "▸",
    "submitted": "…",
    "missing": "–",
}
STATE_WORDS = {"success": "succeeded", "timeout": "timed out", "missing": "never run"}


def state_word(state: str) -> str:
    """The word for a state of a run or job: succeeded, failed, timed out, ..."""
    return STATE_WORDS.get(state, state)


def state_mark(state: str) -> str:
    """One letter or mark for a state."""
    return STATE_MARKS.get(state, "?")


def duration_text(seconds: float | None) -> str:
    """12 ms, 4.3 s, 2 min 05 s, 3 h 07 min; n/a for None."""
    if seconds is None:
        return NOT_AVAILABLE
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


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
    except ValueError:
        return None


def whole_number(value: float | None) -> str:
    """A number in full, with thousands separators: for hover texts."""
    if value is None:
        return NOT_AVAILABLE
    text = f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"
    return text.replace("-", MINUS)
