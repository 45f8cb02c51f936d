"""What a report says, before it has a format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.charts.style import Spec
from ingest.exchange.workbook import NativeChart, Sheet
from ingest.text.text_table import TextTable

NO_PICTURES = "No pictures: vl-convert was not installed."


@dataclass(frozen=True)
class Picture:
    """A chart for formats that hold pictures. text: what it shows, for those who do not see it."""

    text: str
    spec: Spec


@dataclass(frozen=True)
class Section:
    """A part of a report: texts and tables for people, and the same numbers unrounded in sheets.

    conditions: what all its numbers depend on. answers: what they come to, for the summary.
    sentences: what is told above the tables. charts: of its sheets.
    """

    title: str
    conditions: str = ""
    answers: Sequence[str] = ()
    sentences: Sequence[str] = ()
    tables: Sequence[TextTable] = ()
    sheets: Sequence[Sheet] = ()
    pictures: Sequence[Picture] = ()
    charts: Sequence[NativeChart] = ()


@dataclass(frozen=True)
class Report:
    """A report. as_of: the run and the commit. summary: the answers of its sections.

    notes: pairs of what is explained, and how; warnings: what a reader has to know first.
    """

    title: str
    as_of: str
    summary: Sequence[str]
    sections: Sequence[Section]
    notes: Sequence[tuple[str, str]]
    warnings: Sequence[str] = ()

    @property
    def notes_table(self) -> TextTable:
        """The notes as a table."""
        return TextTable("", ("What", "How"), self.notes)
