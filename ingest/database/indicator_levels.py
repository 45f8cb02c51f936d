"""The numbers of one scenario that an indicator is made of, in SQL by the key of metric_values."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, count
from typing import NamedTuple

Terms = tuple[tuple[int, int], ...]
"""The labels that are added, by element id, each with 1, or -1 where it is subtracted."""


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
SELECT m.result_set_id, min(m.timestamp_year), max(m.timestamp_year),
       count(*) <= max(m.timestamp_year) - min(m.timestamp_year)
  FROM metric_values AS m
 WHERE m.result_set_id IN (SELECT value FROM json_each(?1)) AND m.element_id = ?2
 GROUP BY m.result_set_id
"""
# In the order of labels and years, so that a sum is the same to the last digit everywhere.
_NUMBERS = """
  FROM terms CROSS JOIN metric_values AS m
    ON m.result_set_id = chosen.value AND m.element_id = terms.element_id
   AND m.timestamp_year BETWEEN :first AND :last
"""
_OF_YEARS = {"mean": "avg", "max": "max", "min": "min"}


def read_spans(
    connection: sqlite3.Connection, sets: Iterable[int], element_id: int
) -> dict[int, Span]:
    """The years of a label in each result set; without those that have none."""
    rows = connection.execute(_SPANS, [json.dumps([*sets]), element_id])
    return {row[0]: Span(row[1], row[2], bool(row[3])) for row in rows}


def read_years(
    connection: sqlite3.Connection, result_set_id: int, years: Span, elements: Iterable[int]
) -> list[tuple[int, int]]:
    """Each label, by id, and year that a result set has within some years."""
    query = """SELECT element_id, timestamp_year FROM metric_values
                WHERE result_set_id = ? AND timestamp_year BETWEEN ? AND ?
                  AND element_id IN (SELECT value FROM json_each(?)) ORDER BY 1, 2"""
    values = [result_set_id, years.first, years.last, json.dumps([*elements])]
    return connection.execute(query, values).fetchall()


def read_levels(
    connection: sqlite3.Connection,
    terms: Terms,
    aggregate: str,
    sets: Iterable[int],
    years: Span,
    discount: Discount = Discount(),
) -> dict[int, float]:
    """What labels together come to in each result set; without those that have no number then.

    aggregate: of the years, see AGGREGATES of an indicator. Discounted are only sums.
    """
    narrow = _narrowed(years, aggregate)
    value, factors = _number(discount, narrow)
    if aggregate in _OF_YEARS:
        yearly = f"SELECT sum({value}) AS value {_NUMBERS} GROUP BY m.timestamp_year"
        level = f"SELECT {_OF_YEARS[aggregate]}(value) FROM ({yearly})"
    else:
        level = f"SELECT sum({value}) {_NUMBERS}"
    listed = ", ".join(f"({element}, {sign})" for element, sign in terms)
    sql = f"""WITH terms (element_id, sign) AS (VALUES {listed})
        SELECT chosen.value, ({level}) AS level FROM json_each(:sets) AS chosen"""
    values = {"sets": json.dumps(sorted(sets)), "first": narrow.first, "last": narrow.last}
    rows = connection.execute(sql, {**values, **factors})
    return {result_set: level for result_set, level in rows if level is not None}


def _narrowed(years: Span, aggregate: str) -> Span:
    """The only year that the first and the last year need."""
    if aggregate == "last":
        return years._replace(first=years.last)
    return years._replace(last=years.first) if aggregate == "first" else years


def _number(discount: Discount, years: Span) -> tuple[str, dict[str, float]]:
    """The SQL of one number, and the values of its parameters: a factor for each year."""
    if not discount.rate:
        return "sign * m.value", {}
    factors = {f"factor_{year}": factor for year, factor in _factors(discount, years)}
    cases = " ".join(f"WHEN {name.removeprefix('factor_')} THEN :{name}" for name in factors)
    return f"sign * (m.value / CASE m.timestamp_year {cases} END)", factors


def _factors(discount: Discount, years: Span) -> Iterator[tuple[int, float]]:
    """Growth to the power of (year - base year), multiplied as the canned queries do."""
    growth, base = 1 + discount.rate, discount.base_year
    later = accumulate(range(base, years.last), lambda factor, _: factor * growth, initial=1.0)
    earlier = accumulate(range(years.first, base), lambda factor, _: factor / growth, initial=1.0)
    found = dict(zip(count(base), later, strict=False))
    found |= dict(zip(count(base, -1), earlier, strict=False))
    return ((year, found[year]) for year in range(years.first, years.last + 1))
