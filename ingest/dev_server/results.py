"""Analytics answers: rows of a job, filtered, grouped and written as JSON or CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from ingest.analytics.parse import COLUMNS, parse_rows

EVENT_TYPES = ("*", "ECHO", "BALANCE_SET", "EDGE_VALUES_CALCULATED")
AGGREGATIONS = ("value:last", "value:sum")
_LABEL, _YEAR, _VALUE = COLUMNS
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_OPERATORS = (*_COMPARISONS, "in", "contains")

Row = Mapping[str, Any]


class QueryMistakeError(ValueError):
    """A query that is answered with 400; str(error) says what is wrong with it."""


@dataclass(frozen=True)
class Filter:
    """One condition on a column; text is what the query gives to compare with."""

    column: str
    comparison: str
    text: str

    def keeps(self, row: Row) -> bool:
        """Whether a row meets the condition; numbers are compared with numbers."""
        value = row[self.column]
        if self.comparison == "contains":
            return self.text in str(value)
        if self.comparison == "in":
            return any(value == _like(value, text) for text in self.text.split(","))
        wanted = _like(value, self.text)
        if isinstance(wanted, str) != isinstance(value, str):
            return self.comparison == "neq"
        return _COMPARISONS[self.comparison](value, wanted)


@dataclass(frozen=True)
class AnalyticsQuery:
    """What a client asks of one job's rows."""

    event_type: str = "ECHO"
    by_label: bool = False
    by_year: bool = False
    is_sum: bool = False
    filters: tuple[Filter, ...] = ()
    as_csv: bool = False


def parse_query(query: str, accept: str = "") -> AnalyticsQuery:
    """The query in a URL's query string; accept is the request's Accept header.

    Raises QueryMistakeError: an unknown column, operator or word, more than one aggregation.
    """
    given = parse_qsl(query, keep_blank_values=True)
    named: dict[str, list[str]] = {name: [] for name in _PARAMETERS}
    filters = []
    for name, value in given:
        if name in named:
            named[name].append(value)
        else:
            filters.append(_filter(name, value))
    for name, values in named.items():
        wrong = [value for value in values if value not in _PARAMETERS[name]]
        if wrong:
            raise QueryMistakeError(f"{name}: {wrong[0]!r} is none of {_listed(_PARAMETERS[name])}")
    if len(named["aggregations"]) > 1:
        raise QueryMistakeError("aggregations: one is answered at a time")
    return AnalyticsQuery(
        event_type=(named["event_type"] or ["ECHO"])[-1],
        by_label=bool(named["group_by"]),
        by_year=bool(named["group_by_date"]),
        is_sum=named["aggregations"] == ["value:sum"],
        filters=tuple(filters),
        as_csv=named["format"][-1:] == ["csv"] or (not named["format"] and "text/csv" in accept),
    )


_PARAMETERS: dict[str, tuple[str, ...]] = {
    "event_type": EVENT_TYPES,
    "group_by": (_LABEL,),
    "group_by_date": ("timestamp:year",),
    "aggregations": AGGREGATIONS,
    "format": ("json", "csv"),
}


def _filter(name: str, text: str) -> Filter:
    column, _, comparison = name.partition("__")
    comparison = comparison or "eq"
    if column not in COLUMNS:
        raise QueryMistakeError(f"no parameter or column {name!r}; columns are {_listed(COLUMNS)}")
    if comparison not in _OPERATORS:
        raise QueryMistakeError(f"{name}: {comparison!r} is none of {_listed(_OPERATORS)}")
    return Filter(column, comparison, text)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _like(value: Any, text: str) -> Any:
    """A text of the query as what the column holds there: a number beside a number."""
    return text if isinstance(value, str) else _number(text)


def _number(text: Any) -> Any:
    """A number where a text says one; anything else as it is."""
    if not isinstance(text, str):
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def rows_in(raw: bytes) -> list[Row]:
    """The rows of a raw result, JSON or CSV, with numbers where a CSV's texts say numbers.

    Raises AnalyticsError as parse_rows does.
    """
    return [
        {_LABEL: row.element_label, _YEAR: _number(row.timestamp_year), _VALUE: _number(row.value)}
        for row in parse_rows(raw, is_whole=True)
    ]


def select_rows(rows: Iterable[Row], query: AnalyticsQuery) -> list[Row]:
    """The rows that answer a query, in the order in which their groups first come.

    Columns that are not grouped by are left out; without any grouping the rows stay as they are.
    All rows are ECHO events: other event types have none.
    """
    if query.event_type not in ("*", "ECHO"):
        return []
    kept = [row for row in rows if all(condition.keeps(row) for condition in query.filters)]
    keys = [_LABEL] * query.by_label + [_YEAR] * query.by_year
    if not keys:
        return kept
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in kept:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    merge = _sum if query.is_sum else _last
    return [
        dict(zip(keys, key, strict=True)) | {_VALUE: merge(rows)} for key, rows in groups.items()
    ]


def _sum(rows: Sequence[Row]) -> Any:
    # a single value stays what it is, bad ones too: they are the client's to find
    return rows[0][_VALUE] if len(rows) == 1 else sum(row[_VALUE] for row in rows)


def _last(rows: Sequence[Row]) -> Any:
    """The value of the newest year; of equal years, the one that came last."""
    return max(reversed(rows), key=operator.itemgetter(_YEAR))[_VALUE]


def encode_rows(rows: Sequence[Row], *, as_csv: bool) -> bytes:
    """Rows as a JSON array, or as CSV with a header; no row at all is a header alone."""
    if not as_csv:
        return json.dumps(rows).encode()
    text = io.StringIO()
    columns = list(rows[0]) if rows else list(COLUMNS)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[column] for column in columns] for row in rows)
    return text.getvalue().encode()


def made_up_rows(subject: str) -> list[Row]:
    """Rows of 12 labels for the years 2025-2050 that follow only from a text, such as a ULID."""
    digest = hashlib.sha256(subject.encode()).digest()
    rows: list[Row] = []
    for number, label in enumerate(MADE_UP_LABELS):
        base = int.from_bytes(digest[2 * number : 2 * number + 2], "big") * 1000 + 1000
        growth = 1 + (digest[2 * number] - 128) / 4096
        value = float(base)
        for year in range(2025, 2051):
            rows.append({_LABEL: label, _YEAR: year, _VALUE: value})
            value *= growth
    return rows


# Labels as models have them: blanks, hyphens, arrows, a comma.
MADE_UP_LABELS = (
    "Healthy Years Lived",
    "DALYs",
    "Population",
    "Deaths",
    "Births",
    "Cases, all severities",
    "Disease-free -> Diseased",
    "Diseased -> Deceased",
    "Years Lived with Disability",
    "Years of Life Lost",
    "Coverage",
    "Cost (USD)",
)
