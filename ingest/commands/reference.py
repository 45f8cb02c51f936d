"""`ingest reference`: published figures to compare results with."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from ingest.commands.common.context import StudyChoice, gathered, study_options
from ingest.commands.common.options import json_option, table_options, wait_option
from ingest.commands.common.output import print_json, table
from ingest.commands.reference_fit import fit
from ingest.database import ValidationDatabase
from ingest.database.labels import read_label
from ingest.database.references import (
    FACTS,
    LEVEL,
    ReferenceFacts,
    read_known_names,
    read_references,
    replace_levels,
    replace_reference,
)
from ingest.errors import ConfigError
from ingest.questions.compare import DEFAULT_LABEL
from ingest.questions.discount import Bare, parse_rate, percent_of
from ingest.questions.reference import ReferenceTable, differences_in, open_figures
from ingest.questions.reference_facts import facts_words
from ingest.questions.reference_levels import (
    LevelTable,
    check_units,
    find_level_columns,
    levels_in,
)
from ingest.text.csv_rows import parse_column_mapping
from ingest.text.names import require_name
from ingest.text.numbers import at_most, count_text, years_text
from ingest.text.suggest import did_you_mean
from ingest.text.tables import TableChoice

_YEAR = click.IntRange(1900, 2300)


@click.group()
def reference() -> None:
    """Load and list published figures, and see how well the model fits them.

    `ingest compare A B --reference NAME` shows differences beside the results.

    \b
    Examples:
      ingest reference load impact.csv --name appendix3 --baseline null --discount 3%
      ingest reference load gbd.csv --name gbd2021 --source "GBD 2021"
      ingest reference list
      ingest reference fit gbd2021 --by region
    """


reference.add_command(fit)


def _facts(discount: str | None, **said: Any) -> ReferenceFacts:
    for name in ("currency", "source"):
        if said[name] is not None:
            require_name(f"--{name}", said[name])
    rate = None if discount is None else parse_rate(discount, "--discount", Bare.FRACTION)
    return ReferenceFacts(discount_rate=rate, **said)


facts_options = gathered(
    "facts",
    _facts,
    ("baseline", "discount", "until_year", "base_year", "currency", "currency_year", "source"),
    click.option("--baseline", metavar="SCENARIO", help="The scenario that differences are from"),
    click.option("--discount", metavar="RATE", help="The rate a year of the figures: 3% or 0.03"),
    click.option("--until", "until_year", type=_YEAR, metavar="YEAR", help="Last year of the sums"),
    click.option("--base-year", type=_YEAR, metavar="YEAR", help="The year discounted to"),
    click.option("--currency", metavar="NAME", help="Currency of the figures"),
    click.option("--currency-year", type=_YEAR, metavar="YEAR", help="Year of its prices"),
    click.option("--source", metavar="TEXT", help="Where the figures are from"),
)
"""What the figures hold for; the command gets it as `facts`, ReferenceFacts."""


@reference.command("load")
@click.argument("file", type=click.Path(path_type=Path))
@study_options
@click.option("--name", required=True, help="Name of this reference")
@click.option(
    "--label",
    help=f"Element label of the figures, where no column names it; default: {DEFAULT_LABEL}",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN=SCENARIO",
    help="Scenario of a column; default: the scenario with the name of the column. Of a table of "
    "levels NAME=COLUMN: a column that has another name in FILE",
)
@click.option("--iso3-column", default="ISO3", show_default=True, help="Column of the countries")
@facts_options
@table_options
@wait_option
def load(
    file: Path,
    choice: StudyChoice,
    name: str,
    label: str | None,
    columns: tuple[str, ...],
    iso3_column: str,
    facts: ReferenceFacts,
    table_choice: TableChoice,
    wait: bool,
) -> None:
    """Load published differences, or observed or published levels.

    FILE is CSV, as Excel or another program saves it, or a workbook. With a row for each country
    and a column for each scenario, a figure is a scenario's impact in a country: the difference to
    a baseline, summed over the years; zero and blank mean no figure. With the columns iso3, year,
    label and value, and perhaps low and high, source, unit and scenario, a row is a level: the
    value of a label in a country and year; blank means no figure.

    The options from --baseline to --source say what the figures hold for; it is kept and held
    against what they are compared with. Loading a name and label again replaces the figures.

    \b
    Examples:
      ingest reference load impact.csv --name appendix3 --column CR1=asthma_cr1 --until 2050
      ingest reference load gbd.csv --name gbd2021 --column label=cause --baseline null
    """
    require_name("--name", name)
    iso3_column = iso3_column.strip()
    mapping = parse_column_mapping(columns, "COLUMN=SCENARIO", "CR1=asthma_cr1")
    figures = open_figures(_read(file), file.name, table_choice)
    of_levels = find_level_columns(figures, mapping, iso3_column, label)
    found: LevelTable | ReferenceTable
    if of_levels is None:
        found = differences_in(figures, mapping, iso3_column, table_choice)
    else:
        found = levels_in(figures, of_levels, label, table_choice)
        _refuse_sums(facts)
    store = ValidationDatabase(choice.database_path())
    with store.writing(wait=wait):
        with store.reading() as connection:
            scenarios, _ = read_known_names(connection)
            _check_known(connection, found, label or DEFAULT_LABEL, facts)
            if isinstance(found, LevelTable):
                units = {each: read_label(connection, each).unit for each in found.labels}
                check_units(found.levels, units, file.name)
        if isinstance(found, LevelTable):
            before = replace_levels(store.db, name, found.levels, facts)
        else:
            rows = [(v.country, v.scenario, v.value) for v in found.values]
            before = replace_reference(store.db, name, label or DEFAULT_LABEL, rows, facts)
    if isinstance(found, LevelTable):
        _show_levels(found, name, before, file)
    else:
        baseline = facts.baseline or ("null" if "null" in scenarios else "BASELINE")
        _show_loaded(found, name, before, file, baseline)


def _refuse_sums(facts: ReferenceFacts) -> None:
    """Raise ConfigError for what a value of a single year cannot hold for."""
    options = {
        "--discount": facts.discount_rate,
        "--until": facts.until_year,
        "--base-year": facts.base_year,
    }
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise ConfigError(
            f"{given[0]}: these figures are of single years, neither summed nor discounted; "
            "leave it out"
        )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror}") from exc


def _check_known(
    connection: sqlite3.Connection,
    found: LevelTable | ReferenceTable,
    label: str,
    facts: ReferenceFacts,
) -> None:
    """Refuse names that the database's runs do not have; before the first run there are none."""
    scenarios, labels = read_known_names(connection)
    if isinstance(found, ReferenceTable):
        advice = "name the scenario of a column with --column COLUMN=SCENARIO."
        _refuse_unknown("scenario", found.scenarios, scenarios, f"in this database; {advice}")
        _refuse_unknown("label", [label], labels, "in the results.")
    else:
        of_file = sorted({level.scenario for level in found.levels if level.scenario})
        _refuse_unknown("scenario", of_file, scenarios, "in this database.")
        _refuse_unknown("label", found.labels, labels, "in the results.")
    if facts.baseline is not None:
        _refuse_unknown("scenario", [facts.baseline], scenarios, "in this database (--baseline).")


def _refuse_unknown(what: str, names: Iterable[str], known: Sequence[str], where: str) -> None:
    for name in names:
        if known and name not in known:
            hint = did_you_mean(name, known)
            if not hint and what == "label":
                hint = f" There are {at_most(known, 8)}"
            raise ConfigError(f"no {what} {name!r} {where}{hint}")


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


def _show_levels(found: LevelTable, name: str, before: int, file: Path) -> None:
    replaced = f", in place of {before:,}" if before else ""
    years = years_text({level.timestamp_year for level in found.levels})
    intervals = sum(level.low is not None for level in found.levels)
    click.echo(
        f"{name}: {count_text(len(found.levels), 'level')} from {file.name}{replaced}: "
        f"{count_text(len(found.countries), 'country|countries')}, {years}, {at_most(found.labels)}"
        f"; {intervals:,} with an interval",
        err=True,
    )
    if found.how_read:
        click.echo(f"  read with {found.how_read}", err=True)
    if found.blank:
        click.echo(f"  {count_text(found.blank, 'row')} without a value, so no figure", err=True)
    click.echo(f"  ingest reference fit {shlex.quote(name)}", err=True)


@reference.command("list")
@study_options
@json_option
def list_references(choice: StudyChoice, as_json: bool) -> None:
    """List the references that are loaded, and what they hold for.

    \b
    Examples:
      ingest reference list
      ingest reference list --json
    """
    with choice.reading() as connection:
        references = read_references(connection)
    if as_json:
        print_json([_entry_as_json(entry) for entry in references])
        return
    if not references:
        click.echo("No reference yet. Load one with: ingest reference load FILE --name NAME")
        return
    headers = (
        "reference",
        "label",
        "kind",
        "scenario",
        "countries",
        "figures",
        "total",
        "holds for",
    )
    rows = map(_listed, references)
    click.echo(table(rows, headers, right=("countries", "figures", "total")))


def _listed(entry: dict[str, Any]) -> tuple[str, ...]:
    is_level = entry["kind"] == LEVEL
    years = range(entry["first_year"], entry["last_year"] + 1) if is_level else range(0)
    facts = ReferenceFacts(**{name: entry[name] for name in FACTS})
    words = [years_text(years)] if years else []
    return (
        entry["reference"],
        entry["element_label"],
        entry["kind"],
        entry["scenario"],
        f"{entry['countries']:,}",
        f"{entry['figures']:,}",
        "" if is_level else f"{entry['total']:,.10g}",
        ", ".join([*words, *facts_words(facts)]) or "not said",
    )


def _entry_as_json(entry: dict[str, Any]) -> dict[str, Any]:
    rate = entry["discount_rate"]
    percent = None if rate is None else percent_of(rate)
    others = {name: value for name, value in entry.items() if name != "discount_rate"}
    return {**others, "discount_rate_percent": percent}
