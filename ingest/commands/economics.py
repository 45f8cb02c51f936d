"""`ingest economics`: cost-effectiveness and investment cases of all scenarios."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ingest.commands.common.consistency import (
    only_consistent,
    refuse_inconsistent,
    show_consistency,
)
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import (
    consistent_option,
    countries_option,
    csv_option,
    force_option,
    json_option,
    raw_option,
    require_consistent_option,
    scenarios_option,
)
from ingest.commands.common.output import print_csv, print_json, text_table
from ingest.commands.common.runs import find_run, run_as_json
from ingest.database.consistency import read_consistency
from ingest.database.kept_economics import read_kept_economics
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.questions.economics import (
    COUNTRY,
    TOTAL,
    Economics,
    EconomicsRequest,
    read_economics_of,
)
from ingest.questions.economics_tables import (
    LEGEND,
    evaluation_table,
    investment_tables,
    title,
    worth_notes,
    years_table,
)
from ingest.questions.evaluation import Evaluation, evaluate, evaluation_rows, flat_row
from ingest.questions.investment import (
    InvestmentCase,
    cases_by_group,
    investment_cases,
    plain_row,
    summary_rows,
    year_rows,
)
from ingest.study.country_values import read_country_values
from ingest.text.numbers import at_most


@click.command()
@click.argument("run_name", default="latest", metavar="[RUN]")
@study_options
@click.option(
    "--by",
    multiple=True,
    metavar="GROUP,...",
    help="total (default), country (default with --countries), region, income_group or any other "
    "column of the countries; of several, each has tables of its own",
)
@countries_option
@scenarios_option
@click.option("--undiscounted", is_flag=True, help="Discount neither costs nor effects")
@click.option("--investment-case", is_flag=True, help="What the scenarios cost and bring in money")
@click.option("--years", "show_years", is_flag=True, help="The investment case year by year")
@consistent_option
@require_consistent_option
@csv_option
@raw_option
@json_option
@click.option("--xlsx", metavar="FILE", help="Write an Excel workbook")
@force_option
def economics(
    run_name: str,
    choice: StudyChoice,
    by: tuple[str, ...],
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    undiscounted: bool,
    investment_case: bool,
    show_years: bool,
    consistent: bool,
    require_consistent: bool,
    as_csv: bool,
    as_json: bool,
    xlsx: str | None,
    force: bool,
) -> None:
    """Show what scenarios cost for what they achieve, and which are worth it.

    [economics] of ingest.toml says what counts as cost and as effect, the baseline, the discount
    rates, the years and the thresholds; --set changes one of them for once. RUN is a run's number,
    a tag, a commit, a date, `latest` (default) or `previous`. CSV and JSON are not rounded.

    Cost and effect are sums over the years. Each scenario is held against the baseline, and
    against the next cheaper one on the efficiency frontier; what is dominated has no ratio there.
    With --investment-case, benefits are money: discounted and not, up to each horizon.

    \b
    Examples:
      ingest economics
      ingest economics --countries KEN,UGA
      ingest economics --by region,income_group,total --xlsx economics.xlsx
      ingest economics --set economics.discount_effect=0
      ingest economics --investment-case --by income_group
      ingest economics --investment-case --countries KEN --scenarios clean_air --years
    """
    if show_years and not investment_case:
        raise ConfigError("--years goes with --investment-case")
    if undiscounted and investment_case:
        raise ConfigError("--investment-case shows both, discounted and not: no --undiscounted")
    file = None if xlsx is None else choice.output(xlsx, ".xlsx", force=force)
    with choice.reading() as connection:
        request = EconomicsRequest(
            run=find_run(connection, run_name),
            by=_names(by) or ((COUNTRY,) if countries else (TOTAL,)),
            countries=countries,
            scenarios=scenarios,
            is_discounted=not undiscounted,
            consistent=consistent or only_consistent(choice),
        )
        found = _read(connection, choice, request, needs_benefits=investment_case)
        scenarios_read = (found.baseline, *found.scenarios)
        consistency = read_consistency(
            connection, request.run.run_id, scenarios_read, tuple(found.complete)
        )
    _tell(found)
    show_consistency(consistency, request.consistent)
    head = {**run_as_json(request.run), **_head(found), **consistency.as_json()}
    if file is not None:
        with file.whole() as temporary:
            _write_workbook(temporary, found, consistency.warning, investment_case)
        click.echo(f"Run {request.run.run_id} in {file.path}", err=True)
    elif investment_case:
        _print_cases(found, investment_cases(found), head, show_years, as_csv, as_json)
    else:
        _print_evaluations(found, evaluate(found), head, as_csv, as_json)
    refuse_inconsistent(consistency, require_consistent)


def _read(
    connection: sqlite3.Connection,
    choice: StudyChoice,
    request: EconomicsRequest,
    *,
    needs_benefits: bool,
) -> Economics:
    """The state, with [economics] of the study at hand, else as its newest run kept it."""
    settings = choice.settings()[0] if choice.has_study else None
    if settings is None:
        section, values = read_kept_economics(connection)
    else:
        section, values = settings.economics, read_country_values(settings)
    if needs_benefits and section.is_set and not section.benefits:
        raise ConfigError(_NO_BENEFITS)
    definitions = read_definitions(connection, settings)
    return read_economics_of(connection, section, definitions, values, request)


_NO_BENEFITS = (
    "ingest.toml has no [[economics.benefits]], so nothing is worth money; such as:\n"
    '[[economics.benefits]]\nname = "social"\neffect = "Healthy Years Lived"\n'
    'value = "1 x gdp_per_person"'
)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    names = (name.strip() for part in given for name in part.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _tell(found: Economics) -> None:
    """What a reader of the numbers has to know, on stderr."""
    for note in found.notes:
        click.echo(f"({note})", err=True)
    if found.left_out:
        all_countries = len(found.complete)
        reasons = [f"{country} ({why})" for country, why in found.left_out.items()]
        click.echo(
            f"(groups have {all_countries - len(found.left_out):,} of {all_countries:,} countries; "
            f"left out: {at_most(reasons, 5)})",
            err=True,
        )


def _head(found: Economics) -> dict[str, Any]:
    settings, rates = found.settings, found.rates
    return {
        "cost": found.cost.name,
        "effect": found.effect.name,
        "effect_unit": found.effect.unit,
        "better": "higher" if found.effect.gain > 0 else "lower",
        "baseline": found.baseline,
        "currency": settings.currency,
        "currency_year": settings.currency_year,
        "discount_cost": rates[0],
        "discount_effect": rates[1],
        "base_year": found.base_year,
        "first_year": found.years[0],
        "last_year": found.years[-1],
        "notes": list(found.notes),
        "left_out": dict(found.left_out),
        "source": settings.source,
    }


def _print_evaluations(
    found: Economics,
    evaluations: Sequence[Evaluation],
    head: dict[str, Any],
    as_csv: bool,
    as_json: bool,
) -> None:
    rows = [row for each in evaluations for row in evaluation_rows(found, each)]
    if as_json:
        print_json({**head, "rows": rows})
        return
    for note in worth_notes(evaluations):
        click.echo(f"({note})", err=True)
    if as_csv:
        _print_rows([flat_row(row) for row in rows], title(found))
    else:
        texts = [text_table(evaluation_table(found, each)) for each in evaluations]
        click.echo("\n\n".join([title(found), *texts, LEGEND]))


def _print_cases(
    found: Economics,
    cases: Sequence[InvestmentCase],
    head: dict[str, Any],
    show_years: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    summaries = [row for case in cases for row in summary_rows(found, case)]
    if as_json:
        years = [row for case in cases for row in year_rows(found, case)]
        streams = [vars(stream) for stream in found.settings.benefits]
        head |= {"discount_benefit": found.settings.discount_cost, "benefits": streams}
        print_json({**head, "rows": summaries, "years": years})
        return
    lacking = sorted({country for case in cases for country in case.without})
    if lacking:
        columns = ", ".join(found.settings.columns)
        click.echo(f"(left out, because they have no {columns}: {at_most(lacking, 5)})", err=True)
    if as_csv:
        rows = [plain_row(row) for row in summaries]
        if show_years:
            rows = [row for case in cases for row in year_rows(found, case)]
        _print_rows(rows, title(found, is_case=True))
    else:
        texts = _case_texts(found, cases, show_years)
        click.echo("\n\n".join([title(found, is_case=True), *texts]))


def _case_texts(
    found: Economics, cases: Sequence[InvestmentCase], show_years: bool
) -> Iterator[str]:
    for of_group in cases_by_group(cases):
        if show_years:
            yield from (text_table(years_table(found, case)) for case in of_group)
        else:
            yield of_group[0].group.title
            yield from map(text_table, investment_tables(found, of_group))


def _write_workbook(
    path: Path, found: Economics, consistency_warning: str, investment_case: bool
) -> None:
    from ingest.exchange.workbook import Sheet, write_workbook

    if investment_case:
        cases = investment_cases(found)
        tables = {
            "Investment case": [
                plain_row(row) for case in cases for row in summary_rows(found, case)
            ],
            "Years": [row for case in cases for row in year_rows(found, case)],
        }
        notes = []
    else:
        evaluations = evaluate(found)
        rows = [flat_row(row) for each in evaluations for row in evaluation_rows(found, each)]
        tables, notes = {"Cost-effectiveness": rows}, list(worth_notes(evaluations))
    sheets = [
        Sheet(name, list(rows[0]), [list(row.values()) for row in rows])
        for name, rows in tables.items()
        if rows
    ]
    notes = [title(found, is_case=investment_case), *found.notes, *notes]
    notes += [f"{country} is in no group: {why}" for country, why in found.left_out.items()]
    notes += [f"thresholds: {found.settings.source}"] if found.settings.source else []
    notes += [
        f"benefit {each.name}: {each.effect}, each worth {each.value}. {each.source}".strip()
        for each in found.settings.benefits
    ]
    notes += [consistency_warning] if consistency_warning else []
    write_workbook(path, [*sheets, Sheet("Notes", ("note",), [(note,) for note in notes])])


def _print_rows(rows: Sequence[dict[str, Any]], heading: str) -> None:
    click.echo(f"({heading})", err=True)
    if rows:
        print_csv(list(rows[0]), [list(row.values()) for row in rows])
