"""Results as files for other tools: the table of export formats, and how each is written."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TextIO

from ingest.database.choice import Chosen, MixedRow, ResultRow, read_rows, read_years
from ingest.database.indicators import IndicatorRequest, read_indicators, shown_rows
from ingest.database.read import read_study_name
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.exchange.bundle import write_bundle
from ingest.exchange.whole_file import OutputFile
from ingest.text.csv_rows import CsvWriter
from ingest.text.installation import not_installed
from ingest.text.numbers import count_text

Row = ResultRow | MixedRow
UNKNOWN = "unknown"
_PARQUET_ROWS = 100_000


def read_units(connection: sqlite3.Connection) -> dict[str, str]:
    """The unit of each label that has one, as in the newest run's study."""
    rows = connection.execute("SELECT element_label, unit FROM labels WHERE unit <> ''")
    return dict(rows.fetchall())


# --- writers: rows in, text or bytes out --------------------------------------------------------


def write_csv(
    rows: Iterable[Row],
    file: TextIO,
    columns: Sequence[str] = ResultRow._fields,
    *,
    raw: bool = False,
) -> int:
    """Write one row per number, under the names of its columns; returns how many.

    Numbers are written so that they read back to the same bits. raw: texts that a spreadsheet
    takes for a formula stay as they are.
    """
    writer = CsvWriter(file, raw=raw)
    writer.writerow(columns)
    return writer.writerows(rows)


def write_wide(
    rows: Iterable[Row],
    years: Sequence[int],
    file: TextIO,
    columns: Sequence[str] = ResultRow._fields,
    *,
    raw: bool = False,
) -> int:
    """Write one row per series, one column per year; a year without a number is blank."""
    head = (*columns[:3], *columns[5:])
    return _write_series(rows, years, CsvWriter(file, raw=raw), head, lambda series: series)


def write_iamc(
    rows: Iterable[Row],
    years: Sequence[int],
    file: TextIO,
    *,
    model: str,
    units: Mapping[str, str],
    raw: bool = False,
) -> int:
    """Write the IAMC template: Model, Scenario, Region (ISO3), Variable (label), Unit, years."""
    head = ("Model", "Scenario", "Region", "Variable", "Unit")
    return _write_series(
        rows,
        years,
        CsvWriter(file, raw=raw),
        head,
        lambda series: (model, series[1], series[0], series[2], units.get(series[2], UNKNOWN)),
    )


def _write_series(
    rows: Iterable[Row],
    years: Sequence[int],
    writer: CsvWriter,
    head: Sequence[str],
    cells: Callable[[tuple[Any, ...]], Sequence[Any]],
) -> int:
    writer.writerow([*head, *years])
    count = 0
    for series, group in groupby(rows, key=lambda row: (*row[:3], *row[5:])):
        values = {row.timestamp_year: row.value for row in group}
        writer.writerow([*cells(series), *(values.get(year, "") for year in years)])
        count += len(values)
    return count


def write_parquet(
    rows: Iterable[Row], path: Path, columns: Sequence[str] = ResultRow._fields
) -> int:
    """Write the columns of write_csv as Parquet: strings, int64 and double, no nulls.

    Raises ConfigError where pyarrow is not installed.
    """
    try:
        import pyarrow  # type: ignore[import-untyped]  # it brings no types
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as exc:
        raise ConfigError(not_installed("pyarrow", "frames")) from exc
    types = ((pyarrow.string(),) * 3 + (pyarrow.int64(), pyarrow.float64(), pyarrow.int64()))[
        : len(columns)
    ]
    schema = pyarrow.schema(
        [
            pyarrow.field(name, kind, nullable=False)
            for name, kind in zip(columns, types, strict=True)
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


# --- the formats --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExportFormat:
    """One form of `ingest export`: everything the command needs to offer and write it.

    help: its line in the command's help. suffixes: file endings that choose it.
    write_text writes to a text stream (its last argument: raw, as write_csv has it), write_file
    (in its place) to a path, so a file is needed; both return what was written, in words.
    is_whole_run: part of a run cannot be written.
    """

    name: str
    help: str
    write_text: Callable[[sqlite3.Connection, Chosen, TextIO, bool], str] | None = None
    write_file: Callable[[sqlite3.Connection, Chosen, Path], str] | None = None
    suffixes: tuple[str, ...] = ()
    is_whole_run: bool = False

    @property
    def endings(self) -> tuple[str, ...]:
        """What the names of its files end in."""
        return self.suffixes or (".csv",)

    @property
    def needs_file(self) -> bool:
        """Whether it cannot be written to standard output."""
        return self.write_text is None

    def write(
        self,
        connection: sqlite3.Connection,
        chosen: Chosen,
        output: OutputFile | None,
        *,
        raw: bool = False,
    ) -> str:
        """Write to a file, whole or not at all, or (output None) to standard output.

        Raises ConfigError where the file may not or cannot be written.
        """
        if output is None:
            assert self.write_text is not None, f"{self.name} needs a file"
            return self.write_text(connection, chosen, sys.stdout, raw)
        with output.whole() as temporary:
            if self.write_text is None:
                assert self.write_file is not None
                return self.write_file(connection, chosen, temporary)
            with temporary.open("w", encoding="utf-8", newline="") as file:
                return self.write_text(connection, chosen, file, raw)


def _numbers(count: int) -> str:
    return count_text(count, "number")


def _write_wide(connection: sqlite3.Connection, chosen: Chosen, file: TextIO, raw: bool) -> str:
    rows, years = read_rows(connection, chosen), read_years(connection, chosen)
    return _numbers(write_wide(rows, years, file, chosen.columns, raw=raw))


def _write_iamc(connection: sqlite3.Connection, chosen: Chosen, file: TextIO, raw: bool) -> str:
    rows, years = read_rows(connection, chosen), read_years(connection, chosen)
    model = read_study_name(connection, chosen.run.run_id) or UNKNOWN
    model += " (mixed inputs)" if chosen.is_mixed else ""
    units = read_units(connection)
    return _numbers(write_iamc(rows, years, file, model=model, units=units, raw=raw))


INDICATOR_COLUMNS = ("country", "scenario", "indicator", "until_year", "value", "unit", "note")


def _write_indicators(
    connection: sqlite3.Connection, chosen: Chosen, file: TextIO, raw: bool
) -> str:
    """Every indicator of the chosen countries and scenarios; labels do not choose among them."""
    definitions = chosen.definitions or read_definitions(connection, None)
    if not definitions.indicators:
        raise ConfigError("this study has no indicators: write [[indicators]] in ingest.toml")
    scenarios, countries = chosen.names
    request = IndicatorRequest(
        run_id=chosen.run.run_id,
        baseline=definitions.baseline,
        scenarios=tuple(scenarios),
        countries=tuple(countries),
        consistent=chosen.is_consistent,
    )
    table = read_indicators(connection, definitions.indicators, request)
    writer = CsvWriter(file, raw=raw)
    writer.writerow(INDICATOR_COLUMNS)
    rows = shown_rows(table, table.rows)
    for row in rows:
        writer.writerow(
            [*row.group, row.scenario, row.indicator, row.until, row.value, row.unit, row.note]
        )
    return _numbers(len(rows))


def _write_bundle(connection: sqlite3.Connection, chosen: Chosen, path: Path) -> str:
    manifest = write_bundle(connection, chosen.run, path)
    runs = count_text(len(manifest["runs"]), "run")
    return f"{runs}, {count_text(len(manifest['result_sets']), 'result set')}"


_ALL = (
    ExportFormat(
        "csv",
        "country,scenario,element_label,timestamp_year,value",
        lambda connection, chosen, file, raw: _numbers(
            write_csv(read_rows(connection, chosen), file, chosen.columns, raw=raw)
        ),
    ),
    ExportFormat(
        "wide", "country,scenario,element_label and one column for each year", _write_wide
    ),
    ExportFormat(
        "iamc", "Model,Scenario,Region,Variable,Unit and one column for each year", _write_iamc
    ),
    ExportFormat(
        "parquet",
        "the columns of csv",
        write_file=lambda connection, chosen, path: _numbers(
            write_parquet(read_rows(connection, chosen), path, chosen.columns)
        ),
        suffixes=(".parquet",),
    ),
    ExportFormat("indicators", ",".join(INDICATOR_COLUMNS), _write_indicators),
    ExportFormat(
        "bundle",
        "a zip with everything about the run, for: ingest import FILE.zip",
        write_file=_write_bundle,
        suffixes=(".zip",),
        is_whole_run=True,
    ),
)
FORMATS = {form.name: form for form in _ALL}
"""The export formats by name; the first is the default."""


def format_of(path: Path | None) -> ExportFormat:
    """The format that a file's ending chooses, else the default."""
    suffix = path.suffix.lower() if path else ""
    return next((form for form in _ALL if suffix in form.suffixes), _ALL[0])
