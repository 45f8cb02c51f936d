"""Discount rates: one reading of what people write, and how a rate is shown to them.

Inside the program, in SQL and in frames a rate is a fraction a year: 0.03 for three per cent.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum

from ingest.errors import ConfigError

_MOST_PERCENT = 30
_LEAST_BARE_PERCENT = Decimal("0.5")
_RATE = re.compile(r"(\d{1,9}(?:\.\d{0,20})?|\.\d{1,20})\s*(%?)")


class Bare(Enum):
    """What a number without a sign is: 0.03 in a terminal and in Python, 3 on a page."""

    FRACTION = "fraction"
    PERCENT = "per cent"


def parse_rate(given: str | float, where: str, bare: Bare) -> float:
    """The rate as a fraction a year, 0 to 0.3; "3%" is 0.03 everywhere.

    where: the option or parameter, for messages. Raises ConfigError: no rate, more than 30 % a
    year, or a number that could be meant in two ways (3 as a fraction, 0.03 as per cent).
    """
    text = str(given).strip()
    found = _RATE.fullmatch(text)
    if found is None:
        raise ConfigError(f"{where}: {text!r} is no rate. {_ADVICE}")
    number = Decimal(found[1])
    if found[2] or not number:
        return _as_fraction(number, text, where)
    if bare is Bare.FRACTION and number * 100 <= _MOST_PERCENT:
        return _as_fraction(number * 100, text, where)
    if bare is Bare.FRACTION or number < _LEAST_BARE_PERCENT:
        _refuse_doubtful(number, text, where)
    return _as_fraction(number, text, where)


def rate_text(rate: float) -> str:
    """A fraction a year as an address holds it: 3%."""
    return _plain(Decimal(str(rate)) * 100)


def rate_words(rate: float) -> str:
    """A fraction a year as people read it: 3 %."""
    return rate_text(rate).replace("%", " %")


def percent_of(rate: float) -> float:
    """A fraction as per cent, without the rounding of binary numbers: 7 for 0.07."""
    return float(Decimal(str(rate)) * 100)


def _as_fraction(percent: Decimal, text: str, where: str) -> float:
    if percent > _MOST_PERCENT:
        raise ConfigError(f"{where}: {text} is more than {_MOST_PERCENT} % a year. {_ADVICE}")
    return float(percent / 100)


def _refuse_doubtful(number: Decimal, text: str, where: str) -> None:
    """Raises ConfigError with both readings, where one of them is a rate."""
    readings = [number, number * 100]
    fitting = " or ".join(_plain(each) for each in readings if each <= _MOST_PERCENT)
    if fitting:
        low, high = map(_plain, readings)
        raise ConfigError(f"{where}: {text} could mean {low} or {high} a year. Write {fitting}")


def _plain(percent: Decimal) -> str:
    """3%, 0.03%: without an exponent and without zeros at the end."""
    text = f"{percent:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


_ADVICE = f"Write one from 0% to {_MOST_PERCENT}%, such as 3%"
