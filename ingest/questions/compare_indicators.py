"""Scenario against scenario by an indicator: both levels, and the difference as it defines it."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest.database.consistency import Consistency
from ingest.database.country_facts import read_country_facts
from ingest.database.indicators import (
    IndicatorRequest,
    IndicatorRow,
    IndicatorTable,
    read_indicators,
)
from ingest.database.study_settings import Definitions
from ingest.errors import ConfigError
from ingest.questions.compare import (
    COUNTRY,
    TOTAL,
    YEAR,
    CompareRequest,
    check_group_names,
    check_nesting,
)
from ingest.questions.indicators import check_numbers, group_names, indicator_names
from ingest.study.indicators import Indicator, compares, discounted
from ingest.text.suggest import did_you_mean_or_list


@dataclass(frozen=True)
class IndicatorComparison:
    """The answer: rows by horizon and group, and a total of each horizon, of the same columns.

    baseline_value and scenario_value are what the indicator comes to under each scenario, over the
    countries and years that both have. The column after them is scenario - baseline (`difference`),
    or what the indicator says that it `averted` or `gained`. notes: one clause each.
    """

    indicator: Indicator
    request: IndicatorRequest
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    totals: tuple[tuple[Any, ...], ...]
    unit: str
    consistency: Consistency
    base_year: int
    notes: tuple[str, ...] = ()

    @property
    def horizons(self) -> tuple[int | None, ...]:
        """The last years, None for all years, in their order."""
        return tuple(dict.fromkeys(row[0] for row in (*self.rows, *self.totals)))


def compare_indicator(
    connection: sqlite3.Connection,
    definitions: Definitions,
    asked: CompareRequest,
    rate: float | None,
) -> IndicatorComparison:
    """The indicator under a baseline and one other scenario.

    asked: its label is the indicator's name. rate: in place of the indicator's own, None for that.

    Raises ConfigError: no such indicator, one that neither scenario has alone, a group that is
    none, no number at all.
    """
    name = asked.label
    _check_name(connection, definitions, name)
    _check_groups(connection, asked.by)
    indicators = discounted(definitions.indicators, [name], rate, asked.base_year)
    indicator = next(one for one in indicators if one.name == name)
    _check_has_levels(indicator, indicators, asked)
    request = _request(asked)
    own = read_indicators(connection, indicators, request, [name])
    check_numbers(own)
    levels = own
    if indicator.sense != "level":
        as_levels = [replace(one, sense="level") if one is indicator else one for one in indicators]
        levels = read_indicators(connection, as_levels, request, [name])
    names = _country_names(connection, request)
    return IndicatorComparison(
        indicator=indicator,
        request=request,
        columns=_columns(own, indicator),
        rows=tuple(_rows(own, own.rows, levels.rows, names)),
        totals=tuple(_rows(own, own.totals, levels.totals, names)),
        unit=next(iter(own.rows)).unit,
        consistency=own.consistency,
        base_year=indicator.base_year or own.base_year,
        notes=tuple(_notes(own, indicator)),
    )


def _request(asked: CompareRequest) -> IndicatorRequest:
    return IndicatorRequest(
        run_id=asked.run_id,
        baseline=asked.baseline,
        scenarios=tuple(dict.fromkeys((asked.baseline, asked.scenario))),
        countries=asked.countries,
        by=asked.by,
        until=() if asked.until_year is None else (asked.until_year,),
        consistent=asked.consistent,
        is_pair=True,
    )


def _check_name(connection: sqlite3.Connection, definitions: Definitions, name: str) -> None:
    known = indicator_names(definitions)
    if name in known:
        return
    query = "SELECT 1 FROM elements WHERE element_label = ?"
    if connection.execute(query, [name]).fetchone():
        raise ConfigError(f"{name!r} is a label, not an indicator: give it with --label {name!r}")
    raise ConfigError(f"no indicator {name!r} in this study{did_you_mean_or_list(name, known)}")


def _check_groups(connection: sqlite3.Connection, by: Sequence[str]) -> None:
    if YEAR in by:
        raise ConfigError(
            f"--by {YEAR}: an indicator is one number of all its years. Name another last "
            "year with --until, or compare its labels"
        )
    check_group_names(connection, by, (TOTAL, COUNTRY))
    check_nesting(by)


def _check_has_levels(
    indicator: Indicator, indicators: Sequence[Indicator], asked: CompareRequest
) -> None:
    """Raises ConfigError: a ratio of differences."""
    if indicator.ratio and compares(indicator, {one.name: one for one in indicators}):
        command = ["ingest", "indicators", "--baseline", asked.baseline]
        command += ["--scenarios", asked.scenario, "--indicator", indicator.name]
        raise ConfigError(
            f"{indicator.name!r} is a ratio of differences, so neither scenario has a number of "
            f"its own. See: {shlex.join(command)}"
        )


def _country_names(
    connection: sqlite3.Connection, request: IndicatorRequest
) -> dict[str, str] | None:
    """The names of countries, None where it is not by country alone."""
    if request.by != (COUNTRY,):
        return None
    facts = read_country_facts(connection, request.run_id)
    return {country: of_country.get("name", country) for country, of_country in facts.items()}


def _columns(table: IndicatorTable, indicator: Indicator) -> tuple[str, ...]:
    is_by_country = table.request.by == (COUNTRY,)
    difference = "difference" if indicator.sense == "level" else indicator.sense
    return (
        *("until_year", *group_names(table)),
        *(("name",) if is_by_country else ("countries", "of_countries")),
        *("baseline_value", "scenario_value", difference, "percent"),
    )


def _rows(
    table: IndicatorTable,
    own: Sequence[IndicatorRow],
    levels: Sequence[IndicatorRow],
    names: dict[str, str] | None,
) -> Iterator[tuple[Any, ...]]:
    """The rows with a number. own: as the indicator is defined; levels: of each scenario alone."""
    baseline, scenario = table.request.baseline, table.request.scenarios[-1]
    sides = {(row.until, row.group, row.scenario): row.value for row in levels}
    groups = group_names(table)
    for row in own:
        low = sides[row.until, row.group, baseline]
        high = sides[row.until, row.group, scenario]
        if row.scenario != scenario or (low is None and high is None):
            continue
        found = row.value if levels is not own else _less(high, low)
        percent = None if found is None or not low else found / abs(low) * 100
        group = row.group or ("",) * len(groups)
        middle = (row.countries, row.of_countries) if names is None else (_named(row, names),)
        yield (row.until, *group, *middle, low, high, found, percent)


def _less(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


def _named(row: IndicatorRow, names: dict[str, str]) -> str:
    """The name of a country; of a total, of how many countries it is."""
    if row.group:
        return names.get(row.group[0], row.group[0])
    if row.countries == row.of_countries:
        return ""
    return f"{row.countries:,} of {row.of_countries:,}"


def _notes(table: IndicatorTable, indicator: Indicator) -> Iterator[str]:
    yield from table.notes
    if indicator.per and indicator.sense != "level":
        yield (
            f"{indicator.sense} is divided by {indicator.per} of {table.request.baseline}, as "
            "every difference is; each scenario's own number by its own"
        )
    rows = (*table.rows, *table.totals)
    yield from dict.fromkeys(r.note for r in rows if r.value is None and not r.missing and r.note)
