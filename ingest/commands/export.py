"""`ingest export`: the state as of a run as a file for other tools."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

import click

from ingest.commands.common.context import database_path, study_options
from ingest.commands.export_check import run_check
from ingest.database.choice import Chosen, choose_results, read_rows, read_years
from ingest.database.files import open_for_reading
from ingest.database.states import RunRef, resolve_run
from ingest.errors import ConfigError
from ingest.exchange.bundle import write_bundle
from ingest.exchange.csv_check import CheckChoice
from ingest.exchange.export import (
    read_study_name,
    read_units,
    write_csv,
    write_iamc,
    write_parquet,
    write_wide,
)
from ingest.exchange.whole_file import whole_file
from ingest.text.numbers import count_text

_FORMATS = ("csv", "wide", "iamc", "parquet", "bundle")
_BY_SUFFIX = {".parquet": "parquet", ".zip": "bundle"}
_STDOUT = "-"


@click.command()
@click.argument("names", nargs=-1, metavar="[RUN]")
@study_options
@click.option(
    "--format",
    "-f",
    "format_",
    type=click.Choice(_FORMATS),
    help="Default: by the file's ending (.parquet, .zip), else csv",
)
@click.option(
    "--output", "-o", default=_STDOUT, metavar="FILE", help="File, or - for standard output"
)
@click.option(
    "--countries",
    "-c",
    multiple=True,
    metavar="ISO3,...",
    help="Only these countries: ISO3 codes, comma lists, globs",
)
@click.option(
    "--scenarios",
    "-s",
    multiple=True,
    metavar="NAME,...",
    help="Only these scenarios: names, comma lists, globs",
)
@click.option(
    "--labels",
    "-l",
    multiple=True,
    metavar="LABEL,...",
    help="Only these element labels: names, comma lists, globs",
)
@click.option("--only-run", is_flag=True, help="Only what RUN executed itself, not the state")
@click.option("--force", is_flag=True, help="Overwrite FILE where it exists")
@click.option("--check", is_flag=True, help="Compare CSV files, named in place of RUN, with it")
@click.option("--run", "checked_run", metavar="RUN", help="With --check: as of it; default: latest")
@click.option("--all", "show_all", is_flag=True, help="With --check: every difference")
@click.option("--json", "as_json", is_flag=True, help="With --check: print the report as JSON")
def export(
    names: tuple[str, ...],
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    format_: str | None,
    output: str,
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    labels: tuple[str, ...],
    only_run: bool,
    force: bool,
    check: bool,
    checked_run: str | None,
    show_all: bool,
    as_json: bool,
) -> None:
    """Write the results as of a run to a file, or hold CSV files against them.

    RUN is a run's number, a tag, a commit, a date, `latest` or `previous`. What is written is the
    state as of it: for each combination the newest success by then.

    \b
    Formats:
      csv      country,scenario,element_label,timestamp_year,value
      wide     country,scenario,element_label and a column a year
      iamc     Model,Scenario,Region,Variable,Unit and a column a year
      parquet  the columns of csv
      bundle   a zip with everything about the run, for: ingest import FILE.zip

    \b
    Examples:
      ingest export -o results.csv
      ingest export previous --format wide --labels 'Healthy*'
      ingest export 7 --countries KEN,UGA -o results.parquet
      ingest export latest -o run.zip
      ingest export --check results/*.csv
    """
    if check:
        if format_ or output != _STDOUT or only_run or force:
            raise ConfigError(
                "--check writes no file: leave out --format, --output, --only-run, --force"
            )
        choice = CheckChoice(countries, scenarios, labels)
        path_of_database = database_path(study_path, database)
        run_check(path_of_database, names, checked_run or "latest", choice, show_all, as_json)
        return
    run = _only_run_name(names, checked_run, show_all or as_json)
    format_ = format_ or _BY_SUFFIX.get(Path(output).suffix.lower(), "csv")
    path = None if output == _STDOUT else Path(output)
    if path is None and format_ in ("parquet", "bundle"):
        raise ConfigError(f"--format {format_} needs a file: -o FILE")
    if format_ == "bundle" and (countries or scenarios or labels or only_run):
        raise ConfigError(
            "a bundle holds a whole run: leave out --countries, --scenarios, --labels, --only-run"
        )
    with closing(open_for_reading(database_path(study_path, database))) as connection:
        connection.execute("BEGIN")  # all that follows is of one moment, whatever is written
        chosen_run = resolve_run(connection, run)
        if format_ == "bundle":
            assert path is not None
            _export_bundle(connection, chosen_run, path, force)
            return
        chosen = choose_results(
            connection,
            chosen_run,
            only_run=only_run,
            countries=countries,
            scenarios=scenarios,
            labels=labels,
        )
        numbers = _export_rows(connection, chosen, format_, path, force)
    if path is not None:
        click.echo(
            f"{count_text(numbers, 'number')} of run {chosen_run.run_id} in {path}", err=True
        )


def _only_run_name(names: tuple[str, ...], checked_run: str | None, has_others: bool) -> str:
    """The one RUN of an export. Raises ConfigError for what belongs to --check."""
    if len(names) > 1:
        raise ConfigError(f"one RUN at a time, not {', '.join(names)}; files go with --check")
    if checked_run is not None or has_others:
        raise ConfigError("--run, --all and --json go with --check")
    return names[0] if names else "latest"


def _export_bundle(connection: sqlite3.Connection, run: RunRef, path: Path, force: bool) -> None:
    with whole_file(path, force=force) as temporary:
        manifest = write_bundle(connection, run, temporary)
    runs = count_text(len(manifest["runs"]), "run")
    sets = count_text(len(manifest["result_sets"]), "result set")
    click.echo(f"Run {run.run_id} in {path}: {runs}, {sets}", err=True)


def _export_rows(
    connection: sqlite3.Connection, chosen: Chosen, format_: str, path: Path | None, force: bool
) -> int:
    rows = read_rows(connection, chosen)
    if format_ == "parquet":
        assert path is not None
        with whole_file(path, force=force) as temporary:
            return write_parquet(rows, temporary)
    with _text_output(path, force) as file:
        if format_ == "csv":
            return write_csv(rows, file)
        years = read_years(connection, chosen)
        if format_ == "wide":
            return write_wide(rows, years, file)
        model = read_study_name(connection, chosen.run)
        units = read_units(connection)
        return write_iamc(rows, years, file, model=model, units=units)


@contextmanager
def _text_output(path: Path | None, force: bool) -> Iterator[TextIO]:
    """Standard output, or a file that is there when all of it is written."""
    if path is None:
        yield sys.stdout
        return
    with (
        whole_file(path, force=force) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file
