"""CSV as rows with their lines, and columns by other names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TextIO

from ingest.errors import ConfigError
from ingest.text.file_kind import HEAD_BYTES, other_kind

Rows = list[tuple[int, list[str]]]
_TITLE_LINES = 10


def parse_csv(raw: bytes, where: str, delimiter: str = ",") -> tuple[list[str], Rows]:
    """The header, and the rows after it, with the line each begins in; blank rows are left out.

    where: the file's name, for messages. Raises ConfigError: not UTF-8, broken CSV, or no CSV.
    """
    if raw and (kind := other_kind(raw[:HEAD_BYTES])):
        raise ConfigError(f"{where} {kind}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{where} is not UTF-8 text (byte {exc.start + 1})") from exc
    return parse_text(text, where, delimiter)


def parse_text(text: str, where: str, delimiter: str) -> tuple[list[str], Rows]:
    """What parse_csv gives, of a text. Raises ConfigError: broken CSV."""
    rows: Rows = []
    line = 1  # where the next row begins; quoted cells may hold line ends
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as exc:
        raise ConfigError(f"{where} is broken or cut-off CSV: {exc} (line {line})") from exc
    return ([name.strip() for name in rows[0][1]] if rows else []), rows[1:]


def parse_column_mapping(pairs: Sequence[str], form: str, example: str) -> dict[str, str]:
    """Left -> right of the texts of --column, LEFT=RIGHT, each of both given once.

    form: the names of both sides, as COLUMN=SCENARIO. Raises ConfigError.
    """
    left_name, right_name = form.lower().split("=")
    mapping: dict[str, str] = {}
    for pair in pairs:
        left, equals, right = (part.strip() for part in pair.partition("="))
        if not left or not equals or not right:
            raise ConfigError(f"--column {pair}: write {form}, such as {example}")
        if left in mapping:
            raise ConfigError(f"--column {pair}: {left_name} {left} is given twice")
        if right in mapping.values():
            raise ConfigError(f"--column: {right_name} {right} is given to two {left_name}s")
        mapping[left] = right
    return mapping


def refuse_lines_above_header(where: str, needed: Iterable[str], rows: Rows) -> None:
    """Raise ConfigError where a row below the first has the needed columns: it is the header."""
    wanted = set(needed)
    for line, cells in rows[:_TITLE_LINES]:
        if wanted and wanted <= {cell.strip() for cell in cells}:
            raise ConfigError(f"{where}: the header is line {line}; delete the lines above it")


def only_text(cells: Sequence[str]) -> str | None:
    """What a row with one text in its first cell alone is, and what to do; None for other rows."""
    first, *others = cells
    if any(cell.strip() for cell in others) or not first.strip() or first.strip()[0].isdecimal():
        return None
    return (
        f"{first.strip()!r:.40} stands alone: a note on the table (delete the line), or a row that "
        "is cut off"
    )


def second_header(cells: Sequence[str]) -> str:
    """What a row without numbers right after the header is, and what to do about it."""
    return f"{','.join(cells):.40} is a second line of header, delete it"


# --- cells for spreadsheets ---------------------------------------------------------------------

_FIRST = frozenset("'=+-@\t\r")
_ROWS_AT_ONCE = 500
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def spreadsheet_rows(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """Rows with no cell that a spreadsheet takes for a formula: such texts get an apostrophe.

    Numbers stay as they are, also as text. bare_text gives the text back. Rows share most of their
    texts, so each different cell is looked at once.
    """
    marked = {
        cell: f"'{cell}"
        for cell in set().union(*rows)
        if type(cell) is str and cell[:1] in _FIRST and _is_formula(cell)
    }
    return [[marked.get(cell, cell) for cell in row] for row in rows] if marked else rows


def _is_formula(text: str) -> bool:
    if _FORMULA.match(text) is None:
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def bare_text(text: str) -> str:
    """The text in a cell that spreadsheet_rows has made; other texts as they are."""
    return text[1:] if text.startswith("'") and _is_formula(text) else text


class CsvWriter:
    """Writes rows as spreadsheet_rows makes them, or raw."""

    def __init__(self, file: TextIO, *, raw: bool = False) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._raw = raw

    def writerow(self, cells: Sequence[Any]) -> None:
        """Write a row."""
        self.writerows([cells])

    def writerows(self, rows: Iterable[Sequence[Any]]) -> int:
        """Write rows; returns how many."""
        count, remaining = 0, iter(rows)
        while batch := list(islice(remaining, _ROWS_AT_ONCE)):
            self._writer.writerows(batch if self._raw else spreadsheet_rows(batch))
            count += len(batch)
        return count
