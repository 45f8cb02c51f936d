"""CSV files that a person hands in: rows with their lines, and columns by other names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from ingest.errors import ConfigError

Rows = list[tuple[int, list[str]]]
_TITLE_LINES = 10


def read_csv(path: Path) -> tuple[list[str], Rows]:
    """The header and the rows of a file, as parse_csv. Raises ConfigError: it cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}") from exc
    return parse_csv(raw, str(path))


def parse_csv(raw: bytes, where: str, delimiter: str = ",") -> tuple[list[str], Rows]:
    """The header, and the rows after it, with the line each begins in; blank rows are left out.

    where: the file's name, for messages. Raises ConfigError: not UTF-8, or broken CSV.
    """
    rows: Rows = []
    line = 1  # where the next row begins; quoted cells may hold line ends
    try:
        reader = csv.reader(
            io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True, delimiter=delimiter
        )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{where} is not UTF-8 text (byte {exc.start + 1})") from exc
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


def second_header(cells: Sequence[str]) -> str:
    """What a row without numbers right after the header is, and what to do about it."""
    return f"{','.join(cells):.40} is a second line of header, delete it"
