"""`ingest import`: add runs, jobs and metrics recorded elsewhere to a results database."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import click

from ingest.changes.stored import store_changes
from ingest.clock import SystemClock
from ingest.commands.common.compared import comparison_rules
from ingest.commands.common.context import StudyChoice, load_plugins_of, study_options
from ingest.commands.common.options import table_options, wait_option
from ingest.commands.common.output import warn
from ingest.commands.common.progress import long_work
from ingest.commands.import_report import (
    apart_summary,
    bundle_notes,
    bundle_summary,
    jobs_notes,
    jobs_summary,
    metrics_summary,
)
from ingest.database import ValidationDatabase
from ingest.database.connection import Database
from ingest.database.files import DatabaseForm, connect_read_only, database_form
from ingest.database.imports import StudyNames, import_jobs
from ingest.database.other_series import OtherNumbers, keep_apart
from ingest.database.study_identity import claim, read_study_names
from ingest.errors import ConfigError, StudyError
from ingest.exchange.bundle import (
    FIRST,
    BundleError,
    checked_bundle,
    import_bundle,
    numbers_of_bundle,
)
from ingest.exchange.imported_records import Recorded
from ingest.exchange.job_list import read_job_list
from ingest.exchange.metric_files import (
    FileChoice,
    FileMetrics,
    parse_file_columns,
    read_metric_file,
)
from ingest.exchange.metric_import import match_jobs, numbers_of_files, store_metrics
from ingest.exchange.original import read_original
from ingest.study.study import load_study
from ingest.text.file_kind import HEAD_BYTES, other_kind
from ingest.text.names import require_name
from ingest.text.tables import ANY_TABLE, TableChoice

Compare = Callable[[Database, Iterable[int]], None]
"""Stores how runs moved results."""

_SQLITE_HEAD, _ZIP_HEAD = b"SQLite format 3\x00", b"PK"


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@study_options
@click.option("--metrics", is_flag=True, help="FILE... are tables of metrics")
@click.option("--country", metavar="ISO3", help="Country of the metrics, if no column names it")
@click.option("--scenario", metavar="NAME", help="Scenario of the metrics, if no column names it")
@click.option("--author", metavar="NAME", help="Only rows of this author, if there are several")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help="Column of the metrics that has another name in FILE; may be repeated",
)
@table_options
@click.option(
    "--as-study",
    metavar="NAME",
    help="Keep the numbers apart, as those of another study or source; no run is added",
)
@wait_option
def import_(
    files: tuple[Path, ...],
    choice: StudyChoice,
    metrics: bool,
    country: str | None,
    scenario: str | None,
    author: str | None,
    columns: tuple[str, ...],
    table_choice: TableChoice,
    as_study: str | None,
    wait: bool,
) -> None:
    """Add runs, jobs or metrics recorded elsewhere to a results database.

    FILE is a bundle of `ingest export --format bundle`, a database with the original three-table
    schema, a job list validation_results.csv, or with --metrics what `ingest export` writes in any
    other format, or a table (CSV as Excel or another program saves it, or a workbook) with the
    columns element_label (or metric), timestamp_year (or year, or a date timestamp), value, and
    perhaps country and scenario.

    All or nothing: a file that cannot be used changes nothing. The file itself is only read.
    Importing a file twice adds nothing. Runs of another study are refused, and so are metrics of
    combinations that the model has computed: --as-study keeps them beside the results.

    \b
    Examples:
      ingest import run.zip
      ingest import old/validation_results.db
      ingest import old/validation_results.csv
      ingest import --metrics by_hand.csv --country KEN --scenario null
      ingest import --metrics old/results/*.csv
      ingest import --metrics published.csv --column element_label=cause --as-study GBD-2021
    """
    target = ValidationDatabase(choice.database_path())
    names = _read_names(choice)
    with closing(target):
        of_metrics = (country, scenario, author, columns, table_choice != ANY_TABLE)
        if not metrics and any(of_metrics):
            raise ConfigError(
                "--country, --scenario, --author, --column, --sheet and --decimal need --metrics"
            )
        if not metrics and len(files) > 1:
            raise ConfigError("name one file; several files need --metrics")
        named = parse_file_columns(columns)
        of_files = FileChoice(country, scenario, author, named, table=table_choice)
        if as_study is not None:
            require_name("--as-study", as_study)
            numbers = _metrics_apart(files, of_files) if metrics else _file_apart(files[0])
            with numbers as found:
                _keep_apart(found, as_study, target, names, wait)
        elif metrics:
            _import_metrics(files, of_files, target, names, wait, _comparison(choice))
        else:
            study = None if choice.names_database else names.study
            _import_file(files[0], target, names, wait, study, _comparison(choice))


def _comparison(choice: StudyChoice) -> Compare:
    """What stores how the imported runs moved results, by the study's tolerances."""
    tolerances, ignore = comparison_rules(choice)
    return partial(store_changes, tolerances=tolerances, ignore=ignore)


@contextmanager
def _metrics_apart(files: Sequence[Path], choice: FileChoice) -> Iterator[Iterable[OtherNumbers]]:
    yield numbers_of_files(_read_metrics(files, choice))


@contextmanager
def _file_apart(file: Path) -> Iterator[Iterable[OtherNumbers]]:
    with _recorded(file) as recorded:
        if recorded is not None:
            numbers = recorded.numbers()
            if not numbers:
                raise ConfigError(f"{file} records no numbers, so there is nothing to keep apart")
            yield numbers
            return
        with checked_bundle(file) as excerpt:
            yield numbers_of_bundle(excerpt, file)


def _keep_apart(
    numbers: Iterable[OtherNumbers],
    study: str,
    target: ValidationDatabase,
    names: StudyNames,
    wait: bool,
) -> None:
    """Store numbers beside those of the study at hand, and say how to read them."""
    if not study:
        raise ConfigError("--as-study is empty: name the other study or source")
    with target.writing(wait=wait):
        if study in (*read_study_names(target.db.conn), names.study):
            raise ConfigError(
                f"--as-study {study}: {target.path} is of this study itself; leave it out"
            )
        done = keep_apart(target.db, study, numbers, SystemClock().timestamp())
    click.echo(apart_summary(done, study, target.path), err=True)


def _read_names(choice: StudyChoice) -> StudyNames:
    """Names of the study; none without a study, and a warning for one that cannot be read."""
    if not choice.has_study:
        return StudyNames()
    name = None
    try:
        settings, _ = choice.settings()
        name = settings.name
        study, _ = load_study(settings, load_plugins_of(settings).hook)
    except StudyError as exc:
        warn(f"names of countries and scenarios are left out, the study has an error: {exc}")
        return StudyNames(name)
    return StudyNames(study.name, study.countries, study.scenarios, study.labels)


def _import_file(
    file: Path,
    target: ValidationDatabase,
    names: StudyNames,
    wait: bool,
    study: str | None,
    compare: Compare,
) -> None:
    """Add what a file records; study: whose results a new database is meant for."""
    with _recorded(file) as recorded:
        if recorded is None:
            with long_work(f"importing {file}"):
                imported = import_bundle(file, target, study=study, wait=wait, compare=compare)
            click.echo(bundle_summary(imported, target.path), err=True)
            warn(*bundle_notes(imported))
            return
        if not recorded.runs:
            click.echo(f"Nothing to do: {file} records no job", err=True)
            return
        with target.writing(wait=wait), long_work(f"importing {file}"):
            _refuse_other_study(target, names)
            with target.db.atomic():
                report = import_jobs(target.db, recorded.runs, recorded.metrics, names)
                claim(target.db, names.study, SystemClock().timestamp(), FIRST)
                compare(target.db, report.touched)
            if report.has_changed:
                target.settle()
        click.echo(jobs_summary(report, recorded.job_count, file, target.path), err=True)
        warn(*recorded.warnings, *jobs_notes(report))


def _refuse_other_study(target: ValidationDatabase, names: StudyNames) -> None:
    """A file that does not say whose results it has is of the study at hand."""
    if names.study is not None:
        target.refuse_other_study(names.study)


def _recorded(file: Path) -> AbstractContextManager[Recorded | None]:
    """What a file of jobs records; None for a zip file. Raises ConfigError for other files."""
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror}") from exc
    if head.startswith(_SQLITE_HEAD):
        _refuse_other_databases(file)
        return read_original(file)
    if file.suffix.lower() == ".csv":
        return nullcontext(read_job_list(file))
    if not head.startswith(_ZIP_HEAD) and (kind := other_kind(head)):
        raise BundleError(f"{file} {kind}; nothing was changed")
    if not zipfile.is_zipfile(file):
        raise BundleError(f"{file} is not an ingest bundle, or truncated; nothing was changed")
    return nullcontext(None)


def _refuse_other_databases(file: Path) -> None:
    with closing(connect_read_only(file)) as connection:
        form = database_form(connection)
    if form in (DatabaseForm.CURRENT, DatabaseForm.OLDER):
        raise ConfigError(
            f"{file} is a results database, not a bundle. Make a bundle of a run with: "
            f"ingest export --database {file} -o run.zip"
        )
    if form is not DatabaseForm.ORIGINAL:
        raise ConfigError(f"{file} is a database that cannot be imported")


def _import_metrics(
    files: Sequence[Path],
    choice: FileChoice,
    target: ValidationDatabase,
    names: StudyNames,
    wait: bool,
    compare: Compare,
) -> None:
    read = _read_metrics(files, choice)
    if not target.path.exists():
        match_jobs(None, read)  # so that files without a job do not leave an empty database
    now = SystemClock().timestamp()
    with target.writing(wait=wait), long_work(f"storing {len(read):,} results"):
        _refuse_other_study(target, names)
        with target.reading() as connection:
            items = match_jobs(connection, read)
        with target.db.atomic():
            report = store_metrics(target.db, items, names, now)
            claim(target.db, names.study, now, FIRST)
            compare(target.db, report.touched)
        target.settle()
    click.echo(metrics_summary(report, target.path), err=True)


def _read_metrics(files: Sequence[Path], choice: FileChoice) -> list[FileMetrics]:
    found = [metrics for file in files for metrics in read_metric_file(file, choice)]
    for path, how_read in dict.fromkeys((file.path, file.how_read) for file in found):
        if how_read:
            click.echo(f"{path}: read with {how_read}", err=True)
    return found
