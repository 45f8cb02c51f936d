"""A report as a workbook: a sheet for each section, with unrounded numbers and native charts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ingest.exchange.workbook import NativeChart, Sheet, write_workbook
from ingest.reports.model import Report


def write_report_workbook(path: Path, report: Report) -> None:
    """Write an .xlsx file. Raises ConfigError where XlsxWriter is not installed."""
    write_workbook(path, list(_sheets(report)))


def _sheets(report: Report) -> Iterator[Sheet]:
    texts = [*report.warnings, *report.summary]
    charts = [_in_words(chart) for section in report.sections for chart in section.charts]
    as_of = f"As of {report.as_of}"
    summary = [(text,) for text in texts]
    yield Sheet("Summary", ("Summary",), summary, (report.title, as_of), charts)
    for section in report.sections:
        for sheet in section.sheets:
            heading = (f"{report.title}: {section.title}", as_of, section.conditions)
            yield replace(sheet, columns=[*map(_words, sheet.columns)], heading=heading)
    table = report.notes_table
    yield Sheet("Notes", table.headers, table.rows, (f"{report.title}: notes", as_of))


def _words(column: str) -> str:
    """The name of a column as people write it: extra_cost is extra cost."""
    return column.replace("_", " ")


def _in_words(chart: NativeChart) -> NativeChart:
    series = [replace(each, x=_words(each.x), y=_words(each.y)) for each in chart.series]
    return replace(chart, series=series)
