"""Tables as an Excel workbook: frozen headers, filters, numbers as numbers, charts of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError
from ingest.text.installation import not_installed
from ingest.text.numbers import shared_decimals

_WIDEST = 80
_BROKEN_AT, _LINE_HEIGHT = 75, 15
_CHART_ROWS = 22
_POINT = {
    "marker": {"type": "circle", "size": 8},
    "data_labels": {"series_name": True, "value": False, "position": "right"},
}
_CHART_SIZE = {"width": 760, "height": 400}


@dataclass(frozen=True)
class Series:
    """What a chart draws: two columns of a sheet, from a row to another; rows count from 0."""

    name: str
    sheet: str
    x: str
    y: str
    first: int
    last: int


@dataclass(frozen=True)
class NativeChart:
    """A chart that the reader's own program draws. kind: bar, line or scatter."""

    kind: str
    title: str
    x_title: str
    y_title: str
    series: Sequence[Series]

    @property
    def text(self) -> str:
        """What it shows, for those who do not see it."""
        axes = [title for title in (self.x_title, self.y_title) if title]
        names = dict.fromkeys(series.name for series in self.series)
        about = [f"{self.kind} chart", *axes, *(n for n in names if n not in self.title)]
        return f"{self.title}: {', '.join(about)}"


@dataclass(frozen=True)
class Sheet:
    """One sheet: a name, a header and rows of texts, numbers and None.

    heading: lines above the header. charts: below the rows.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    heading: Sequence[str] = ()
    charts: Sequence[NativeChart] = ()

    @classmethod
    def of(cls, name: str, rows: Sequence[Mapping[str, Any]]) -> Sheet:
        """The sheet of rows, one at least, that have names for their values."""
        return cls(name, list(rows[0]), [list(row.values()) for row in rows])

    @property
    def top(self) -> int:
        """The row of the header."""
        return len(self.heading) + 1 if self.heading else 0


def write_workbook(path: Path, sheets: Sequence[Sheet]) -> None:
    """Write an .xlsx file. Raises ConfigError where XlsxWriter is not installed."""
    try:
        from xlsxwriter import Workbook  # type: ignore[import-untyped]  # it brings no types
    except ImportError as exc:
        raise ConfigError(not_installed("XlsxWriter", "xlsx")) from exc
    # texts stay texts: one that begins with = is no formula, an address no link
    as_they_are = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    with Workbook(path, as_they_are) as book:
        formats = _Formats(book)
        by_name = {sheet.name: sheet for sheet in sheets}
        for sheet in sheets:
            page = book.add_worksheet(sheet.name)
            _write_cells(page, sheet, formats)
            for number, chart in enumerate(sheet.charts):
                row = sheet.top + len(sheet.rows) + 2 + number * _CHART_ROWS
                page.insert_chart(row, 0, _drawn(book, chart, by_name), {"description": chart.text})


class _Formats:
    """The formats of cells of a workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._numbers: dict[str, Any] = {}
        self.header = book.add_format({"bold": True, "bottom": 1})
        self.text = book.add_format({"text_wrap": True, "valign": "top"})
        self.title = book.add_format({"bold": True, "font_size": 14})

    def of(self, value: Any) -> Any:
        """Years and counts as they are; other numbers with as many decimals as show four digits.

        Long texts are broken into lines.
        """
        if type(value) is int:
            return self._number("0")
        if not isinstance(value, float):
            return self.text if len(str(value)) > _WIDEST else None
        decimals = shared_decimals([value])
        return self._number(f"#,##0.{'0' * decimals}" if decimals else "#,##0")

    def _number(self, form: str) -> Any:
        if form not in self._numbers:
            self._numbers[form] = self._book.add_format({"num_format": form})
        return self._numbers[form]


def _write_cells(page: Any, sheet: Sheet, formats: _Formats) -> None:
    for line, text in enumerate(sheet.heading):
        page.write_string(line, 0, text, None if line else formats.title)
    page.write_row(sheet.top, 0, sheet.columns, formats.header)
    for position, row in enumerate(sheet.rows, sheet.top + 1):
        longest = max((len(value) for value in row if isinstance(value, str)), default=0)
        if longest > _WIDEST:
            page.set_row(position, _LINE_HEIGHT * -(-longest // _BROKEN_AT))
        for column, value in enumerate(row):
            page.write(position, column, value, formats.of(value))
    page.freeze_panes(sheet.top + 1, 0)
    page.repeat_rows(sheet.top)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    if sheet.rows:
        last = sheet.top + len(sheet.rows)
        page.autofilter(sheet.top, 0, last, len(sheet.columns) - 1)
    for column, name in enumerate(sheet.columns):
        page.set_column(column, column, _width(name, [row[column] for row in sheet.rows]))


def _drawn(book: Any, chart: NativeChart, sheets: Mapping[str, Sheet]) -> Any:
    drawn = book.add_chart({"type": chart.kind})
    for series in chart.series:
        drawn.add_series(
            {
                "name": series.name,
                "categories": _range(sheets[series.sheet], series, series.x),
                "values": _range(sheets[series.sheet], series, series.y),
                **(_POINT if chart.kind == "scatter" else {}),
            }
        )
    drawn.set_size(_CHART_SIZE)
    drawn.set_title({"name": chart.title, "overlay": False, "name_font": {"size": 12}})
    form = _axis_format(chart, sheets)
    if chart.kind == "bar":  # its categories stand on the left, and are read from the top
        drawn.set_y_axis({"name": chart.x_title, "reverse": True})
        drawn.set_x_axis({"name": chart.y_title, "label_position": "high", "num_format": form})
    else:
        drawn.set_x_axis(
            {"name": chart.x_title, "label_position": "low"}
            | ({"num_format": "#,##0"} if chart.kind == "scatter" else {})
        )
        drawn.set_y_axis({"name": chart.y_title, "label_position": "low", "num_format": form})
    if chart.kind != "line":
        drawn.set_legend({"none": True})
    return drawn


def _axis_format(chart: NativeChart, sheets: Mapping[str, Sheet]) -> str:
    """Thousands separators where the numbers are large, decimals where they are small."""
    numbers = [
        value
        for series in chart.series
        for row in sheets[series.sheet].rows[series.first : series.last + 1]
        if isinstance(value := row[sheets[series.sheet].columns.index(series.y)], float)
    ]
    return "#,##0" if shared_decimals(numbers) == 0 else "General"


def _range(sheet: Sheet, series: Series, name: str) -> list[Any]:
    column, first = sheet.columns.index(name), sheet.top + 1
    return [sheet.name, first + series.first, column, first + series.last, column]


def _width(name: str, values: Sequence[Any]) -> int:
    sizes = (len(f"{v:,.2f}" if isinstance(v, float) else str(v)) for v in values if v is not None)
    return min(_WIDEST, max(len(name) + 3, *sizes, 8) + 1)
