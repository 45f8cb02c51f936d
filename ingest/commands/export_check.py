"""`ingest export --check`: what differs between CSV files and the database, as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ingest.commands.common.context import StudyChoice
from ingest.commands.common.output import print_json, table
from ingest.commands.common.runs import find_run, run_as_json
from ingest.database.choice import NameChoice
from ingest.database.states import RunRef
from ingest.errors import ConfigError
from ingest.exchange.csv_check import (
    CheckReport,
    Difference,
    DifferenceKind,
    check_files,
)
from ingest.text.numbers import count_text

_DIFFERENT = 3
_SHOWN = 20


def run_check(
    choice: StudyChoice,
    files: Sequence[str],
    run: str,
    names: NameChoice,
    show_all: bool,
    as_json: bool,
) -> None:
    """Compare files with the state as of a run and print it.

    Raises ConfigError; SystemExit with code 3 where there is a difference.
    """
    if not files:
        raise ConfigError("--check needs files: ingest export --check results/*.csv")
    with choice.reading() as connection:
        connection.execute("BEGIN")  # so that all files are compared with one moment
        chosen = find_run(connection, run)
        report = check_files(connection, chosen, [Path(file) for file in files], names)
    shown = report.differences if show_all else report.differences[:_SHOWN]
    if as_json:
        print_json(_as_json(chosen, report, shown))
    else:
        _show(report, shown)
    if report.differences:
        raise SystemExit(_DIFFERENT)


def _as_json(run: RunRef, report: CheckReport, shown: Sequence[Difference]) -> dict[str, object]:
    return {
        **run_as_json(run),
        "files": report.files,
        "equal": report.equal,
        **{kind.name.lower(): report.count(kind) for kind in DifferenceKind},
        "differences": [asdict(difference) for difference in shown],
    }


def _show(report: CheckReport, shown: Sequence[Difference]) -> None:
    files = count_text(report.files, "file")
    if not report.differences:
        numbers = count_text(report.equal, "number")
        click.echo(f"{files} and run {report.run_id} are equal: {numbers}", err=True)
        return
    headers = ("file", "job", "label", "year", "in the file", "in the database")
    rows = [
        (d.file, d.job, d.element_label, d.timestamp_year, _value(d.in_file), _value(d.in_database))
        for d in shown
    ]
    click.echo(table(rows, headers, right=("year", "in the file", "in the database")))
    counts = [f"{report.count(kind):,} {kind}" for kind in DifferenceKind if report.count(kind)]
    click.echo(
        f"{files} against run {report.run_id}: {report.equal:,} equal, {', '.join(counts)}",
        err=True,
    )
    if len(shown) < len(report.differences):
        click.echo(f"The first {len(shown)} are shown; every one: --all", err=True)


def _value(value: float | None) -> str:
    """Every digit: two numbers may differ only in the last one."""
    return "" if value is None else repr(value)
