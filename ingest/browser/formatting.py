"""Numbers, times and states as the pages show them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ingest.text.numbers import MINUS, NOT_AVAILABLE

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
