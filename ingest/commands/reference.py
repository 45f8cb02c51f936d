"""`ingest reference`: published figures to hold results against."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from ingest.commands.common.context import database_path, study_options
from ingest.commands.common.words import some, table
from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading
from ingest.database.references import (
    read_known_names,
    read_references,
    replace_reference,
)
from ingest.errors import ConfigError
from ingest.questions.compare import DEFAULT_LABEL
from ingest.questions.reference import ReferenceTable, parse_column_mapping, parse_reference
from ingest.text.suggest import did_you_mean


@click.group()
def reference() -> None:
    """Load published figures, and list them.

    `ingest compare A B --reference NAME` shows them beside the results.
    """


@reference.command("load")
@click.argument("file", type=click.Path(path_type=Path))
@study_options
@click.option("--name", required=True, help="What to call this reference")
@click.option(
    "--label", default=DEFAULT_LABEL, show_default=True, help="Element label of the figures"
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN=SCENARIO",
    help="Which scenario a column is about; default: every column is named as its scenario is",
)
@click.option("--iso3-column", default="ISO3", show_default=True, help="Column of the countries")
@click.option("--wait", is_flag=True, help="Wait for a run on this database to end")
def load(
    file: Path,
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    name: str,
    label: str,
    columns: tuple[str, ...],
    iso3_column: str,
    wait: bool,
) -> None:
    """Load a CSV file with a row for each country and a column for each scenario.

    A figure is a scenario's impact in a country: the difference to a baseline, summed over the
    years. Numbers may have thousands commas, in quotes; zero and blank are no figure. Loading a
    name and label again replaces what was there.

    \b
    Example:
      ingest reference load impact.csv --name appendix3 --column CR1=asthma_cr1
    """
    figures = parse_reference(
        _read(file), file.name, parse_column_mapping(columns), iso3_column.strip()
    )
    name = name.strip()
    if not name:
        raise ConfigError("--name is empty: write what to call this reference")
    store = ValidationDatabase(database_path(study_path, database))
    with store.writing(wait=wait):
        with store.reading() as connection:
            scenarios, labels = read_known_names(connection)
        _check_known(figures, label, scenarios, labels)
        before = replace_reference(
            store.db, name, label, [(v.country, v.scenario, v.value) for v in figures.values]
        )
    baseline = "null" if "null" in scenarios else "BASELINE"
    _tell(figures, name, before, file, baseline)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror}") from exc


def _check_known(
    figures: ReferenceTable, label: str, scenarios: Sequence[str], labels: Sequence[str]
) -> None:
    """Refuse names that the database's runs do not have; before the first run there are none."""
    for scenario in figures.scenarios:
        if scenarios and scenario not in scenarios:
            hint = did_you_mean(scenario, scenarios)
            raise ConfigError(
                f"no scenario {scenario!r} in this database; say which one a column is about with "
                f"--column COLUMN=SCENARIO.{hint}"
            )
    if labels and label not in labels:
        hint = did_you_mean(label, labels) or f" There are {some(labels, 8)}"
        raise ConfigError(f"no label {label!r} in the results.{hint}")


def _tell(figures: ReferenceTable, name: str, before: int, file: Path, baseline: str) -> None:
    replaced = f", in place of {before:,}" if before else ""
    click.echo(
        f"{name}: {len(figures.values):,} figures from {file.name}{replaced}: "
        f"{len(figures.countries):,} countries, scenarios {', '.join(figures.scenarios)}",
        err=True,
    )
    if figures.without:
        cells = [f"{country} / {scenario}" for country, scenario in figures.without]
        click.echo(f"  {len(cells):,} zero or blank, so no figure: {some(cells)}", err=True)
    scenario = shlex.quote(figures.scenarios[0])
    click.echo(f"  ingest compare {baseline} {scenario} --reference {shlex.quote(name)}", err=True)


@reference.command("list")
@study_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
def list_references(
    study_path: str | None, database: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """List the references that are loaded."""
    with closing(open_for_reading(database_path(study_path, database))) as connection:
        references = read_references(connection)
    if as_json:
        click.echo(json.dumps(references, indent=2))
        return
    if not references:
        click.echo("No reference yet. Load one with: ingest reference load FILE --name NAME")
        return
    rows = [
        (
            entry["reference"],
            entry["element_label"],
            entry["scenario"],
            f"{entry['countries']:,}",
            f"{entry['total']:,.10g}",
        )
        for entry in references
    ]
    headers = ("reference", "label", "scenario", "countries", "total")
    click.echo(table(rows, headers, right=("countries", "total")))
