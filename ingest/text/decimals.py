"""Numbers as people and Excel write them: decimal point or comma, with or without thousands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.errors import ConfigError

POINT, COMMA = ".", ","
_NAMES = {POINT: "point", COMMA: "comma"}
_GAP = "[ '\u00a0\u2009\u202f\u2019]"
_GAPS = re.compile(_GAP)


def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """Numbers with this decimal mark; a group after a leading 0 is none of thousands."""
    groups = rf"[1-9]\d{{0,2}}(?:(?:{re.escape(thousands)}\d{{3}})+|(?:{_GAP}\d{{3}})+)"
    point, power = re.escape(decimal), r"(?:[eE][+-]?\d+)?"
    return re.compile(rf"[+-]?(?:(?:{groups}|\d+)(?:{point}\d*)?|{point}\d+){power}")


_PATTERNS = {POINT: _pattern(POINT, COMMA), COMMA: _pattern(COMMA, POINT)}


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a file are written. is_plain: none has a comma or a gap."""

    decimal: str = POINT
    has_thousands: bool = False
    is_plain: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        """What is not as in every CSV: decimal comma, thousands commas."""
        other = POINT if self.decimal == COMMA else COMMA
        thousands = (f"thousands {_NAMES[other]}s",) if self.has_thousands else ()
        return ("decimal comma", *thousands) if self.decimal == COMMA else thousands

    def number(self, text: str) -> float | None:
        """The finite number in a cell; None for another text."""
        return _read(text, self.decimal)


def _read(text: str, decimal: str) -> float | None:
    if not _PATTERNS[decimal].fullmatch(text):
        return None
    other = POINT if decimal == COMMA else COMMA
    number = float(_GAPS.sub("", text.replace(other, "")).replace(decimal, POINT))
    return number if math.isfinite(number) else None


def find_form(
    cells: Iterable[tuple[int, str]], where: str, delimiter: str, decimal: str | None = None
) -> NumberForm:
    """How the numbers in cells (line, text) are written, where all of them leave one way.

    decimal: the mark, where a person says it. Raises ConfigError that says how to decide: a
    number that has two readings while no other shows which, or two that contradict each other.
    """
    texts = [(line, text) for line, text in cells if COMMA in text or POINT in text]
    has_commas = any(COMMA in text for _, text in texts)
    if delimiter == COMMA and not has_commas and decimal != COMMA:
        return NumberForm()
    decimal = decimal or _decide(texts, where, delimiter)
    other = POINT if decimal == COMMA else COMMA
    has_thousands = any(other in text and _read(text, decimal) is not None for _, text in texts)
    return NumberForm(decimal, has_thousands, is_plain=False)


def _decide(texts: list[tuple[int, str]], where: str, delimiter: str) -> str:
    """The decimal mark that the numbers show; the first that shows each is remembered."""
    shown: dict[str, tuple[int, str]] = {}
    unclear: tuple[int, str] | None = None
    for line, text in texts:
        point, comma = _read(text, POINT), _read(text, COMMA)
        if point is None and comma is None:
            continue  # no number: told with the other bad rows
        # among commas that separate cells, nobody writes 1.234 for 1234
        is_point = comma is None or (delimiter == COMMA and COMMA not in text)
        if is_point or point is None:
            shown.setdefault(POINT if is_point else COMMA, (line, text))
        elif point != comma:
            unclear = unclear or (line, text)
    if len(shown) == 2:
        (point_line, with_point), (comma_line, with_comma) = shown[POINT], shown[COMMA]
        raise ConfigError(
            f"{where}: line {comma_line} has a decimal comma ({with_comma!r}), line {point_line} "
            f"a decimal point ({with_point!r}). Say which is meant: --decimal , or --decimal ."
        )
    if unclear is not None and not shown:
        line, text = unclear
        raise ConfigError(
            f"{where}: line {line}: {text!r} could be {_read(text, COMMA)!r} or "
            f"{_read(text, POINT)!r}. Say which mark is before decimals: --decimal , or --decimal ."
        )
    return next(iter(shown), POINT)
