"""Numbers, times and states as the pages show them."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
    except (ValueError, OverflowError):  # the first and last years have no time zone
        return None


def whole_number(value: float | None) -> str:
    """A number in full, with thousands separators: for hover texts."""
    if value is None:
        return NOT_AVAILABLE
    text = f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"
    return text.replace("-", MINUS)


# --- numbers in tables ---------------------------------------------------------------------------

_DIGITS = 4
_FEWEST_DIGITS = 2
_MOST_DECIMALS = 12
_LARGEST = 1e15


def table_number(value: float, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number in a table, in full: 1,234,568, 47.38, 0.000312, −3.2e−20; signed: +1.5.

    decimals: what its column has, see shared_decimals(); a number that would lose its digits by
    them has its own. None: four significant digits, without zeros at the end.
    """
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return sign + _size_text(abs(value), decimals)


def exact_number(value: float) -> str:
    """Every digit of a number, for hover texts: −1,234,567.8912."""
    return f"{value:,}".replace("-", MINUS)


def shared_decimals(values: Iterable[float]) -> int:
    """How many decimals a column of numbers needs, so that its largest has four digits."""
    sizes = [abs(value) for value in values if math.isfinite(value)]
    largest = max(sizes, default=0.0)
    if largest == 0 or largest >= 10 ** (_DIGITS - 1):
        return 0
    decimals = min(_decimals_for(largest, _DIGITS), _MOST_DECIMALS)
    return max(len(f"{size:.{decimals}f}".rstrip("0").partition(".")[2]) for size in sizes)


def _size_text(size: float, decimals: int | None) -> str:
    if isinstance(size, int):
        return f"{size:,}" if not decimals else f"{size:,.{decimals}f}"
    if size == 0 or not math.isfinite(size):
        return "0" if size == 0 else "∞" if size == math.inf else NOT_AVAILABLE
    if size >= _LARGEST or size < 10.0**-_MOST_DECIMALS:
        return f"{size:.{_DIGITS}g}".replace("-", MINUS)
    if decimals is not None and (size >= 10.0 ** (_FEWEST_DIGITS - 1 - decimals) or not size % 1):
        return f"{size:,.{decimals}f}"
    text = f"{size:,.{min(_decimals_for(size, _DIGITS), _MOST_DECIMALS)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals_for(size: float, digits: int) -> int:
    return max(digits - 1 - math.floor(math.log10(size)), 0)
