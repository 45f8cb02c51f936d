"""A report in Markdown: for a README, a pull request, or a text editor."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.reports.model import Report, Section
from ingest.text.markdown import escape, markdown_table
from ingest.text.text_table import TextTable


def markdown_of(report: Report) -> str:
    """The whole report; ends with a newline."""
    lines = [f"## {escape(report.title)}", "", f"As of {escape(report.as_of)}.", ""]
    lines += [line for text in report.warnings for line in (f"> ⚠️ {escape(text)}", "")]
    if report.summary:
        lines += [*(f"- {escape(text)}" for text in report.summary), ""]
    for section in report.sections:
        lines += _section(section)
    lines += ["### Notes", "", *_table(report.notes_table)]
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from (f"### {escape(section.title)}", "")
    if section.conditions:
        yield from (escape(section.conditions), "")
    if section.sentences:
        yield from (*(f"- {escape(text)}" for text in section.sentences), "")
    for table in section.tables:
        yield from _table(table)


def _table(table: TextTable) -> Iterator[str]:
    if table.title:
        yield from (f"**{escape(table.title)}**", "")
    headers = [
        escape(header) + (":" if header in table.numbers else "") for header in table.headers
    ]
    yield from markdown_table(headers, ([escape(cell) for cell in row] for row in table.rows))
    yield ""
    if table.after:
        yield from (*(f"- {escape(line)}" for line in table.after), "")
