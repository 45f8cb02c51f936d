"""`ingest compare`: one scenario against another, by country, year or group."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

import click

from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import csv_option, json_option, run_option
from ingest.commands.common.output import print_csv, print_json, table
from ingest.database.states import resolve_run
from ingest.errors import ConfigError
from ingest.questions.catalogue import load_canned_queries
from ingest.questions.compare import (
    CompareRequest,
    Comparison,
    compare_scenarios,
    countries_where,
    decimals,
    default_label,
    is_number,
    reference_label,
    sort_rows,
)
from ingest.questions.wording import countries_text, years_text
from ingest.text.numbers import at_most

_MEANING = ("unit", "sum_unit", "kind", "over_years", "over_countries", "better")
_YEARS = range(1900, 2301)


@click.command()
@click.argument("baseline", metavar="SCENARIO_A")
@click.argument("scenario", metavar="SCENARIO_B")
@study_options
@click.option("--label", help="Element label; default: Healthy Years Lived, else the first")
@click.option(
    "--country", "countries", multiple=True, metavar="ISO3,...", help="Only these countries"
)
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only countries of this group: region=Europe*; of several, all must hold",
)
@click.option(
    "--by",
    multiple=True,
    metavar="GROUP,...",
    help="country (default), year, total, region, income_group or any other column of the "
    "countries; several are nested",
)
@click.option("--until", "until_year", type=int, metavar="YEAR", help="Sum up to this year")
@click.option("--discount", metavar="RATE", help="Discount at a rate a year, such as 3%")
@click.option(
    "--base-year", type=int, metavar="YEAR", help="Discount to this year; default: the first"
)
@click.option("--reference", metavar="NAME", help="Show the figures of a loaded reference too")
@run_option
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort by a column, largest first; -COLUMN for smallest first",
)
@click.option("--limit", "-n", type=click.IntRange(min=1), help="Show at most this many rows")
@csv_option
@json_option
def compare(
    baseline: str,
    scenario: str,
    choice: StudyChoice,
    label: str | None,
    countries: tuple[str, ...],
    where: tuple[str, ...],
    by: tuple[str, ...],
    until_year: int | None,
    discount: str | None,
    base_year: int | None,
    reference: str | None,
    run_name: str | None,
    sort: str | None,
    limit: int | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Compare scenario B with scenario A, the baseline.

    Values are summed over the years that both scenarios have; of a stock or a share, the last of
    these years is shown, and the title says so. The difference is B - A, the percentage is of A.
    Values are those of the state as of --run (default: latest). CSV and JSON are not rounded; JSON
    has the total too.

    \b
    Examples:
      ingest compare null all_treatments
      ingest compare null all_treatments --by region --by income_group
      ingest compare null all_treatments --where region=Europe* --by income_group
      ingest compare null all_treatments --country KEN --by year --label DALYs
      ingest compare null all_treatments --until 2035 --discount 3% --sort difference --limit 10
      ingest compare null asthma_cr1 --reference appendix3
    """
    with choice.reading() as connection:
        request = CompareRequest(
            baseline=baseline,
            scenario=scenario,
            label=default_label(connection, label)
            if reference is None
            else reference_label(connection, reference, scenario, label),
            run_id=resolve_run(connection, run_name or "latest").run_id,
            by=_names(by) or ("country",),
            countries=_countries(connection, countries, where),
            until_year=_year("--until", until_year),
            discount_rate=parse_rate(discount),
            base_year=_base_year(base_year, discount),
            reference=reference,
        )
        comparison = compare_scenarios(connection, load_canned_queries(), request)
    if sort is not None:
        comparison = sort_rows(comparison, sort)
    if comparison.left_out:
        message = "(left out, because they have only one of the two scenarios: "
        click.echo(f"{message}{at_most(comparison.left_out, 5)})", err=True)
    _print(comparison, limit, as_csv, as_json)


def _countries(
    connection: sqlite3.Connection, countries: Sequence[str], where: Sequence[str]
) -> tuple[str, ...]:
    """The countries that --country and --where choose together; empty for all."""
    named = tuple(code.upper() for code in _names(countries))
    fitting = countries_where(connection, where)
    if not (named and fitting):
        return named or fitting
    both = tuple(code for code in named if code in fitting)
    if not both:
        raise ConfigError("no country of --country meets --where")
    return both


def parse_rate(text: str | None) -> float:
    """Percent a year in '3%', '3 %' or '3'; 0 for None. Raises ConfigError."""
    if text is None:
        return 0.0
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", text)
    if found is None or float(found[1]) >= 100:
        raise ConfigError(f"--discount {text}: write a rate a year from 0% to below 100%, as 3%")
    rate = float(found[1])
    if 0 < rate < 1 and not found[2]:
        raise ConfigError(
            f"--discount {text} could be {rate * 100:g}% or {rate:g}%: write the percent sign"
        )
    return rate


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Values of an option that may be repeated or hold commas."""
    return tuple(name.strip() for part in given for name in part.split(",") if name.strip())


def _year(option: str, year: int | None) -> int | None:
    if year is not None and year not in _YEARS:
        raise ConfigError(f"{option} {year}: years are {_YEARS[0]} to {_YEARS[-1]}")
    return year


def _base_year(year: int | None, discount: str | None) -> int | None:
    if year is not None and discount is None:
        raise ConfigError("--base-year needs a rate: add --discount 3%")
    return _year("--base-year", year)


# --- printing ------------------------------------------------------------------------------------


def _print(comparison: Comparison, limit: int | None, as_csv: bool, as_json: bool) -> None:
    rows = comparison.rows[:limit]
    if as_json:
        print_json(_as_json(comparison, rows))
    elif as_csv:
        print_csv(comparison.columns, rows)
    else:
        click.echo(_title(comparison))
        click.echo(_table(comparison, rows))
    if len(rows) < len(comparison.rows):
        message = f"(the first {len(rows):,} of {len(comparison.rows):,} rows"
        click.echo(f"{message}; totals are over all)", err=True)


def _as_json(comparison: Comparison, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    request, columns = comparison.request, comparison.columns
    total = dict(zip(columns, comparison.total or (), strict=False))
    return {
        "baseline": request.baseline,
        "scenario": request.scenario,
        "element_label": request.label,
        "run_id": request.run_id,
        "by": list(request.by),
        "countries": list(request.countries),
        "until_year": request.until_year,
        "discount_rate_percent": request.discount_rate,
        "base_year": request.base_year,
        "reference": request.reference,
        "label": {k: v for k, v in vars(comparison.label).items() if k in _MEANING},
        "left_out": list(comparison.left_out),
        "rows": [dict(zip(columns, row, strict=True)) for row in rows],
        "total": {name: value for name, value in total.items() if is_number(name)},
    }


def _title(comparison: Comparison) -> str:
    request = comparison.request
    parts = [f"{request.label}: {request.scenario} against {request.baseline}"]
    if request.reference is not None:
        parts[0] += f", beside {request.reference}"
    parts += _adding_up(comparison)
    if request.countries:
        parts.append(at_most(request.countries, 6))
    if request.until_year is not None:
        parts.append(f"until {request.until_year}")
    if request.discount_rate:
        base = f"to {request.base_year}" if request.base_year is not None else "to the first year"
        parts.append(f"discounted at {request.discount_rate:g} % {base}")
    return " · ".join([*parts, f"as of run {request.run_id}"]) + "\n"


def _adding_up(comparison: Comparison) -> list[str]:
    """In which unit, and how years and countries were added up where they are not summed."""
    label, by = comparison.label, comparison.request.by
    parts = [label.unit if "year" in by else label.unit_of_years]
    if label.over_years != "sum" and "year" not in by:
        parts.append(years_text(label, None, comparison.last_year))
    if comparison.total is not None or "country" not in by:
        parts.append(countries_text(label))
    return [part for part in parts if part]


def _headers(comparison: Comparison) -> list[str]:
    request = comparison.request
    shown = {
        "timestamp_year": "year",
        "baseline_value": request.baseline,
        "scenario_value": request.scenario,
        "percent": "%",
        "model_value": "value",
        "reference_value": "reference",
    }
    return [shown.get(column, column) for column in comparison.columns]


def _table(comparison: Comparison, rows: Sequence[Sequence[Any]]) -> str:
    """Rows and the total below them, each column with its own number of decimals."""
    numbered = list(rows)
    total = None if comparison.request.by == ("total",) else comparison.total
    if total is not None:
        numbered.append(total)
    cells = [
        _column(name, [row[position] for row in numbered])
        for position, name in enumerate(comparison.columns)
    ]
    lines = [list(line) for line in zip(*cells, strict=True)]
    if total is not None:
        lines[-1][0] = "mean" if countries_text(comparison.label) else "total"
    headers = _headers(comparison)
    columns = zip(headers, comparison.columns, strict=True)
    return table(lines, headers, right=[header for header, name in columns if is_number(name)])


_RATIO_PLACES = 3


def _column(name: str, values: Sequence[Any]) -> list[str]:
    if name == "timestamp_year" or not is_number(name):
        return ["" if value is None else str(value) for value in values]
    if name == "countries":
        return ["" if value is None else f"{value:,}" for value in values]
    places = _RATIO_PLACES if name == "ratio" else decimals(values, 3 if name == "percent" else 6)
    return ["n/a" if value is None else f"{value:z,.{places}f}" for value in values]
