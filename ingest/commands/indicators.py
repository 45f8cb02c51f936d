"""`ingest indicators`: what the labels of the results come to, as the study defines it."""

from __future__ import annotations

from collections.abc import Sequence
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
    base_year_option,
    consistent_option,
    countries_option,
    csv_option,
    discount_option,
    force_option,
    json_option,
    raw_option,
    require_consistent_option,
    scenarios_option,
)
from ingest.commands.common.output import print_csv, print_json, text_table
from ingest.commands.common.runs import find_run, run_as_json
from ingest.database.indicators import IndicatorRow, IndicatorTable, shown_rows
from ingest.database.states import RunRef
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.questions.caption import RunFacts
from ingest.questions.discount import Bare, parse_rate
from ingest.questions.indicator_tables import indicator_tables
from ingest.questions.indicators import (
    IndicatorQuestion,
    ask_indicators,
    group_names,
    tidy_columns,
    tidy_rows,
)
from ingest.study.indicators import definition_text, said_of


@click.command()
@click.argument("run_name", required=False, metavar="[RUN]")
@study_options
@click.option(
    "--indicator",
    "-i",
    "names",
    multiple=True,
    metavar="NAME,...",
    help="Only these indicators: names, comma lists, globs",
)
@click.option(
    "--by",
    multiple=True,
    metavar="GROUP,...",
    help="country (default), total, region, income_group or any other column of the countries; "
    "several are nested",
)
@click.option("--baseline", metavar="NAME", help="Compare with this scenario; default: as set")
@countries_option
@scenarios_option
@click.option(
    "--until",
    multiple=True,
    metavar="YEAR,...",
    help="Up to these years, in place of the indicators' own",
)
@discount_option
@base_year_option
@consistent_option
@require_consistent_option
@csv_option
@raw_option
@json_option
@click.option("--xlsx", metavar="FILE", help="Write an Excel workbook")
@force_option
def indicators(
    run_name: str | None,
    choice: StudyChoice,
    names: tuple[str, ...],
    by: tuple[str, ...],
    baseline: str | None,
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    until: tuple[str, ...],
    discount: str | None,
    base_year: int | None,
    consistent: bool,
    require_consistent: bool,
    as_csv: bool,
    as_json: bool,
    xlsx: str | None,
    force: bool,
) -> None:
    """Show the study's indicators by country and scenario, or by group.

    Indicators are [[indicators]] in ingest.toml: labels that are added, years, and whether a
    scenario's own number counts or what it averts or gains against the baseline. The numbers are
    of the state as of RUN (default: latest). A group's number is the sum of its countries; a ratio
    is the ratio of these sums. CSV and JSON are not rounded; JSON has the definitions and the
    totals, too. --discount and --base-year stand in place of what sums over years say themselves.

    \b
    Examples:
      ingest indicators --by total
      ingest indicators --by income_group --until 2030,2035
      ingest indicators --by total --discount 0
      ingest indicators --indicator 'Deaths*' --countries KEN,UGA --json
      ingest indicators previous --by region --xlsx indicators.xlsx
    """
    file = None if xlsx is None else choice.output(xlsx, ".xlsx", force=force)
    with choice.reading() as connection:
        settings = choice.settings()[0] if choice.has_study else None
        run = find_run(connection, run_name or "latest")
        question = IndicatorQuestion(
            run_id=run.run_id,
            names=names,
            baseline=baseline,
            scenarios=scenarios,
            countries=[code.upper() for code in countries],
            by=[name.strip() for text in by for name in text.split(",") if name.strip()],
            until=_years(until),
            consistent=consistent or only_consistent(choice),
            discount=None
            if discount is None
            else parse_rate(discount, "--discount", Bare.FRACTION),
            base_year=base_year,
        )
        answer = ask_indicators(connection, read_definitions(connection, settings), question)
    for note in answer.notes:
        click.echo(f"({note})", err=True)
    show_consistency(answer.consistency, question.consistent)
    if file is not None:
        with file.whole() as temporary:
            _write_workbook(temporary, answer, run)
        click.echo(f"Run {run.run_id} in {file.path}", err=True)
    elif as_json:
        print_json(_as_json(answer, run))
    elif as_csv:
        print_csv(tidy_columns(answer), tidy_rows(answer))
    else:
        click.echo(_text(answer, run))
    refuse_inconsistent(answer.consistency, require_consistent)


def _years(texts: Sequence[str]) -> list[int]:
    years = []
    for text in (part.strip() for given in texts for part in given.split(",")):
        if not (text.isdecimal() and len(text) == 4):
            raise ConfigError(f"--until {text}: write years with commas between: 2030,2035")
        years.append(int(text))
    return list(dict.fromkeys(years))


# --- printing ------------------------------------------------------------------------------------


def _as_json(answer: IndicatorTable, run: RunRef) -> dict[str, Any]:
    request = answer.request
    return {
        **run_as_json(run),
        "baseline": request.baseline,
        "by": list(request.by),
        "countries": list(request.countries),
        "indicators": [said_of(indicator) for indicator in answer.indicators],
        "base_year": answer.base_year,
        **answer.consistency.as_json(),
        "notes": list(answer.notes),
        "rows": [_row_as_json(answer, row) for row in shown_rows(answer, answer.rows)],
        "totals": [_row_as_json(answer, row) for row in shown_rows(answer, answer.totals)],
    }


def _row_as_json(answer: IndicatorTable, row: IndicatorRow) -> dict[str, Any]:
    values = {**row._asdict(), "until_year": row.until, "missing": list(row.missing)}
    groups = dict(zip(group_names(answer), row.group, strict=False))
    order = ("indicator", "until_year", "scenario", "value", "unit", "countries", "of_countries")
    rest = ("missing", "note", "first_year", "last_year")
    return {**groups, **{name: values[name] for name in (*order, *rest)}}


def _write_workbook(path: Path, answer: IndicatorTable, run: RunRef) -> None:
    from ingest.exchange.workbook import Sheet, write_workbook

    definitions = [(one.name, definition_text(one)) for one in answer.indicators]
    notes = [RunFacts.of(run).words, f"baseline {answer.request.baseline}", *answer.notes]
    notes += [answer.consistency.warning] if answer.consistency.warning else []
    sheets = [
        Sheet("Indicators", tidy_columns(answer), tidy_rows(answer)),
        Sheet("Definitions", ("indicator", "definition"), definitions),
        Sheet("Notes", ("note",), [(note,) for note in notes]),
    ]
    write_workbook(path, sheets)


def _text(answer: IndicatorTable, run: RunRef) -> str:
    head = f"as of {RunFacts.of(run).words} · baseline {answer.request.baseline}"
    return "\n\n".join([head, *map(text_table, indicator_tables(answer))])
