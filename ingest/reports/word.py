"""A report as a Word document: headings, tables whose header repeats, pictures with captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ingest.charts.pictures import can_draw, render_png
from ingest.errors import ConfigError
from ingest.reports.model import NO_PICTURES, Picture, Report, Section
from ingest.text.installation import not_installed
from ingest.text.text_table import TextTable

_A4_MM, _MARGIN_MM = (210, 297), 20
_PICTURE = 0.6  # of a page's height, so that its section's title stands above it
_WIDE = 6
_SIZES = {_WIDE: 8.0, 9: 7.0, 1000: 6.0}
"""Points of the letters of tables, by the most columns of any."""
_NAME, _LONGEST, _PADDING = 14, 40, 4
"""In letters: of a header and of a text before they are broken, and around them."""
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_report_document(path: Path, report: Report) -> None:
    """Write a .docx file. Raises ConfigError where python-docx is not installed."""
    try:
        import docx
    except ImportError as exc:
        raise ConfigError(not_installed("python-docx", "report")) from exc
    page = _Page(docx.Document(), report)
    page.write(report)
    with path.open("wb") as file:
        page.document.save(file)


class _Page:
    """A document that is written from the top to the end."""

    def __init__(self, document: Any, report: Report) -> None:
        from docx.enum.style import WD_STYLE_TYPE
        from docx.shared import Mm, Pt

        self.document = document
        tables = [table for section in report.sections for table in section.tables]
        columns = max((len(table.headers) for table in tables), default=0)
        is_wide = columns > _WIDE
        section = document.sections[0]
        width, height = (Mm(size) for size in (_A4_MM[::-1] if is_wide else _A4_MM))
        section.page_width, section.page_height = width, height
        section.left_margin = section.right_margin = Mm(_MARGIN_MM)
        section.top_margin = section.bottom_margin = Mm(_MARGIN_MM)
        self._width = width - 2 * Mm(_MARGIN_MM)
        self._highest = int((height - 2 * Mm(_MARGIN_MM)) * _PICTURE)
        document.styles["Normal"].font.size = Pt(10)
        self._cell = document.styles.add_style("Table Text", WD_STYLE_TYPE.PARAGRAPH)
        self._cell.font.size = Pt(next(size for most, size in _SIZES.items() if columns <= most))
        self._cell.paragraph_format.space_after = 0
        properties = document.core_properties
        properties.title, properties.author, properties.comments = _plain(report.title), "", ""

    def write(self, report: Report) -> None:
        """All of it."""
        self._footer(f"{report.title} · as of {report.as_of}")
        self.document.add_heading(_plain(report.title), 0)
        self._text(f"As of {report.as_of}")
        for text in report.warnings:
            self._text(f"Warning: {text}", bold=True)
        self._list(report.summary)
        for section in report.sections:
            self._section(section)
        self.document.add_heading("Notes", 1)
        self._table(report.notes_table)

    def _section(self, section: Section) -> None:
        self.document.add_heading(_plain(section.title), 1)
        if section.conditions:
            self._text(section.conditions).paragraph_format.keep_with_next = True
        self._list(section.sentences)
        if section.pictures and not can_draw():
            self._text(NO_PICTURES)
        elif section.pictures:
            for picture in section.pictures:
                self._picture(picture)
        for table in section.tables:
            self._table(table)
            self._list(table.after)

    def _text(self, text: str, style: str | None = None, *, bold: bool = False) -> Any:
        paragraph = self.document.add_paragraph(style=style)
        paragraph.add_run(_plain(text)).bold = bold or None
        return paragraph

    def _list(self, texts: Sequence[str]) -> None:
        for text in texts:
            self._text(text, "List Bullet")

    def _picture(self, picture: Picture) -> None:
        """The picture, as wide as the page or as high, with what it shows below and as its text."""
        png = BytesIO(render_png(picture.spec))
        shape = self.document.add_picture(png, width=self._width)
        shrink = min(1.0, self._highest / shape.height)
        shape.width, shape.height = int(shape.width * shrink), int(shape.height * shrink)
        shape._inline.docPr.set("descr", _plain(picture.text))
        self.document.paragraphs[-1].paragraph_format.keep_with_next = True
        self._text(picture.text, "Caption")

    def _table(self, table: TextTable) -> None:
        """The table under its title; its header is repeated on each page, and no row is cut."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        if table.title:
            self._text(table.title, "Caption").paragraph_format.keep_with_next = True
        drawn = self.document.add_table(len(table.rows) + 1, len(table.headers), "Table Grid")
        drawn.autofit = False
        widths = [int(self._width * share) for share in _shares(table)]
        for column, width in zip(drawn.columns, widths, strict=True):
            column.width = width
        is_number = [header in table.numbers for header in table.headers]
        for row, texts in zip(drawn.rows, [table.headers, *table.rows], strict=True):
            _mark_row(row, is_header=texts is table.headers)
            for cell, text, width, right in zip(row.cells, texts, widths, is_number, strict=True):
                cell.width = width
                paragraph = cell.paragraphs[0]
                paragraph._p.style = self._cell.style_id  # no search for the style
                paragraph.add_run(_plain(text)).bold = texts is table.headers or None
                if right:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        self.document.add_paragraph()

    def _footer(self, text: str) -> None:
        """The run and the commit, and the number of the page."""
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        paragraph = self.document.sections[0].footer.paragraphs[0]
        paragraph.add_run(f"{_plain(text)} · page ")
        field = OxmlElement("w:fldSimple")
        field.set(qn("w:instr"), "PAGE")
        paragraph._p.append(field)


def _shares(table: TextTable) -> list[float]:
    """The share of the width that each column gets: numbers whole, of texts the longest word."""
    longest = _LONGEST if len(table.headers) <= _WIDE else _NAME
    sizes = []
    for header, *texts in zip(table.headers, *table.rows, strict=True):
        whole = max(map(len, texts), default=0)
        words = max((len(word) for text in texts for word in text.split()), default=0)
        size = whole if header in table.numbers else max(min(whole, longest), words)
        sizes.append(max(size, min(len(header), _NAME)) + _PADDING)
    return [size / sum(sizes) for size in sizes]


def _mark_row(row: Any, *, is_header: bool) -> None:
    from docx.oxml import OxmlElement

    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if is_header:
        properties.append(OxmlElement("w:tblHeader"))


def _plain(text: str) -> str:
    """A text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
