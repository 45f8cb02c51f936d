"""A report as one HTML file that opens offline, with its pictures inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.charts.pictures import can_draw, render_svg
from ingest.reports.model import NO_PICTURES, Picture, Report, Section
from ingest.text.html_page import html_page, html_table, html_text
from ingest.text.text_table import TextTable


def html_of(report: Report) -> str:
    """The whole page."""
    return html_page(report.title, _parts(report))


def _parts(report: Report) -> Iterator[str]:
    yield f'<h1>{html_text(report.title)}</h1>\n<p class="soft">As of {html_text(report.as_of)}</p>'
    for text in report.warnings:
        yield f'<p class="warning">{html_text(text)}</p>'
    yield from _list(report.summary)
    for section in report.sections:
        yield from _section(section)
    yield f"<h2>Notes</h2>\n{_table(report.notes_table)}"


def _section(section: Section) -> Iterator[str]:
    yield f"<h2>{html_text(section.title)}</h2>"
    if section.conditions:
        yield f'<p class="soft">{html_text(section.conditions)}</p>'
    yield from _list(section.sentences)
    if section.pictures and not can_draw():
        yield f'<p class="soft">{NO_PICTURES}</p>'
    else:
        yield from map(_figure, section.pictures)
    for table in section.tables:
        yield _table(table)
        yield from _list(table.after)


def _list(texts: Sequence[str]) -> Iterator[str]:
    if texts:
        yield f"<ul>{''.join(f'<li>{html_text(text)}</li>' for text in texts)}</ul>"


def _figure(picture: Picture) -> str:
    """The picture as it is, with what it shows below it."""
    svg = render_svg(picture.spec).replace("<svg ", '<svg aria-hidden="true" ', 1)
    return f'<figure class="box">{svg}<figcaption>{html_text(picture.text)}</figcaption></figure>'


def _table(table: TextTable) -> str:
    headers = [
        html_text(header) + (":" if header in table.numbers else "") for header in table.headers
    ]
    rows = ([html_text(cell) for cell in row] for row in table.rows)
    return html_table(headers, rows, table.title or None)
