"""What `ingest compare --indicator` prints: a table up to each horizon, JSON, CSV."""

from __future__ import annotations

from typing import Any

import click

from ingest.commands.common.output import print_csv, print_json
from ingest.commands.common.runs import run_as_json
from ingest.commands.compare_table import comparison_table
from ingest.database.states import RunRef
from ingest.questions.caption import RunFacts
from ingest.questions.compare_indicators import IndicatorComparison
from ingest.questions.discount import percent_of, rate_words
from ingest.study.indicators import said_of
from ingest.text.numbers import at_most

_NAMED_COUNTRIES = 24


def print_by_indicator(
    found: IndicatorComparison,
    run: RunRef,
    limit: int | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Print the answer, and on stderr what a reader of the numbers has to know.

    limit: how many rows of each horizon.
    """
    tables = {until: [row for row in found.rows if row[0] == until] for until in found.horizons}
    rows = [row for of_horizon in tables.values() for row in of_horizon[:limit]]
    for note in found.notes:
        click.echo(f"({note})", err=True)
    if as_json:
        print_json(_as_json(found, run, rows))
    elif as_csv:
        click.echo(f"({_title(found, run)})", err=True)
        print_csv(found.columns, rows)
    else:
        texts = [_text(found, until, of[:limit]) for until, of in tables.items()]
        click.echo("\n\n".join([_title(found, run), *texts]))
    whole = sum(map(len, tables.values()))
    if len(rows) < whole:
        click.echo(f"(the first {len(rows):,} of {whole:,} rows; totals are over all)", err=True)


def _as_json(
    found: IndicatorComparison, run: RunRef, rows: list[tuple[Any, ...]]
) -> dict[str, Any]:
    request, indicator = found.request, found.indicator
    return {
        "baseline": request.baseline,
        "scenario": request.scenarios[-1],
        "indicator": said_of(indicator),
        "unit": found.unit,
        **run_as_json(run),
        "by": list(request.by),
        "countries": list(request.countries),
        "discount_rate_percent": percent_of(indicator.discount),
        "base_year": found.base_year if indicator.discount else None,
        **found.consistency.as_json(),
        "notes": list(found.notes),
        "rows": [dict(zip(found.columns, row, strict=True)) for row in rows],
        "totals": [dict(zip(found.columns, row, strict=True)) for row in found.totals],
    }


def _title(found: IndicatorComparison, run: RunRef) -> str:
    request, indicator = found.request, found.indicator
    parts = [f"{indicator.name}: {request.scenarios[-1]} against {request.baseline}", found.unit]
    if request.countries:
        parts.append(f"only {at_most(request.countries, _NAMED_COUNTRIES)}")
    if indicator.discount:
        rate = rate_words(indicator.discount)
        parts.append(f"discounted at {rate} a year to {found.base_year}")
    return " · ".join([*filter(None, parts), f"as of {RunFacts.of(run).words}"])


def _text(found: IndicatorComparison, until: int | None, rows: list[tuple[Any, ...]]) -> str:
    """The table up to one horizon, with "182 of 187" countries in one column."""
    request = found.request
    total = next((row for row in found.totals if row[0] == until), None)
    columns = found.columns[1:]
    shown = [row[1:] for row in rows]
    if request.by == ("total",):
        total = None
    last = None if total is None else total[1:]
    if "of_countries" in columns:
        at = columns.index("of_countries")
        columns = (*columns[:at], *columns[at + 1 :])
        shown = [_joined(row, at) for row in shown]
        last = None if last is None else _joined(last, at)
    text = comparison_table(columns, shown, (request.baseline, request.scenarios[-1]), last)
    return text if until is None else f"until {until}\n\n{text}"


def _joined(row: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    countries, whole = row[at - 1], row[at]
    count = countries if countries == whole else f"{countries:,} of {whole:,}"
    return (*row[: at - 1], count, *row[at + 1 :])
