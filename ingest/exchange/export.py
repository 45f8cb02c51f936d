"""Results as files for other tools: CSV, wide, IAMC, Parquet; written row by row, whole or not."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import TextIO

from ingest.database.choice import ResultRow
from ingest.database.read import read_study_name as study_of_run
from ingest.database.states import RunRef
from ingest.errors import ConfigError

UNKNOWN_UNIT = "unknown"
_PARQUET_ROWS = 100_000


def read_study_name(connection: sqlite3.Connection, run: RunRef) -> str:
    """The name of the study that a run was of; "unknown" where it was not recorded."""
    return study_of_run(connection, run.run_id) or "unknown"


def read_units(connection: sqlite3.Connection) -> dict[str, str]:
    """The unit of each label that has one, as the newest run's study says it."""
    rows = connection.execute("SELECT element_label, unit FROM labels WHERE unit <> ''")
    return dict(rows.fetchall())


# --- writers: rows in, text or bytes out --------------------------------------------------------


def write_csv(rows: Iterable[ResultRow], file: TextIO) -> int:
    """One row a number, under the names of ResultRow's fields; gives how many.

    Numbers are written so that they read back to the same bits.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(ResultRow._fields)
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def write_wide(rows: Iterable[ResultRow], years: Sequence[int], file: TextIO) -> int:
    """One row a series, a column a year; a year without a number stays blank."""
    head = ("country", "scenario", "element_label")
    return _write_series(rows, years, file, head, lambda series: series)


def write_iamc(
    rows: Iterable[ResultRow],
    years: Sequence[int],
    file: TextIO,
    *,
    model: str,
    units: Mapping[str, str],
) -> int:
    """The IAMC template: Model, Scenario, Region (ISO3), Variable (label), Unit and the years."""
    head = ("Model", "Scenario", "Region", "Variable", "Unit")
    return _write_series(
        rows,
        years,
        file,
        head,
        lambda series: (model, series[1], series[0], series[2], units.get(series[2], UNKNOWN_UNIT)),
    )


def _write_series(
    rows: Iterable[ResultRow],
    years: Sequence[int],
    file: TextIO,
    head: Sequence[str],
    cells: Callable[[tuple[str, str, str]], Sequence[str]],
) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, *years])
    count = 0
    for series, group in groupby(rows, key=lambda row: row[:3]):
        values = {row.timestamp_year: row.value for row in group}
        writer.writerow([*cells(series), *(values.get(year, "") for year in years)])
        count += len(values)
    return count


def write_parquet(rows: Iterable[ResultRow], path: Path) -> int:
    """The layout of write_csv as Parquet: three strings, int64 and double, none of them null.

    Raises ConfigError where pyarrow is not installed.
    """
    try:
        import pyarrow  # type: ignore[import-untyped]  # it brings no types
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as exc:
        raise ConfigError("pyarrow is not installed: pip install 'ingest[frames]'") from exc
    types = (pyarrow.string(),) * 3 + (pyarrow.int64(), pyarrow.float64())
    schema = pyarrow.schema(
        [
            pyarrow.field(name, kind, nullable=False)
            for name, kind in zip(ResultRow._fields, types, strict=True)
        ]
    )
    count = 0
    iterator = iter(rows)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(iterator, _PARQUET_ROWS)):
            arrays = [
                pyarrow.array(column, kind)
                for column, kind in zip(zip(*batch, strict=True), types, strict=True)
            ]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
            count += len(batch)
    return count


# --- files --------------------------------------------------------------------------------------
