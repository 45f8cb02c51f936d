"""Every row of a statement as CSV in a file, within limits of time and size."""

from __future__ import annotations

import csv
import io
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, Any

from ingest.errors import ConfigError
from ingest.text.csv_rows import spreadsheet_rows

Values = Mapping[str, Any]
BlobText = Callable[[sqlite3.Row, str, bytes], str]
"""What stands for bytes: of a row, a column's name and its value."""

_BATCH = 500  # few enough to stay in the fast memory of the processor
_STEPS = 1000  # of SQLite's machine, between two looks at the clock
_MIB = 1 << 20


@dataclass(frozen=True)
class Statement:
    """SQL with its values, and what stands for bytes."""

    sql: str
    values: Values
    blob_text: BlobText = field(default=lambda row, column, value: value.hex())


@dataclass(frozen=True)
class FileLimits:
    """How long the work on the rows may take, and how large the file may be; 0 MiB is any size.

    seconds: of the processor, so that a busy machine makes nobody's file too long.
    """

    seconds: float
    size_mib: int


def write_csv(
    connection: sqlite3.Connection,
    statement: Statement,
    target: IO[bytes],
    limits: FileLimits,
    given_up: threading.Event,
    *,
    heading: bool = True,
    raw: bool = False,
) -> None:
    """Write every row that a statement gives, as RFC 4180 has it, in UTF-8.

    given_up: once set, it ends soon. raw: texts stay as they
    are that a spreadsheet takes for formulas. Raises ConfigError: the SQL fails, midway too, or a
    limit is passed; what was written until then is of no use.
    """
    deadline = time.thread_time() + limits.seconds
    connection.set_progress_handler(
        lambda: given_up.is_set() or time.thread_time() > deadline, _STEPS
    )
    cursor = connection.cursor()
    cursor.row_factory = None  # rows are tuples, which are read and written faster
    try:
        cursor.execute(statement.sql, statement.values)
        if heading:
            target.write(_lines([[column[0] for column in cursor.description or ()]], raw=raw))
        while rows := cursor.fetchmany(_BATCH):
            target.write(_lines(_with_blob_texts(cursor, rows, statement.blob_text), raw=raw))
            _check_size(target.tell(), limits)
    except (sqlite3.Error, sqlite3.Warning) as exc:
        raise ConfigError(_problem(exc, limits)) from exc
    finally:
        connection.set_progress_handler(None, _STEPS)


def _lines(rows: Sequence[Sequence[Any]], *, raw: bool) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows if raw else spreadsheet_rows(rows))
    return text.getvalue().encode()


def _with_blob_texts(
    cursor: sqlite3.Cursor, rows: list[tuple[Any, ...]], blob_text: BlobText
) -> Sequence[Sequence[Any]]:
    if bytes not in set(map(type, chain.from_iterable(rows))):
        return rows
    return [_with_blob_text(sqlite3.Row(cursor, row), blob_text) for row in rows]


def _with_blob_text(row: sqlite3.Row, blob_text: BlobText) -> list[Any]:
    cells = zip(row.keys(), row, strict=True)
    return [blob_text(row, *cell) if type(cell[1]) is bytes else cell[1] for cell in cells]


def _check_size(size_bytes: int, limits: FileLimits) -> None:
    if limits.size_mib and size_bytes > limits.size_mib * _MIB:
        raise ConfigError(
            f"this is more than {limits.size_mib:,} MiB of CSV. Choose less, or take it with "
            "`ingest export`; who runs the server sets the limit: --setting max_csv_mb"
        )


def _problem(exc: sqlite3.Error | sqlite3.Warning, limits: FileLimits) -> str:
    if str(exc) != "interrupted":
        return f"SQL: {exc}"
    return (
        f"these rows take more than {limits.seconds:g} s to read. Choose less, or take them with "
        "`ingest export`; who runs the server sets the limit, a tenth of it: "
        "--setting sql_time_limit_ms"
    )
