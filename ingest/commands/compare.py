"""`ingest compare`: one scenario against another, by country, year or group."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from ingest.commands.common.consistency import (
    only_consistent,
    refuse_inconsistent,
    show_consistency,
)
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import (
    Count,
    base_year_option,
    consistent_option,
    csv_option,
    discount_option,
    json_option,
    raw_option,
    require_consistent_option,
    run_option,
)
from ingest.commands.common.output import print_csv, print_json
from ingest.commands.common.runs import find_run, run_as_json
from ingest.commands.compare_indicator import print_by_indicator
from ingest.commands.compare_table import comparison_table
from ingest.database.labels import read_label
from ingest.database.references import DIFFERENCE, NOTHING_SAID, ReferenceFacts, read_facts
from ingest.database.states import RunRef
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.questions.caption import RunFacts
from ingest.questions.catalogue import load_canned_queries
from ingest.questions.compare import (
    CompareRequest,
    Comparison,
    compare_scenarios,
    countries_where,
    default_label,
    reference_label,
)
from ingest.questions.compare_indicators import IndicatorComparison, compare_indicator
from ingest.questions.compare_rows import is_number, sort_rows
from ingest.questions.discount import Bare, parse_rate, percent_of
from ingest.questions.reference_facts import (
    Compared,
    facts_as_json,
    read_contradictions,
    take_facts,
)
from ingest.questions.wording import over_countries_text
from ingest.text.numbers import at_most

_MEANING = ("unit", "sum_unit", "kind", "over_years", "over_countries", "better")
_YEARS = range(1900, 2301)


@click.command()
@click.argument("baseline", metavar="SCENARIO_A")
@click.argument("scenario", metavar="SCENARIO_B")
@study_options
@click.option("--label", help="Element label; default: Healthy Years Lived, else the first")
@click.option("--indicator", metavar="NAME", help="Compare by an indicator in place of a label")
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
@discount_option
@base_year_option
@click.option("--reference", metavar="NAME", help="Show the figures of a loaded reference too")
@run_option
@consistent_option
@require_consistent_option
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort by a column, largest first; -COLUMN for smallest first",
)
@click.option("--limit", "-n", type=Count(), help="Show at most this many rows")
@csv_option
@raw_option
@json_option
def compare(
    baseline: str,
    scenario: str,
    choice: StudyChoice,
    label: str | None,
    indicator: str | None,
    countries: tuple[str, ...],
    where: tuple[str, ...],
    by: tuple[str, ...],
    until_year: int | None,
    discount: str | None,
    base_year: int | None,
    reference: str | None,
    run_name: str | None,
    consistent: bool,
    require_consistent: bool,
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

    --indicator compares by an indicator of the study, up to each of its horizons: what it comes to
    under both scenarios, and the difference, or what B averts or gains where it is defined so.

    \b
    Examples:
      ingest compare null all_treatments
      ingest compare null all_treatments --by region --by income_group
      ingest compare null all_treatments --where region=Europe* --by income_group
      ingest compare null all_treatments --country KEN --by year --label DALYs
      ingest compare null all_treatments --until 2035 --discount 3% --sort difference --limit 10
      ingest compare null all_treatments --indicator 'Asthma deaths averted' --by region
      ingest compare null asthma_cr1 --reference appendix3
    """
    if indicator is not None and (label is not None or reference is not None):
        other = "--label" if label is not None else "--reference"
        raise ConfigError(f"--indicator and {other}: give one, a comparison is of one thing")
    if base_year is not None and discount is None and indicator is None:
        raise ConfigError("--base-year needs a rate: add --discount 3%")
    with choice.reading() as connection:
        run = find_run(connection, run_name or "latest")
        request = CompareRequest(
            baseline=baseline,
            scenario=scenario,
            label=indicator or _label(connection, label, reference, scenario),
            run_id=run.run_id,
            by=_names(by) or ("country",),
            countries=_countries(connection, countries, where),
            until_year=_until(until_year),
            discount_rate=parse_rate(discount or "0", "--discount", Bare.FRACTION),
            base_year=base_year,
            reference=reference,
            consistent=consistent or only_consistent(choice),
        )
        found: Comparison | IndicatorComparison
        beside = _Beside()
        if indicator is None:
            request, beside = _beside(connection, request, discount)
            found = compare_scenarios(connection, load_canned_queries(), request)
            beside = _checked(connection, found, beside)
        else:
            settings = choice.settings()[0] if choice.has_study else None
            definitions = read_definitions(connection, settings)
            rate = None if discount is None else request.discount_rate
            found = compare_indicator(connection, definitions, request, rate)
    if sort is not None:
        found = replace(found, rows=sort_rows(found.columns, found.rows, sort))
    if isinstance(found, Comparison):
        _tell(found, beside)
    show_consistency(found.consistency, request.consistent)
    if isinstance(found, Comparison):
        _print(found, run, limit, as_csv, as_json, beside)
    else:
        print_by_indicator(found, run, limit, as_csv, as_json)
    refuse_inconsistent(found.consistency, require_consistent)


def _label(
    connection: sqlite3.Connection, label: str | None, reference: str | None, scenario: str
) -> str:
    if reference is None:
        return default_label(connection, label)
    return reference_label(connection, reference, scenario, label)


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


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Values of an option that may be repeated or hold commas."""
    return tuple(name.strip() for part in given for name in part.split(",") if name.strip())


def _until(year: int | None) -> int | None:
    if year is not None and year not in _YEARS:
        raise ConfigError(f"--until {year}: years are {_YEARS[0]} to {_YEARS[-1]}")
    return year


# --- what a reference holds for ------------------------------------------------------------------


@dataclass(frozen=True)
class _Beside:
    """A reference beside the comparison: what it holds for, and what was taken of that.

    notes: what it holds for and the comparison does not.
    """

    facts: ReferenceFacts = NOTHING_SAID
    taken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """By the keys that the JSON of a comparison has."""
        return {
            "reference_holds_for": facts_as_json(self.facts),
            "reference_taken": list(self.taken),
            "reference_notes": list(self.notes),
        }


def _beside(
    connection: sqlite3.Connection, request: CompareRequest, discount: str | None
) -> tuple[CompareRequest, _Beside]:
    """The request with what the reference holds for, where nothing else was asked for."""
    if request.reference is None:
        return request, _Beside()
    label = read_label(connection, request.label, request.run_id)
    facts = read_facts(connection, request.reference, request.label, DIFFERENCE)
    rate = None if discount is None else request.discount_rate
    request, taken = take_facts(request, facts, label, rate)
    return request, _Beside(facts, taken)


def _checked(connection: sqlite3.Connection, comparison: Comparison, beside: _Beside) -> _Beside:
    request = comparison.request
    if request.reference is None:
        return beside
    compared = Compared.of(
        request.baseline, request.discount_rate, comparison.horizon, comparison.label
    )
    notes = read_contradictions(connection, request.reference, comparison.label, compared)
    return replace(beside, notes=notes)


# --- printing ------------------------------------------------------------------------------------


def _print(
    comparison: Comparison,
    run: RunRef,
    limit: int | None,
    as_csv: bool,
    as_json: bool,
    beside: _Beside,
) -> None:
    rows = comparison.rows[:limit]
    if as_json:
        print_json(_as_json(comparison, run, rows, beside))
    elif as_csv:
        click.echo(f"({_title(comparison, run)})", err=True)
        print_csv(comparison.columns, rows)
    else:
        click.echo(_title(comparison, run) + "\n")
        click.echo(_table(comparison, rows))
    if len(rows) < len(comparison.rows):
        message = f"(the first {len(rows):,} of {len(comparison.rows):,} rows"
        click.echo(f"{message}; totals are over all)", err=True)


def _tell(comparison: Comparison, beside: _Beside) -> None:
    """What a reader of the numbers has to know, on stderr."""
    lacking = comparison.lacking
    left_out = [country for country in comparison.left_out if country not in lacking]
    if left_out:
        message = "(left out, because they have only one of the two scenarios: "
        click.echo(f"{message}{at_most(left_out, 5)})", err=True)
    if lacking:
        message = f"(not in the total, because only {comparison.request.reference} has figures: "
        click.echo(f"{message}{at_most(lacking, 5)})", err=True)
    if beside.taken:
        name = comparison.request.reference
        click.echo(f"(as {name} is: {', '.join(beside.taken)})", err=True)
    for note in beside.notes:
        click.echo(f"(published figures: {note})", err=True)
    for note in comparison.horizon.notes:
        click.echo(f"(years: {note})", err=True)


def _as_json(
    comparison: Comparison, run: RunRef, rows: Sequence[Sequence[Any]], beside: _Beside
) -> dict[str, Any]:
    request, columns, horizon = comparison.request, comparison.columns, comparison.horizon
    total = dict(zip(columns, comparison.total or (), strict=False))
    return {
        "baseline": request.baseline,
        "scenario": request.scenario,
        "element_label": request.label,
        **run_as_json(run),
        "by": list(request.by),
        "countries": list(request.countries),
        "until_year": request.until_year,
        "first_year": horizon.years.first if horizon.years else None,
        "last_year": horizon.years.last if horizon.years else None,
        "horizon_notes": list(horizon.notes),
        "discount_rate_percent": percent_of(request.discount_rate),
        "base_year": horizon.base_year if request.discount_rate else None,
        "reference": request.reference,
        **(beside.as_json() if request.reference is not None else {}),
        "label": {k: v for k, v in vars(comparison.label).items() if k in _MEANING},
        "left_out": list(comparison.left_out),
        **comparison.consistency.as_json(),
        "no_results": list(comparison.lacking),
        "rows": [dict(zip(columns, row, strict=True)) for row in rows],
        "total": {name: value for name, value in total.items() if is_number(name)}
        | _counted(comparison),
    }


def _counted(comparison: Comparison) -> dict[str, int]:
    """How many of a reference's countries the total is over."""
    if comparison.request.reference is None:
        return {}
    countries = len(comparison.rows)
    lacking = len(comparison.lacking)
    return {"countries": countries - lacking, "reference_countries": countries}


def _title(comparison: Comparison, run: RunRef) -> str:
    request = comparison.request
    head = f"{request.label}: {request.scenario} against {request.baseline}"
    if request.reference is not None:
        head += f", beside {request.reference}"
    label = comparison.label
    unit = label.unit if "year" in request.by else label.unit_of_years
    parts = [head, *([unit] if unit else []), *comparison.conditions.parts]
    return " · ".join([*parts, f"as of {RunFacts.of(run).words}"])


def _table(comparison: Comparison, rows: Sequence[tuple[Any, ...]]) -> str:
    request = comparison.request
    total = None if request.by == ("total",) else comparison.total
    name = "mean" if over_countries_text(comparison.label) else "total"
    scenarios = request.baseline, request.scenario
    return comparison_table(comparison.columns, rows, scenarios, total, name)
