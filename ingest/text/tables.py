"""Tables that a person hands in: CSV as any program saves it, and sheets of workbooks."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError
from ingest.text.csv_rows import Rows, parse_text
from ingest.text.decimals import NumberForm, find_form
from ingest.text.file_kind import HEAD_BYTES, other_kind, zip_bomb
from ingest.text.suggest import did_you_mean

_SEPARATORS = {",": "commas", ";": ";", "\t": "tabs"}
_HEAD_CHARACTERS = 20_000
_HEAD_ROWS, _LOOKED_AT_ROWS = 11, 1000
_SAYS_SEPARATOR = re.compile(r"\s*sep=([,;\t])\r?\n", re.IGNORECASE)  # for Excel
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_MOST_CELLS = 50_000_000


@dataclass(frozen=True)
class TableChoice:
    """What the command line says of a table: its sheet, and the mark before decimals."""

    sheet: str | None = None
    decimal: str | None = None


ANY_TABLE = TableChoice()


@dataclass(frozen=True)
class Table:
    """Cells as texts: the header, and the rows after it with their lines; no blank rows.

    words: how it was read, as far as that is not as every CSV. is_exact: no text has an apostrophe
    before it that keeps spreadsheets from taking it for a formula. lacks_line_end: the last line
    of its text may be cut off.
    """

    where: str
    header: list[str]
    rows: Rows
    delimiter: str = ","
    words: tuple[str, ...] = ()
    is_exact: bool = False
    lacks_line_end: bool = False

    def number_form(self, columns: Iterable[int], choice: TableChoice) -> NumberForm:
        """How the numbers in some columns are written. Raises ConfigError as find_form does."""
        positions = tuple(columns)
        cells = (
            (line, row[position].strip())
            for line, row in self.rows
            for position in positions
            if position < len(row)
        )
        return find_form(cells, self.where, self.delimiter, choice.decimal)

    def how_read(self, form: NumberForm) -> str:
        """How it was read, in words for people: ; and decimal comma. Blank if as every CSV."""
        *others, last = (*self.words, *form.words) or ("",)
        return f"{', '.join(others)} and {last}" if others else last


def read_table(path: Path, choice: TableChoice = ANY_TABLE) -> Table:
    """The table in a file, as parse_table. Raises ConfigError, also where it cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}") from exc
    return parse_table(raw, str(path), choice)


def parse_table(raw: bytes, where: str, choice: TableChoice = ANY_TABLE) -> Table:
    """A table in CSV with , ; or tabs in UTF-8 or UTF-16, or in a sheet of a workbook.

    where: the file's name, for messages. Raises ConfigError: it is something else, has several
    sheets or no such one, or is broken.
    """
    if raw.startswith(_WORKBOOKS):
        return _read_workbook(raw, where, choice.sheet)
    if choice.sheet is not None:
        raise ConfigError(f"{where} is no workbook: leave out --sheet")
    if (kind := other_kind(raw[:HEAD_BYTES])) is not None:
        raise ConfigError(f"{where} {kind}")
    return _read_text(raw, where)


# --- CSV ----------------------------------------------------------------------------------------


def _read_text(raw: bytes, where: str) -> Table:
    is_utf_16 = raw.startswith(_UTF_16)
    try:
        text = raw.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as exc:
        code = "UTF-16" if is_utf_16 else "UTF-8"
        hint = "" if is_utf_16 else ". In Excel, save it as 'CSV UTF-8'"
        raise ConfigError(f"{where} is not {code} text (byte {exc.start + 1}){hint}") from exc
    said = _SAYS_SEPARATOR.match(text)
    delimiter = said[1] if said else _find_delimiter(text, where)
    header, rows = parse_text(text, where, delimiter)
    if said and rows:  # the line sep=; is no header
        (_, cells), *rows = rows
        header = [cell.strip() for cell in cells]
    words = ("UTF-16",) * is_utf_16 + (_SEPARATORS[delimiter],) * (delimiter != ",")
    lacks_line_end = not text.endswith(("\n", "\r"))
    return Table(where, header, rows, delimiter, words, lacks_line_end=lacks_line_end)


def _find_delimiter(text: str, where: str) -> str:
    """What separates the cells: what makes rows as wide as the header, and more cells.

    Raises ConfigError where two do.
    """
    possible = [mark for mark in _SEPARATORS if mark in text[:_HEAD_CHARACTERS]]
    if len(possible) < 2:
        return possible[0] if possible else ","
    fits = {mark: _fit(text, mark) for mark in possible}
    best = [mark for mark in possible if fits[mark] == max(fits.values())]
    if len(best) > 1:
        names = " or ".join(_SEPARATORS[mark] for mark in best)
        raise ConfigError(
            f"{where} could be separated by {names}: put the cells that hold them into quotes"
        )
    return best[0]


def _fit(text: str, mark: str) -> tuple[bool, int]:
    """Whether the rows are as wide as the header, and how many cells the widest rows have."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        widths = [len(cells) for cells in islice(reader, _LOOKED_AT_ROWS) if any(cells)]
    except csv.Error:
        return False, 0
    width = max(widths[:_HEAD_ROWS], default=0)
    is_even = width > 1 and widths[0] == width and set(widths) <= {width, 1}
    return is_even, width * widths.count(width)


# --- workbooks ----------------------------------------------------------------------------------


def _read_workbook(raw: bytes, where: str, sheet: str | None) -> Table:
    import python_calamine

    file = io.BytesIO(raw)
    try:
        if zipfile.is_zipfile(file) and (why := zip_bomb(zipfile.ZipFile(file), len(raw))):
            raise ConfigError(f"{where} is not unpacked: {why}")
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        name = _choose_sheet(workbook.sheet_names, where, sheet)
        found = workbook.get_sheet_by_name(name)
        if found.total_height * found.total_width > _MOST_CELLS:
            raise ConfigError(f"{where}: sheet {name!r} has more than {_MOST_CELLS:,} cells")
        grid = found.to_python(skip_empty_area=False)
    except python_calamine.PasswordError as exc:
        raise ConfigError(f"{where} has a password: save it without one") from exc
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError) as exc:
        kind = other_kind(raw[:HEAD_BYTES])
        raise ConfigError(f"{where} {kind} that holds no table: {exc}") from exc
    rows = list(_filled_rows(grid))
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    return Table(where, header, rows[1:], words=(f"sheet {name!r}",))


def _choose_sheet(names: list[str], where: str, sheet: str | None) -> str:
    if sheet is None and len(names) == 1:
        return names[0]
    listed = ", ".join(map(repr, names))
    if sheet is None:
        raise ConfigError(f"{where} has the sheets {listed}: choose one with --sheet NAME")
    if sheet not in names:
        hint = did_you_mean(sheet, names)
        raise ConfigError(f"{where} has no sheet {sheet!r}; it has {listed}.{hint}")
    return sheet


def _filled_rows(grid: list[list[Any]]) -> Iterator[tuple[int, list[str]]]:
    """Rows with anything in them, without the blank columns at the right end of all."""
    rows = [(line, list(map(_cell_text, cells))) for line, cells in enumerate(grid, 1)]
    rows = [(line, cells) for line, cells in rows if any(cell.strip() for cell in cells)]
    width = max((i + 1 for _, cells in rows for i, cell in enumerate(cells) if cell), default=0)
    return ((line, cells[:width]) for line, cells in rows)


def _cell_text(cell: Any) -> str:
    """A cell as CSV has it; numbers read back to the same bits."""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    return str(cell)
