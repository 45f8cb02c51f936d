"""Numbers as people read them in a report: real minus signs, thousands separators, n/a."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
NOT_AVAILABLE = "n/a"
_WORDS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


def percent_text(share: float | None) -> str:
    """+1.34 %, −2.10 %, −0.0018 %, +12,300 %; n/a for None, which stands for a share of zero."""
    if share is None:
        return NOT_AVAILABLE
    return _signed(share, _three_digits(abs(share) * 100)) + " %"


def quantity_text(value: float | None) -> str:
    """10.61 million, 47,388, 3.25, 0.0312; n/a for None."""
    if value is None:
        return NOT_AVAILABLE
    sign = MINUS if value < 0 else ""
    size = abs(value)
    for limit, word in _WORDS:
        if size >= limit * 0.99995:  # 999,950,000 is 1.0 billion, not 1,000.0 million
            return f"{sign}{_four_digits(size / limit)} {word}"
    if size >= 1000:
        return f"{sign}{size:,.0f}"
    return f"{sign}{size:.4g}"


def signed_quantity_text(value: float | None) -> str:
    """A difference: +10.61 million, −47,388; n/a for None."""
    if value is None:
        return NOT_AVAILABLE
    return _signed(value, quantity_text(abs(value)))


def factor_text(factor: float) -> str:
    """×1.02, ×0.947, ×0.999982: as many digits as show two of the change."""
    change = abs(factor - 1)
    decimals = 2 if change == 0 else max(2, 1 - math.floor(math.log10(change)))
    whole, _, digits = f"{factor:.{min(decimals, 12)}f}".partition(".")
    return f"×{whole}.{digits[:2]}{digits[2:].rstrip('0')}"


def count_text(number: int, noun: str) -> str:
    """1 series, 1,376 combinations; a noun whose plural is not -s is given as singular|plural."""
    singular, _, plural = noun.partition("|")
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


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
