"""The indicators of a report: a table for each grouping, and the definitions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ingest.database.indicators import TOTAL, IndicatorTable, shown_rows
from ingest.exchange.workbook import NativeChart, Series, Sheet
from ingest.questions.indicator_tables import indicator_tables
from ingest.questions.indicators import VALUES, IndicatorQuestion, ask_indicators
from ingest.reports.model import Section
from ingest.reports.question import Part, ReportQuestion
from ingest.study.indicators import definition_text, horizons

_TITLE = "Indicators"
_COLUMNS = ("by", "group", "indicator", "until_year", "scenario", *VALUES)
_MOST_CHARTS = 8


def indicator_part(connection: sqlite3.Connection, question: ReportQuestion) -> Part:
    """Every indicator by each grouping. Raises ConfigError as ask_indicators()."""
    if not question.definitions.indicators:
        return Part.left_out(_TITLE, "the study has no [[indicators]] in ingest.toml")
    answers = [_ask(connection, question, by) for by in question.by]
    rows = [row for answer in answers for row in _rows(answer)]
    first = answers[0]
    section = Section(
        title=_TITLE,
        conditions=f"Baseline: {first.request.baseline}",
        tables=[table for answer in answers for table in indicator_tables(answer)],
        sheets=[Sheet(_TITLE, _COLUMNS, rows)],
        charts=list(_charts(rows)),
    )
    known = {indicator.name: indicator for indicator in first.definitions}
    notes = [
        (one.name, definition_text(replace(one, until=horizons(one, known))))
        for one in first.indicators
    ]
    if any(indicator.discount for indicator in first.indicators):
        notes.append(("Discounting of indicators", f"to {first.base_year} where none is set"))
    told = dict.fromkeys(note for answer in answers for note in answer.notes)
    return Part([section], [*notes, *((_TITLE, note) for note in told)])


def _ask(connection: sqlite3.Connection, question: ReportQuestion, by: str) -> IndicatorTable:
    asked = IndicatorQuestion(
        run_id=question.run.run_id,
        names=question.settings.indicators,
        scenarios=question.scenarios,
        countries=question.countries,
        by=(by,),
        consistent=question.consistent,
    )
    return ask_indicators(connection, question.definitions, asked)


def _rows(answer: IndicatorTable) -> Iterator[tuple[Any, ...]]:
    """Unrounded, the scenarios of one indicator, horizon and group below each other."""
    for row in shown_rows(answer, answer.rows):
        group = " · ".join(row.group) or TOTAL
        values = (getattr(row, name) for name in VALUES)
        yield (*answer.request.by, group, row.indicator, row.until, row.scenario, *values)


def _charts(rows: Sequence[tuple[Any, ...]]) -> Iterator[NativeChart]:
    """The scenarios of each indicator at its last horizon: in total, else in the first group."""
    named = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    blocks: dict[str, list[int]] = {}
    for key, block in groupby(range(len(rows)), lambda n: rows[n][: _COLUMNS.index("scenario")]):
        numbers = list(block)
        has_numbers = any(named[n]["value"] is not None for n in numbers)
        known = blocks.get(named[numbers[0]]["indicator"])
        if has_numbers and (known is None or key[0] == TOTAL or rows[known[0]][:2] == key[:2]):
            blocks[named[numbers[0]]["indicator"]] = numbers
    for indicator, numbers in list(blocks.items())[:_MOST_CHARTS]:
        row = named[numbers[0]]
        until = f" until {row['until_year']}" if row["until_year"] else ""
        group = "" if row["by"] == TOTAL else f", {row['group']}"
        series = Series(indicator, _TITLE, "scenario", "value", numbers[0], numbers[-1])
        yield NativeChart("bar", f"{indicator}{until}{group}", "", row["unit"] or "", [series])
