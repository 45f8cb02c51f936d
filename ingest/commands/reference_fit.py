"""`ingest reference fit`: how well results fit observed or published levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from ingest.commands.common.consistency import only_consistent, show_consistency
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import (
    consistent_option,
    csv_option,
    json_option,
    raw_option,
    run_option,
)
from ingest.commands.common.output import print_csv, print_json, table
from ingest.commands.common.runs import find_run, run_as_json
from ingest.database.states import RunRef
from ingest.questions.caption import RunFacts
from ingest.questions.model_fit import Fit, FitRequest, LabelFit, fit_reference
from ingest.text.numbers import (
    at_most,
    count_text,
    percent_text,
    shared_decimals,
    table_number,
    years_text,
)

_MEASURES = (
    "figures", "bias", "relative_bias_percent", "rmse", "inside", "with_interval",
    "inside_percent", "lacking",
)  # fmt: skip
_NAMED = 5


@click.command("fit")
@click.argument("name")
@study_options
@click.option("--scenario", metavar="NAME", help="Scenario of the results; default: of the levels")
@click.option("--label", metavar="LABEL", help="Only this label")
@click.option(
    "--by",
    multiple=True,
    metavar="GROUP,...",
    help="Also for each region, income_group, country, year or other group; several are nested",
)
@run_option
@consistent_option
@csv_option
@raw_option
@json_option
def fit(
    name: str,
    choice: StudyChoice,
    scenario: str | None,
    label: str | None,
    by: tuple[str, ...],
    run_name: str | None,
    consistent: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """How well results fit the levels of a reference: bias, RMSE, share inside the interval.

    For each label, over its countries and years: the mean of result - level, the mean of that as a
    part of the level, the root mean square error, and how many results lie within the interval of
    their level. Levels without a scenario are held against --baseline of their load, else the
    study's baseline. Levels that the results lack are counted and named.

    \b
    Examples:
      ingest reference fit gbd2021
      ingest reference fit gbd2021 --label Deaths --by region,income_group --csv
    """
    groups = tuple(part.strip() for each in by for part in each.split(",") if part.strip())
    with choice.reading() as connection:
        run = find_run(connection, run_name or "latest")
        request = FitRequest(
            reference=name,
            run_id=run.run_id,
            scenario=scenario,
            label=label,
            by=groups,
            consistent=consistent or only_consistent(choice),
        )
        fits, consistency = fit_reference(connection, request)
    shown = tuple(group for group in groups if group != "total")
    if as_json:
        print_json({
            "reference": name,
            **run_as_json(run),
            "by": list(shown),
            **consistency.as_json(),
            "labels": [_as_json(each, shown) for each in fits],
        })  # fmt: skip
    elif as_csv:
        print_csv(("label", "scenario", *shown, *_MEASURES), _csv_rows(fits))
    else:
        click.echo("\n\n".join(_text(name, each, shown, run) for each in fits))
    _tell(fits)
    show_consistency(consistency, request.consistent)


def _measures(found: Fit) -> dict[str, Any]:
    """The numbers of a fit by _MEASURES, not rounded."""
    relative, inside = found.relative_bias, found.inside_share
    return {
        "figures": found.figures,
        "bias": found.bias,
        "relative_bias_percent": None if relative is None else 100 * relative,
        "rmse": found.rmse,
        "inside": found.inside,
        "with_interval": found.with_interval,
        "inside_percent": None if inside is None else 100 * inside,
        "lacking": found.lacking,
    }


def _as_json(each: LabelFit, by: Sequence[str]) -> dict[str, Any]:
    return {
        "element_label": each.label.element_label,
        "unit": each.label.unit,
        "scenario": each.scenario,
        "total": _measures(each.total),
        "groups": [
            {**dict(zip(by, names, strict=True)), **_measures(found)}
            for names, found in each.groups.items()
        ],
        "no_results": [{"country": country, "year": year} for country, year in each.lacking],
        "reference_notes": list(each.notes),
    }


def _csv_rows(fits: Sequence[LabelFit]) -> Iterator[list[Any]]:
    """A row for each group; for each label where there are none."""
    for each in fits:
        for names, found in (each.groups or {(): each.total}).items():
            yield [each.label.element_label, each.scenario, *names, *_measures(found).values()]


def _text(name: str, each: LabelFit, by: Sequence[str], run: RunRef) -> str:
    facts = [*each.groups.values(), each.total]
    numbers = [value for found in facts for value in (found.bias, found.rmse) if value is not None]
    decimals = shared_decimals(numbers)
    names = [*each.groups, ("total",) + ("",) * (len(by) - 1)] if by else [()]
    rows = [
        [*group, *_cells(found, decimals)] for group, found in zip(names, facts, strict=True)
    ]  # fmt: skip
    measures = ["figures", "bias", "relative", "RMSE", "inside the interval", "lacking"]
    unit = f" · {each.label.unit}" if each.label.unit else ""
    title = f"{each.label.element_label}: {each.scenario} against {name}{unit}"
    shown = table(rows, [*by, *measures], right=measures)
    return f"{title} · as of {RunFacts.of(run).words}\n\n{shown}"


def _cells(found: Fit, decimals: int) -> list[str]:
    inside = ""
    if found.inside_share is not None:
        share = f"{100 * found.inside_share:.0f} %"
        inside = f"{found.inside:,} of {found.with_interval:,} ({share})"
    return [
        f"{found.figures:,}",
        "" if found.bias is None else table_number(found.bias, decimals, signed=True),
        "" if found.relative_bias is None else percent_text(found.relative_bias),
        "" if found.rmse is None else table_number(found.rmse, decimals),
        inside,
        f"{found.lacking:,}" if found.lacking else "",
    ]


def _tell(fits: Sequence[LabelFit]) -> None:
    """What a reader of the numbers has to know, on stderr."""
    for each in fits:
        label = each.label.element_label
        if each.lacking:
            years: dict[str, list[int]] = {}
            for country, year in each.lacking:
                years.setdefault(country, []).append(year)
            told = [f"{country} {years_text(found)}" for country, found in years.items()]
            count = count_text(len(each.lacking), "figure")
            message = f"({label}: the results of {each.scenario} lack {count}: "
            click.echo(f"{message}{at_most(told, _NAMED, '; ')})", err=True)
        for note in each.notes:
            click.echo(f"({label}: {note})", err=True)
