"""Numbers as people read them in a report: real minus signs, thousands separators, n/a."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence

MINUS = "\N{MINUS SIGN}"
NOT_AVAILABLE = "n/a"
_LARGEST_SHARE = 1e4
_LARGEST_IN_FULL = 1e18
_WORDS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


def finite(number: float) -> float:
    """The number; in place of infinity, which JSON has not, the largest one of its sign."""
    return max(-sys.float_info.max, min(sys.float_info.max, number))


def exact_sum(numbers: Sequence[float]) -> float:
    """The sum without rounding in between; infinity or NaN where it is too large for a number."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers)


def percent_text(share: float | None) -> str:
    """+1.34 %, −2.10 %, −0.0018 %, +12,300 %; n/a for None, which stands for a share of zero.

    Beyond a million per cent the number says nothing more: more than 1,000,000 %.
    """
    if share is None or math.isnan(share):
        return NOT_AVAILABLE
    if abs(share) > _LARGEST_SHARE:
        limit = f"{_LARGEST_SHARE * 100:,.0f} %"
        return f"more than {limit}" if share > 0 else f"less than {MINUS}{limit}"
    return _signed(share, _three_digits(abs(share) * 100)) + " %"


def quantity_text(value: float | None) -> str:
    """10.61 million, 47,388, 3.25, 0.0312; n/a for None."""
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    sign = MINUS if value < 0 else ""
    size = abs(value)
    if size >= _LARGEST_IN_FULL:
        return sign + in_full(size, 0)
    for limit, word in _WORDS:
        if size >= limit * 0.99995:  # 999,950,000 is 1.0 billion, not 1,000.0 million
            return f"{sign}{_four_digits(size / limit)} {word}"
    if size >= 1000:
        return f"{sign}{size:,.0f}"
    return f"{sign}{size:.4g}"


def signed_quantity_text(value: float | None) -> str:
    """A difference: +10.61 million, −47,388; n/a for None."""
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    return _signed(value, quantity_text(abs(value)))


def factor_text(factor: float) -> str:
    """×1.02, ×0.947, ×0.999982: as many digits as show two of the change."""
    if not abs(factor) < _LARGEST_SHARE:
        return f"×{in_full(factor, 0)}"
    change = abs(factor - 1)
    decimals = 2 if change == 0 else max(2, 1 - math.floor(math.log10(change)))
    whole, _, digits = f"{factor:.{min(decimals, 12)}f}".partition(".")
    return f"×{whole}.{digits[:2]}{digits[2:].rstrip('0')}"


def count_text(number: int, noun: str) -> str:
    """1 series, 1,376 combinations; a noun whose plural is not -s is given as singular|plural."""
    singular, _, plural = noun.partition("|")
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def years_text(years: Iterable[int]) -> str:
    """Years as spans: 2025-2050; 2026, 2030-2032."""
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and spans[-1][-1] == year - 1:
            spans[-1].append(year)
        else:
            spans.append([year])
    return ", ".join("-".join(map(str, dict.fromkeys((span[0], span[-1])))) for span in spans)


def at_most(items: Sequence[object], limit: int = 3, between: str = ", ") -> str:
    """The first items of a list, and how many more there are: a, b, c and 1,204 more."""
    more = len(items) - limit
    text = between.join(map(str, items[:limit]))
    last = " and" if between == ", " else f"{between}and"
    return f"{text}{last} {more:,} more" if more > 0 else text


def _four_digits(size: float) -> str:
    """A size from about 1 to 1,000 or more: 1.461, 257.0, 12,346."""
    return f"{size:,.{3 - min(max(math.floor(math.log10(size)), 0), 3)}f}"


def _three_digits(size: float) -> str:
    """A size with three significant digits and never an exponent: 5.36, 0.00179, 12,346."""
    if size == 0:
        return "0"
    decimals = 2 - math.floor(math.log10(size))
    return f"{size:,.{min(max(decimals, 0), 12)}f}"


def _signed(value: float, size: str) -> str:
    if value == 0:
        return size
    return (MINUS if value < 0 else "+") + size


def whole_number(value: float | None) -> str:
    """A number in full, with thousands separators: for hover texts."""
    if value is None:
        return NOT_AVAILABLE
    text = in_full(value, 0) if not abs(value) < 1e6 else f"{value:,.6g}"
    return text.replace("-", MINUS)


def in_full(value: float, decimals: int) -> str:
    """1,234.50, -3.00: a number with its decimals; 1e+308 for one that is too wide, ∞, n/a."""
    if abs(value) < _LARGEST_IN_FULL:
        return f"{value:z,.{decimals}f}"
    if math.isnan(value):
        return NOT_AVAILABLE
    return f"{value:.6g}".replace("inf", "∞")


# --- tables --------------------------------------------------------------------------------------

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
    if math.isnan(value):
        return NOT_AVAILABLE
    return f"{value:,}".replace("-", MINUS).replace("inf", "∞")


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
