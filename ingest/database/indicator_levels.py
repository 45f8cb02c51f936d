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


class Level(NamedTuple):
    """What labels come to in a window, and how many stored numbers that is of."""

    value: float
    numbers: int


class Span(NamedTuple):
    """The first and the last year that a result set has of a label."""

    first: int
    last: int


@dataclass(frozen=True)
class Discount:
    """A rate as a fraction a year, and the year to discount to."""

    rate: float = 0.0
    base_year: int = 0


_SPANS = """
SELECT chosen.value,
       (SELECT min(timestamp_year) FROM metric_values AS m
         WHERE m.result_set_id = chosen.value AND m.element_id = ?2) AS first,
       (SELECT max(timestamp_year) FROM metric_values AS m
         WHERE m.result_set_id = chosen.value AND m.element_id = ?2)
  FROM json_each(?1) AS chosen
 WHERE first IS NOT NULL
"""
"""Two seeks for each result set."""

_TERMS = """
WITH RECURSIVE
terms AS MATERIALIZED (
    SELECT json_extract(value, '$[0]') AS element_id, json_extract(value, '$[1]') AS sign
      FROM json_each(:terms)
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
  FROM temp.indicator_windows AS w CROSS JOIN terms CROSS JOIN metric_values AS m
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
    return {set_id: Span(*years) for set_id, *years in rows}


def read_levels(
    connection: sqlite3.Connection,
    terms: Terms,
    aggregate: str,
    windows: Iterable[Window],
    discount: Discount = Discount(),
) -> dict[Window, Level]:
    """What labels together come to in each window; without those that have no number there.

    aggregate: of the years, see AGGREGATES of an indicator. Discounted are only sums.
    """
    chosen = {window: _narrowed(window, aggregate) for window in windows}
    values = _prepare(connection, terms, chosen.values(), discount)
    value, numbers = _number(discount)
    key = "w.result_set_id, w.first, w.last"
    sql = f"SELECT {key}, sum({value}) AS value, count(*) AS numbers {numbers} GROUP BY {key}"
    if aggregate in _OF_YEARS:
        of_years = _OF_YEARS[aggregate]
        sql = f"""SELECT result_set_id, first, last, {of_years}(value), sum(numbers)
                    FROM ({sql}, m.timestamp_year) GROUP BY 1, 2, 3"""
    rows = connection.execute(_TERMS + sql, values)
    found = {Window(*row[:3]): Level(*row[3:]) for row in rows}
    return {window: found[narrow] for window, narrow in chosen.items() if narrow in found}


def read_yearly_levels(
    connection: sqlite3.Connection,
    terms: Terms,
    windows: Iterable[Window],
    discount: Discount = Discount(),
) -> dict[Window, dict[int, float]]:
    """The same year by year."""
    values = _prepare(connection, terms, windows, discount)
    value, numbers = _number(discount)
    sql = f"""SELECT w.result_set_id, w.first, w.last, m.timestamp_year, sum({value})
              {numbers} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
    found: dict[Window, dict[int, float]] = {}
    for *window, year, level in connection.execute(_TERMS + sql, values):
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


def _prepare(
    connection: sqlite3.Connection, terms: Terms, windows: Iterable[Window], discount: Discount
) -> Mapping[str, object]:
    """Windows in a temporary table, in whose order sums are taken; gives the other parameters."""
    chosen = sorted(set(windows))
    connection.execute(
        """CREATE TEMP TABLE IF NOT EXISTS indicator_windows (
            result_set_id INTEGER, first INTEGER, last INTEGER,
            PRIMARY KEY (result_set_id, first, last)) WITHOUT ROWID"""
    )
    connection.execute("DELETE FROM temp.indicator_windows")
    connection.executemany("INSERT INTO temp.indicator_windows VALUES (?, ?, ?)", chosen)
    return {
        "terms": json.dumps(terms),
        "growth": 1 + discount.rate,
        "base_year": discount.base_year,
        "first_year": min((w.first for w in chosen), default=0) if discount.rate else 0,
        "last_year": max((w.last for w in chosen), default=0) if discount.rate else 0,
    }
