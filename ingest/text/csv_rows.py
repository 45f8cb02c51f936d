"""The rows of a CSV file that a person hands in, each with the line it begins in."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ingest.errors import ConfigError

Rows = list[tuple[int, list[str]]]


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
