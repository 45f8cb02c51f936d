"""`ingest indicators`: what the labels of the results come to, as the study defines it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
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
from ingest.commands.common.output import print_csv, print_json, table
from ingest.commands.common.runs import find_run, run_as_json
from ingest.database.indicators import IndicatorRow, IndicatorTable, shown_rows
from ingest.database.states import RunRef
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.questions.caption import RunFacts
from ingest.questions.compare import decimals
from ingest.questions.discount import rate_words
from ingest.questions.indicators import (
    IndicatorQuestion,
    ask_indicators,
    group_names,
    tidy_columns,
    tidy_rows,
)
from ingest.study.indicators import Indicator, said_of
from ingest.text.numbers import in_full


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
    totals, too.

    \b
    Examples:
      ingest indicators --by total
      ingest indicators --by income_group --until 2030,2035
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

    definitions = [
        (one.name, "; ".join(f"{key} = {value}" for key, value in said_of(one).items()))
        for one in answer.indicators
    ]
    notes = [RunFacts.of(run).words, f"baseline {answer.request.baseline}", *answer.notes]
    notes += [answer.consistency.warning] if answer.consistency.warning else []
    sheets = [
        Sheet("Indicators", tidy_columns(answer), tidy_rows(answer)),
        Sheet("Definitions", ("indicator", "definition"), definitions),
        Sheet("Notes", ("note",), [(note,) for note in notes]),
    ]
    write_workbook(path, sheets)


def _text(answer: IndicatorTable, run: RunRef) -> str:
    """A table of groups and scenarios for each indicator and horizon; of totals, one for all."""
    head = f"as of {RunFacts.of(run).words} · baseline {answer.request.baseline}"
    totals = shown_rows(answer, answer.totals)
    if not group_names(answer):
        return f"{head}\n\n{_table(answer, totals, by_indicator=True)}"
    blocks = [head]
    of_indicator = {indicator.name: indicator for indicator in answer.indicators}
    for key, rows in groupby(shown_rows(answer, answer.rows), lambda r: (r.indicator, r.until)):
        own = [*rows, *(total for total in totals if (total.indicator, total.until) == key)]
        blocks.append(f"{_title(of_indicator[key[0]], own[0])}\n\n{_table(answer, own)}")
    return "\n\n".join(blocks)


def _title(indicator: Indicator, row: IndicatorRow) -> str:
    until = [] if row.until is None else [f"until {row.until}"]
    rate = f"discounted at {rate_words(indicator.discount)} a year"
    parts = [row.indicator, row.unit, *until, *([rate] if indicator.discount else [])]
    return " · ".join(part for part in parts if part)


def _table(
    answer: IndicatorTable, rows: Sequence[IndicatorRow], *, by_indicator: bool = False
) -> str:
    """Rows and columns of numbers, each line with its own number of decimals, a total last."""
    rows = _with_numbers(rows, lambda row: (row.indicator, row.until, row.group))
    rows = _with_numbers(rows, lambda row: row.scenario)
    scenarios = list(dict.fromkeys(row.scenario for row in rows))
    groups = () if by_indicator else group_names(answer)
    lines: dict[tuple[Any, ...], dict[str, IndicatorRow]] = {}
    for row in rows:
        key = (row.indicator, row.until) if by_indicator else row.group
        lines.setdefault(key, {})[row.scenario] = row
    has_countries = groups != ("country",)
    places = _places(rows)
    cells = []
    for line in lines.values():
        first = next(iter(line.values()))
        until = "" if first.until is None else str(first.until)
        keys = [first.indicator, until, first.unit] if by_indicator else _group_cells(first, groups)
        digits = _places([*line.values()]) if by_indicator else places
        values = [_number(line[name], digits) if name in line else "" for name in scenarios]
        cells.append([*keys, *([_countries([*line.values()])] if has_countries else []), *values])
    names = ["indicator", "until", "unit"] if by_indicator else list(groups)
    headers = [*names, *(["countries"] if has_countries else []), *scenarios]
    return table(cells, headers, right=[*scenarios, "countries", "until"])


def _with_numbers(
    rows: Sequence[IndicatorRow], part: Callable[[IndicatorRow], Hashable]
) -> Sequence[IndicatorRow]:
    """Rows of the lines or columns that have a number at all; all where there is none."""
    have = {part(row) for row in rows if row.value is not None}
    return [row for row in rows if part(row) in have] or rows


def _group_cells(row: IndicatorRow, groups: Sequence[str]) -> list[str]:
    return list(row.group) or ["total", *([""] * (len(groups) - 1))]


def _countries(rows: Sequence[IndicatorRow]) -> str:
    """187, or 182 of 187, or 180-182 of 187 where scenarios differ."""
    counts = sorted({row.countries for row in rows})
    whole = rows[0].of_countries
    if counts == [whole]:
        return f"{whole:,}"
    return f"{'-'.join(f'{count:,}' for count in {counts[0]: 0, counts[-1]: 0})} of {whole:,}"


def _places(rows: Sequence[IndicatorRow]) -> int:
    return decimals([row.value for row in rows], 6)


def _number(row: IndicatorRow, places: int) -> str:
    return "n/a" if row.value is None else in_full(row.value, places)
