"""Rows to a result set: types, ranges, duplicates; a bad row is told or counted, never lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ingest.analytics.parse import RawRow, ShortRow, lacks_line_end, parse_rows, row_word
from ingest.errors import AnalyticsError
from ingest.metrics import Metric, ResultSet
from ingest.study.setting_fields import names_in
from ingest.text.names import name_problem

FIRST_YEAR, LAST_YEAR = 1900, 2300
SHOWN_ROWS = 5
NO_LINE_END = "the last line has no line end: if the file was cut off, its last number is wrong"


def parse_analytics(
    raw: bytes,
    *,
    on_bad_rows: str = "fail",
    element_labels: Sequence[str] = (),
    is_whole: bool = False,
) -> ResultSet:
    """The result set in one analytics answer, sorted by label and year.

    raw: JSON array of records or UTF-8 CSV, columns element_label, timestamp_year, value.
    on_bad_rows: "fail" raises for any bad row, "skip" drops and counts them in the notes.
    element_labels: keep these labels alone; all where empty. is_whole: nothing can have cut the
    answer off on its way; the last line of a CSV may then lack its end, which becomes a note.
    Raises AnalyticsError (with the first five offending rows): missing column, non-finite value,
    year outside 1900-2300, the same (label, year) twice with different values, no row at all;
    CutOffError: the last line of a CSV has no line end.
    """
    rows = parse_rows(raw, is_whole=is_whole)
    if element_labels:
        rows = _with_labels(rows, element_labels)
    word = row_word(raw)
    result_set = validate_rows(rows, on_bad_rows=on_bad_rows, row_word=word)
    return noted(result_set, NO_LINE_END) if word == "line" and lacks_line_end(raw) else result_set


def noted(result_set: ResultSet, note: str) -> ResultSet:
    """A result set with one note more."""
    return replace(result_set, notes=(*result_set.notes, note))


def _with_labels(rows: list[RawRow], element_labels: Sequence[str]) -> list[RawRow]:
    """The rows with these labels, and those whose label cannot be read: they are told as bad."""
    there = {row.element_label for row in rows if isinstance(row.element_label, str)}
    wanted = {*names_in(element_labels, there), *filter(name_problem, there)}
    kept = [
        row for row in rows if not isinstance(row.element_label, str) or row.element_label in wanted
    ]
    if rows and not kept:
        first = ", ".join(map(repr, sorted(there)[:SHOWN_ROWS]))
        raise AnalyticsError(
            f"the results hold no metric that analytics.element_labels names; their labels are "
            f"{first}{' ...' * (len(there) > SHOWN_ROWS)}"
        )
    return kept


def validate_rows(
    rows: Iterable[RawRow], *, on_bad_rows: str = "fail", row_word: str = "line"
) -> ResultSet:
    """The result set that rows hold; row_word is what their numbers count ("line", "record").

    See parse_analytics for the other arguments and the errors.
    """
    values: dict[tuple[str, int], float] = {}
    problems: list[tuple[int, str]] = []
    repeated = 0
    for row in rows:
        try:
            metric = _metric(row)
        except ValueError as exc:
            problems.append((row.line, f"{exc}{_whose(row)}"))
            continue
        key = (metric.element_label, metric.timestamp_year)
        if key not in values:
            values[key] = metric.value
        elif values[key] == metric.value:
            repeated += 1
        else:
            problems.append((row.line, _contradiction(key, values[key], metric.value)))
    shown = _bad_rows(problems, row_word)
    if problems and on_bad_rows == "fail":
        raise AnalyticsError(f"{_count(problems, 'bad row')} in the results: {shown}")
    notes = [f"{_count(problems, 'bad row')} dropped: {shown}"] if problems else []
    if repeated:
        rows_word = "row" if repeated == 1 else "rows"
        notes.append(f"{repeated} repeated {rows_word} with the same value kept once")
    if not values:
        reason = f"; all rows were bad: {shown}" if problems else ""
        raise AnalyticsError(f"the results hold no metric{reason}")
    metrics = [Metric(*key, value) for key, value in sorted(values.items())]
    return ResultSet(metrics, tuple(notes))


def _metric(row: RawRow) -> Metric:
    """The metric in a row. Raises ValueError that says what is wrong with it."""
    _, label, year, value = row
    if type(label) is str and type(year) is int and type(value) is float:  # by far the most
        in_range = FIRST_YEAR <= year <= LAST_YEAR and math.isfinite(value)
        if in_range and name_problem(label) is None:
            return Metric(label, year, value + 0.0)
    if isinstance(label, ShortRow):
        hint = (
            " (numbers with thousands commas need quotes)" if label.found > label.expected else ""
        )
        raise ValueError(f"{label.found} cells instead of {label.expected}{hint}")
    if not isinstance(label, str):
        raise ValueError(f"element_label {label!r} is no text")
    problem = name_problem(label)
    if problem:
        raise ValueError(f"element_label {label!r:.200} {problem}")
    return Metric(label, _year(year), _value(value))


def _whose(row: RawRow) -> str:
    """The label and year of a bad row in brackets, as far as they are readable."""
    if not isinstance(row.element_label, str) or not row.element_label.strip():
        return ""
    return f" ({row.element_label!r:.200} {row.timestamp_year})"


def _year(year: Any) -> int:
    number = _number(year, "timestamp_year")
    if not number.is_integer():
        raise ValueError(f"timestamp_year {year!r} is no whole year")
    if not FIRST_YEAR <= number <= LAST_YEAR:
        raise ValueError(f"timestamp_year {year!r} is not within {FIRST_YEAR}-{LAST_YEAR}")
    return int(number)


def _value(value: Any) -> float:
    number = _number(value, "value")
    if not math.isfinite(number):
        raise ValueError(f"value {value!r} is not finite")
    return number + 0.0  # makes -0.0 the same number as 0.0, in the digest too


def _number(value: Any, column: str) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as exc:
            raise ValueError(f"{column} {value!r:.30} is too large for a number") from exc
    if isinstance(value, str):
        try:
            # float() also reads "1_000", which no analytics answer means as a number
            return float(value if "_" not in value else "?")
        except ValueError:
            pass
    raise ValueError(f"{column} {value!r:.60} is no number")


def _contradiction(key: tuple[str, int], first: float, second: float) -> str:
    return f"{key[0]!r} {key[1]} stands twice, with {first!r} and {second!r}"


def _count(problems: Sequence[object], noun: str) -> str:
    return f"{len(problems)} {noun}{'s' if len(problems) > 1 else ''}"


def _bad_rows(problems: Sequence[tuple[int, str]], row_word: str) -> str:
    shown = "; ".join(f"{row_word} {line}: {problem}" for line, problem in problems[:SHOWN_ROWS])
    more = len(problems) - SHOWN_ROWS
    return f"{shown}; and {more} more" if more > 0 else shown
