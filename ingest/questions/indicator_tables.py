"""Indicators as tables for people: groups down, scenarios across."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import Any

from ingest.changes.indicator_changes import IndicatorChange
from ingest.database.indicators import IndicatorRow, IndicatorTable, shown_rows
from ingest.questions.compare_rows import decimals
from ingest.questions.discount import rate_words
from ingest.questions.indicators import group_names
from ingest.study.indicators import Indicator
from ingest.text.numbers import in_full, percent_text, quantity_text
from ingest.text.text_table import TextTable


def indicator_tables(answer: IndicatorTable) -> list[TextTable]:
    """A table of groups and scenarios for each indicator and horizon; of totals, one for all."""
    totals = shown_rows(answer, answer.totals)
    if not group_names(answer):
        return [_table(answer, totals, by_indicator=True)]
    tables = []
    of_indicator = {indicator.name: indicator for indicator in answer.indicators}
    for key, rows in groupby(shown_rows(answer, answer.rows), lambda r: (r.indicator, r.until)):
        own = [*rows, *(total for total in totals if (total.indicator, total.until) == key)]
        tables.append(_table(answer, own, _title(of_indicator[key[0]], own[0])))
    return tables


def _title(indicator: Indicator, row: IndicatorRow) -> str:
    until = [] if row.until is None else [f"until {row.until}"]
    rate = f"discounted at {rate_words(indicator.discount)} a year"
    parts = [row.indicator, row.unit, *until, *([rate] if indicator.discount else [])]
    return " · ".join(part for part in parts if part)


def _table(
    answer: IndicatorTable,
    rows: Sequence[IndicatorRow],
    title: str = "",
    *,
    by_indicator: bool = False,
) -> TextTable:
    """Rows and columns of numbers, each line with its own number of decimals, a total last."""
    rows = _with_numbers(rows, lambda row: (row.indicator, row.until, row.group))
    rows = _with_numbers(rows, lambda row: row.scenario)
    scenarios = list(dict.fromkeys(row.scenario for row in rows))
    groups = () if by_indicator else group_names(answer)
    lines: dict[tuple[Any, ...], dict[str, IndicatorRow]] = {}
    for row in rows:
        key = (row.indicator, row.until) if by_indicator else row.group
        lines.setdefault(key, {})[row.scenario] = row
    has_countries = groups != ("country",)
    places = _places(rows)
    cells = []
    for line in lines.values():
        first = next(iter(line.values()))
        until = "" if first.until is None else str(first.until)
        keys = [first.indicator, until, first.unit] if by_indicator else _group_cells(first, groups)
        digits = _places([*line.values()]) if by_indicator else places
        values = [_number(line[name], digits) if name in line else "" for name in scenarios]
        cells.append([*keys, *([_countries([*line.values()])] if has_countries else []), *values])
    names = ["indicator", "until", "unit"] if by_indicator else list(groups)
    headers = [*names, *(["countries"] if has_countries else []), *scenarios]
    return TextTable(title, headers, cells, [*scenarios, "countries", "until"])


def _with_numbers(
    rows: Sequence[IndicatorRow], part: Callable[[IndicatorRow], Hashable]
) -> Sequence[IndicatorRow]:
    """Rows of the lines or columns that have a number at all; all where there is none."""
    have = {part(row) for row in rows if row.value is not None}
    return [row for row in rows if part(row) in have] or rows


def _group_cells(row: IndicatorRow, groups: Sequence[str]) -> list[str]:
    return list(row.group) or ["total", *([""] * (len(groups) - 1))]


def _countries(rows: Sequence[IndicatorRow]) -> str:
    """187, or 182 of 187, or 180-182 of 187 where scenarios differ."""
    counts = sorted({row.countries for row in rows})
    whole = rows[0].of_countries
    if counts == [whole]:
        return f"{whole:,}"
    return f"{'-'.join(f'{count:,}' for count in {counts[0]: 0, counts[-1]: 0})} of {whole:,}"


def _places(rows: Sequence[IndicatorRow]) -> int:
    return decimals([row.value for row in rows], 6)


def _number(row: IndicatorRow, places: int) -> str:
    return "n/a" if row.value is None else in_full(row.value, places)


def change_table(rows: Sequence[IndicatorChange]) -> TextTable:
    """Indicators that moved, in countries and in total."""
    headers = ("indicator", "until", "country", "scenario", "before", "after", "change", "unit")
    return TextTable("", headers, list(map(_change_cells, rows)), headers[4:7])


def _change_cells(row: IndicatorChange) -> list[str]:
    counts = sorted({row.countries_before, row.countries_after})
    total = f"total of {'-'.join(map(str, counts))}"
    change = percent_text(row.relative)
    if row.before is None or row.after is None:
        change = "added" if row.before is None else "removed"
    return [
        *(row.indicator, "" if row.until is None else str(row.until), row.country or total),
        *(row.scenario, quantity_text(row.before), quantity_text(row.after), change, row.unit),
    ]
