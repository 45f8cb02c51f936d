"""The numbers of one scenario that an indicator is made of, in SQL by the key of metric_values."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Terms = tuple[tuple[int, int], ...]
"""The labels that are added, by element id, each with 1, or -1 where it is subtracted."""


class Window(NamedTuple):
    """A result set and the first and the last year of it that count."""

    result_set_id: int
    first: int
    last: int


class Span(NamedTuple):
    """The first and the last year that a result set has of a label."""

    first: int
    last: int
    has_gaps: bool = False
    """Whether a year in between is missing."""


@dataclass(frozen=True)
class Discount:
    """A rate as a fraction a year, and the year to discount to."""

    rate: float = 0.0
    base_year: int = 0


_SPANS = """
SELECT chosen.value, min(m.timestamp_year), max(m.timestamp_year),
       count(*) <= max(m.timestamp_year) - min(m.timestamp_year)
  FROM json_each(?1) AS chosen CROSS JOIN metric_values AS m
    ON m.result_set_id = chosen.value AND m.element_id = ?2
 GROUP BY chosen.key
"""
_WINDOWS = """
WITH RECURSIVE
terms AS MATERIALIZED (
    SELECT json_extract(value, '$[0]') AS element_id, json_extract(value, '$[1]') AS sign
      FROM json_each(:terms)
),
w AS MATERIALIZED (
    SELECT json_extract(value, '$[0]') AS result_set_id, json_extract(value, '$[1]') AS first,
           json_extract(value, '$[2]') AS last
      FROM json_each(:windows)
),
-- growth to the power of (year - base year), as the canned queries discount
discounting (discount_year, factor) AS (
    SELECT :base_year, 1.0
    UNION ALL
    SELECT discount_year + 1, factor * :growth FROM discounting
     WHERE discount_year >= :base_year AND discount_year < :last_year
    UNION ALL
    SELECT discount_year - 1, factor / :growth FROM discounting
     WHERE discount_year <= :base_year AND discount_year > :first_year
)
"""
# In the order of labels and years, so that a sum is the same to the last digit everywhere.
_NUMBERS = """
  FROM terms CROSS JOIN metric_values AS m
    ON m.result_set_id = w.result_set_id AND m.element_id = terms.element_id
   AND m.timestamp_year BETWEEN w.first AND w.last
"""
_FACTOR = " CROSS JOIN discounting ON discount_year = m.timestamp_year"
_OF_YEARS = {"mean": "avg", "max": "max", "min": "min"}


def read_spans(
    connection: sqlite3.Connection, sets: Iterable[int], element_id: int
) -> dict[int, Span]:
    """The years of a label in each result set; without those that have none."""
    rows = connection.execute(_SPANS, [json.dumps([*sets]), element_id])
    return {row[0]: Span(row[1], row[2], bool(row[3])) for row in rows}


def read_years(
    connection: sqlite3.Connection, window: Window, elements: Iterable[int]
) -> list[tuple[int, int]]:
    """Each label, by id, and year that a window has."""
    query = """SELECT element_id, timestamp_year FROM metric_values
                WHERE result_set_id = ? AND timestamp_year BETWEEN ? AND ?
                  AND element_id IN (SELECT value FROM json_each(?)) ORDER BY 1, 2"""
    return connection.execute(query, [*window, json.dumps([*elements])]).fetchall()


def read_levels(
    connection: sqlite3.Connection,
    terms: Terms,
    aggregate: str,
    windows: Iterable[Window],
    discount: Discount = Discount(),
) -> dict[Window, float]:
    """What labels together come to in each window; without those that have no number there.

    aggregate: of the years, see AGGREGATES of an indicator. Discounted are only sums.
    """
    chosen = {window: _narrowed(window, aggregate) for window in windows}
    value, numbers = _number(discount)
    if aggregate in _OF_YEARS:
        yearly = f"SELECT sum({value}) AS value {numbers} GROUP BY m.timestamp_year"
        level = f"SELECT {_OF_YEARS[aggregate]}(value) FROM ({yearly})"
    else:
        level = f"SELECT sum({value}) {numbers}"
    sql = f"{_WINDOWS} SELECT result_set_id, first, last, ({level}) FROM w"
    rows = connection.execute(sql, _values(terms, chosen.values(), discount))
    found = {Window(*row[:3]): row[3] for row in rows if row[3] is not None}
    return {window: found[narrow] for window, narrow in chosen.items() if narrow in found}


def read_yearly_levels(
    connection: sqlite3.Connection,
    terms: Terms,
    windows: Iterable[Window],
    discount: Discount = Discount(),
) -> dict[Window, dict[int, float]]:
    """The same year by year."""
    value, numbers = _number(discount)
    sql = f"""{_WINDOWS}
        SELECT w.result_set_id, first, last, m.timestamp_year, sum({value})
        {numbers.replace("FROM terms", "FROM w CROSS JOIN terms")}
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
    found: dict[Window, dict[int, float]] = {}
    for *window, year, level in connection.execute(sql, _values(terms, windows, discount)):
        found.setdefault(Window(*window), {})[year] = level
    return found


def _narrowed(window: Window, aggregate: str) -> Window:
    """The window of the only year that the first and the last year need."""
    if aggregate == "last":
        return window._replace(first=window.last)
    return window._replace(last=window.first) if aggregate == "first" else window


def _number(discount: Discount) -> tuple[str, str]:
    """The SQL of one number, and where it is from."""
    if not discount.rate:
        return "sign * m.value", _NUMBERS
    return "sign * (m.value / factor)", _NUMBERS + _FACTOR


def _values(terms: Terms, windows: Iterable[Window], discount: Discount) -> Mapping[str, object]:
    chosen = sorted(set(windows))
    return {
        "terms": json.dumps(terms),
        "windows": json.dumps(chosen),
        "growth": 1 + discount.rate,
        "base_year": discount.base_year,
        "first_year": min((w.first for w in chosen), default=0) if discount.rate else 0,
        "last_year": max((w.last for w in chosen), default=0) if discount.rate else 0,
    }
