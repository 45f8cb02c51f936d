"""Indicators as people ask for them: names and globs in, a tidy table out."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.database.indicators import (
    COUNTRY,
    TOTAL,
    IndicatorRequest,
    IndicatorTable,
    read_indicators,
    shown_rows,
)
from ingest.database.study_settings import Definitions
from ingest.errors import ConfigError
from ingest.questions.compare import check_group_names
from ingest.study.combination import select_names
from ingest.study.indicators import discounted
from ingest.study.scenario_order import order_scenarios

_NONE = (
    "this study has no indicators. Write some in ingest.toml, headed [[indicators]]: "
    "name, labels, sense; docs/economics.md shows how. The next ingest run keeps them for readers "
    "without the study's folder"
)


@dataclass(frozen=True)
class IndicatorQuestion:
    """What is asked: names, comma lists and globs; everything where empty.

    by: "country", "total", or columns of the countries, nested from left to right.
    """

    run_id: int
    names: Sequence[str] = ()
    baseline: str | None = None
    scenarios: Sequence[str] = ()
    countries: Sequence[str] = ()
    by: Sequence[str] = ()
    until: Sequence[int] = ()
    consistent: bool = False
    discount: float | None = None
    """In place of the indicators' own rates: a fraction a year."""
    base_year: int | None = None


def ask_indicators(
    connection: sqlite3.Connection, definitions: Definitions, question: IndicatorQuestion
) -> IndicatorTable:
    """The indicators of a state.

    Raises ConfigError: no indicators, a name that is not there, labels that do not fit, or no
    number at all.
    """
    wanted = select_names(question.names, indicator_names(definitions), "indicator")
    indicators = discounted(definitions.indicators, wanted, question.discount, question.base_year)
    by = tuple(question.by) or (COUNTRY,)
    check_group_names(connection, by, (TOTAL, COUNTRY))
    baseline = question.baseline or definitions.baseline
    request = IndicatorRequest(
        run_id=question.run_id,
        baseline=baseline,
        scenarios=_scenarios(connection, question.scenarios),
        countries=_chosen(connection, question.countries, "country"),
        by=by,
        until=tuple(question.until),
        consistent=question.consistent,
    )
    table = read_indicators(connection, indicators, request, wanted)
    check_numbers(table)
    return table


def indicator_names(definitions: Definitions) -> list[str]:
    """The names of a study's indicators. Raises ConfigError: it has none."""
    if not definitions.indicators:
        raise ConfigError(_NONE)
    return [indicator.name for indicator in definitions.indicators]


def check_numbers(table: IndicatorTable) -> None:
    """Raises ConfigError: no number at all."""
    if all(row.value is None for row in (*table.rows, *table.totals)):
        reasons = [*table.notes, *(row.note for row in table.rows if row.note)]
        raise ConfigError(f"no indicator has a number: {'; '.join(reasons[:3])}")


def _scenarios(connection: sqlite3.Connection, patterns: Sequence[str]) -> tuple[str, ...]:
    return order_scenarios(_chosen(connection, patterns, "scenario"))


def _chosen(
    connection: sqlite3.Connection, patterns: Sequence[str], column: str
) -> tuple[str, ...]:
    """The names that patterns choose among those with results; none where there is no pattern."""
    if not patterns:
        return ()
    query = f"SELECT DISTINCT {column} FROM job_results WHERE job_status = 'success' ORDER BY 1"
    names = [name for (name,) in connection.execute(query)]
    return tuple(select_names(list(patterns), names, column))


def group_names(table: IndicatorTable) -> tuple[str, ...]:
    """The columns of the groups of its rows."""
    return tuple(name for name in table.request.by if name != TOTAL)


VALUES = ("value", "unit", "countries", "of_countries", "note", "first_year", "last_year")


def tidy_columns(table: IndicatorTable) -> tuple[str, ...]:
    """The columns of tidy_rows()."""
    return ("indicator", "until_year", *group_names(table), "scenario", *VALUES)


def tidy_rows(table: IndicatorTable) -> list[tuple[Any, ...]]:
    """One row for each indicator, horizon, group and scenario."""
    return [
        (
            *(row.indicator, row.until, *row.group, row.scenario),
            *(getattr(row, name) for name in VALUES),
        )
        for row in shown_rows(table, table.rows)
    ]
