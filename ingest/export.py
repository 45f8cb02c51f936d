"""Results as files for other tools: CSV, wide, IAMC, Parquet; written row by row, whole or not."""

from __future__ import annotations

import csv
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple, TextIO

from ingest.errors import ConfigError
from ingest.plan import select_names
from ingest.states import RunRef, make_state_table

UNKNOWN_UNIT = "unknown"
_PARQUET_ROWS = 100_000


class ResultRow(NamedTuple):
    """One number of a state; the fields are the columns of the CSV layout."""

    country: str
    scenario: str
    element_label: str
    timestamp_year: int
    value: float


@dataclass(frozen=True)
class ExportJob:
    """One combination whose numbers are exported, and where they are stored."""

    country: str
    scenario: str
    result_set_id: int


@dataclass(frozen=True)
class Chosen:
    """What to export: combinations sorted by country and scenario, and labels (None: all)."""

    run: RunRef
    jobs: tuple[ExportJob, ...]
    labels: tuple[str, ...] | None = None


def choose_results(
    connection: sqlite3.Connection,
    run: RunRef,
    *,
    only_run: bool = False,
    countries: Sequence[str] = (),
    scenarios: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Chosen:
    """What the state as of a run holds of the chosen names (comma lists and globs; empty: all).

    only_run: of what that run executed itself.
    Raises ConfigError: a name that matches nothing, or nothing is left to export.
    """
    jobs = _read_jobs(connection, run, only_run)
    if not jobs:
        whose = "of its own" if only_run else "as of it"
        raise ConfigError(f"run {run.run_id} has no success {whose}: there is nothing to export")
    kept_countries = set(select_names(countries, sorted({j.country for j in jobs}), "country"))
    kept_scenarios = set(select_names(scenarios, sorted({j.scenario for j in jobs}), "scenario"))
    chosen = tuple(j for j in jobs if j.country in kept_countries and j.scenario in kept_scenarios)
    kept_labels = tuple(choose_labels(connection, labels)) if labels else None
    result = Chosen(run, chosen, kept_labels)
    if next(read_rows(connection, result), None) is None:
        raise ConfigError(f"run {run.run_id} has no number of this choice: nothing to export")
    return result


def _read_jobs(
    connection: sqlite3.Connection, run: RunRef, only_run: bool
) -> tuple[ExportJob, ...]:
    columns = "country, scenario, result_set_id"
    if only_run:
        rows = connection.execute(
            f"""SELECT {columns} FROM job_results
                 WHERE run_id = ? AND job_status = 'success' AND result_set_id IS NOT NULL
                 ORDER BY country, scenario""",
            [run.run_id],
        )
    else:
        make_state_table(connection, "export_state", run.run_id)
        rows = connection.execute(
            f"""SELECT {columns} FROM export_state WHERE result_set_id IS NOT NULL
                 ORDER BY country, scenario"""
        )
    return tuple(ExportJob(*row) for row in rows)


def choose_labels(connection: sqlite3.Connection, patterns: Sequence[str]) -> list[str]:
    """The labels in the database that patterns choose; a label that holds commas is one name.

    Raises ConfigError: a name that matches nothing.
    """
    rows = connection.execute("SELECT element_label FROM elements ORDER BY element_label")
    known = [label for (label,) in rows]
    whole = {pattern.strip() for pattern in patterns} & set(known)
    others = [pattern for pattern in patterns if pattern.strip() not in whole]
    if whole and not others:
        return [label for label in known if label in whole]
    chosen = whole | set(select_names(others, known, "label"))
    return [label for label in known if label in chosen]


def read_rows(connection: sqlite3.Connection, chosen: Chosen) -> Iterator[ResultRow]:
    """The chosen numbers, one job in memory at a time, sorted by the columns in their order."""
    condition, values = _label_condition(chosen.labels)
    for job in chosen.jobs:
        rows = connection.execute(
            f"""SELECT e.element_label, m.timestamp_year, m.value
                  FROM metric_values AS m JOIN elements AS e ON e.element_id = m.element_id
                 WHERE m.result_set_id = ? {condition} ORDER BY 1, 2""",
            [job.result_set_id, *values],
        ).fetchall()
        for label, year, value in rows:
            yield ResultRow(job.country, job.scenario, label, year, value)


def _label_condition(labels: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    if labels is None:
        return "", ()
    marks = ", ".join("?" for _ in labels)
    return f"AND e.element_label IN ({marks})", labels


def read_years(connection: sqlite3.Connection, chosen: Chosen) -> list[int]:
    """The years that the chosen numbers have, sorted."""
    condition, values = _label_condition(chosen.labels)
    years: set[int] = set()
    for set_id in {job.result_set_id for job in chosen.jobs}:
        years |= {
            year
            for (year,) in connection.execute(
                f"""SELECT DISTINCT m.timestamp_year
                      FROM metric_values AS m JOIN elements AS e ON e.element_id = m.element_id
                     WHERE m.result_set_id = ? {condition}""",
                [set_id, *values],
            )
        }
    return sorted(years)


def read_study_name(connection: sqlite3.Connection, run: RunRef) -> str:
    """The name of the study that a run was of; "unknown" where it was not recorded."""
    row = connection.execute(
        "SELECT study FROM validation_runs WHERE run_id = ?", [run.run_id]
    ).fetchone()
    return (row[0] if row else None) or "unknown"


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


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise ConfigError where a file would be overwritten, or there is no folder for it."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file with --output")
    if path.exists() and not force:
        raise ConfigError(f"{path} exists; overwrite it with --force, or name another file")
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} for {path.name}")


@contextmanager
def whole_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place at the end; nothing on a failure.

    Raises ConfigError as refuse_existing does, or where the folder cannot be written to.
    """
    refuse_existing(path, force=force)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        refuse_existing(path, force=force)  # it may have come to be meanwhile
        temporary.replace(path)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror or exc}") from exc
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
