"""Tables as an Excel workbook: frozen headers, filters, numbers as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError

_WIDEST = 60


@dataclass(frozen=True)
class Sheet:
    """One sheet: a name, a header and rows of texts, numbers and None."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def write_workbook(path: Path, sheets: Sequence[Sheet]) -> None:
    """Write an .xlsx file. Raises ConfigError where XlsxWriter is not installed."""
    try:
        from xlsxwriter import Workbook  # type: ignore[import-untyped]  # it brings no types
    except ImportError as exc:
        raise ConfigError("XlsxWriter is not installed: pip install 'ingest[xlsx]'") from exc
    # texts stay texts: one that begins with = is no formula, an address no link
    as_they_are = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    with Workbook(path, as_they_are) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        number, whole = (book.add_format({"num_format": form}) for form in ("#,##0.00", "0"))
        for sheet in sheets:
            page = book.add_worksheet(sheet.name)
            page.write_row(0, 0, sheet.columns, bold)
            for position, row in enumerate(sheet.rows, 1):
                for column, value in enumerate(row):
                    form = {float: number, int: whole}.get(type(value))
                    page.write(position, column, value, form)
            page.freeze_panes(1, 0)
            if sheet.rows:
                page.autofilter(0, 0, len(sheet.rows), len(sheet.columns) - 1)
            for column, name in enumerate(sheet.columns):
                page.set_column(column, column, _width(name, [row[column] for row in sheet.rows]))


def _width(name: str, values: Sequence[Any]) -> int:
    sizes = (len(f"{v:,.2f}" if isinstance(v, float) else str(v)) for v in values if v is not None)
    return min(_WIDEST, max(len(name) + 3, *sizes, 8) + 1)
