"""`ingest reference`: published figures to compare results with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import json_option, table_options, wait_option
from ingest.commands.common.output import print_json, table
from ingest.database import ValidationDatabase
from ingest.database.references import read_known_names, read_references, replace_reference
from ingest.errors import ConfigError
from ingest.questions.compare import DEFAULT_LABEL
from ingest.questions.reference import ReferenceTable, parse_reference
from ingest.text.csv_rows import parse_column_mapping
from ingest.text.names import require_name
from ingest.text.numbers import at_most
from ingest.text.suggest import did_you_mean
from ingest.text.tables import TableChoice


@click.group()
def reference() -> None:
    """Load and list published figures.

    `ingest compare A B --reference NAME` shows them beside the results.

    \b
    Examples:
      ingest reference load impact.csv --name appendix3
      ingest reference list
    """


@reference.command("load")
@click.argument("file", type=click.Path(path_type=Path))
@study_options
@click.option("--name", required=True, help="Name of this reference")
@click.option(
    "--label", default=DEFAULT_LABEL, show_default=True, help="Element label of the figures"
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN=SCENARIO",
    help="Scenario of a column; default: the scenario with the name of the column",
)
@click.option("--iso3-column", default="ISO3", show_default=True, help="Column of the countries")
@table_options
@wait_option
def load(
    file: Path,
    choice: StudyChoice,
    name: str,
    label: str,
    columns: tuple[str, ...],
    iso3_column: str,
    table_choice: TableChoice,
    wait: bool,
) -> None:
    """Load a table with a row for each country and a column for each scenario.

    FILE is CSV, as Excel or another program saves it, or a workbook. A figure is a scenario's
    impact in a country: the difference to a baseline, summed over the years. Zero and blank mean
    no figure. Loading a name and label again replaces the figures.

    \b
    Example:
      ingest reference load impact.csv --name appendix3 --column CR1=asthma_cr1
    """
    figures = parse_reference(
        _read(file),
        file.name,
        parse_column_mapping(columns, "COLUMN=SCENARIO", "CR1=asthma_cr1"),
        iso3_column.strip(),
        table_choice,
    )
    require_name("--name", name)
    store = ValidationDatabase(choice.database_path())
    with store.writing(wait=wait):
        with store.reading() as connection:
            scenarios, labels = read_known_names(connection)
        _check_known(figures, label, scenarios, labels)
        before = replace_reference(
            store.db, name, label, [(v.country, v.scenario, v.value) for v in figures.values]
        )
    baseline = "null" if "null" in scenarios else "BASELINE"
    _show_loaded(figures, name, before, file, baseline)


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
                f"no scenario {scenario!r} in this database; name the scenario of a column with "
                f"--column COLUMN=SCENARIO.{hint}"
            )
    if labels and label not in labels:
        hint = did_you_mean(label, labels) or f" There are {at_most(labels, 8)}"
        raise ConfigError(f"no label {label!r} in the results.{hint}")


def _show_loaded(
    figures: ReferenceTable, name: str, before: int, file: Path, baseline: str
) -> None:
    replaced = f", in place of {before:,}" if before else ""
    click.echo(
        f"{name}: {len(figures.values):,} figures from {file.name}{replaced}: "
        f"{len(figures.countries):,} countries, scenarios {', '.join(figures.scenarios)}",
        err=True,
    )
    if figures.how_read:
        click.echo(f"  read with {figures.how_read}", err=True)
    if figures.without:
        cells = [f"{country} / {scenario}" for country, scenario in figures.without]
        click.echo(f"  {len(cells):,} zero or blank, so no figure: {at_most(cells)}", err=True)
    scenario = shlex.quote(figures.scenarios[0])
    click.echo(f"  ingest compare {baseline} {scenario} --reference {shlex.quote(name)}", err=True)


@reference.command("list")
@study_options
@json_option
def list_references(choice: StudyChoice, as_json: bool) -> None:
    """List the references that are loaded.

    \b
    Examples:
      ingest reference list
      ingest reference list --json
    """
    with choice.reading() as connection:
        references = read_references(connection)
    if as_json:
        print_json(references)
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
