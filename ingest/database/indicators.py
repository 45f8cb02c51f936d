"""Indicators of a state: one definition of their arithmetic for every surface.

What labels come to in each country under each scenario is summed in SQL. Of these few numbers come
differences to the baseline, sums over countries and ratios: always of sums, never means of ratios.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.database.consistency import Consistency, read_consistency
from ingest.database.country_facts import group_of, read_country_facts
from ingest.database.indicator_parts import NO_RESULTS, read_parts
from ingest.database.indicator_state import (
    COUNTRY,
    IndicatorRequest,
    Part,
    State,
    horizons_of,
    read_state,
)
from ingest.study.indicators import Indicator, compares, unit_of
from ingest.text.numbers import at_most, count_text, exact_sum

__all__ = [
    "COUNTRY",
    "TOTAL",
    "IndicatorRequest",
    "IndicatorRow",
    "IndicatorTable",
    "read_indicators",
    "shown_rows",
]

TOTAL = "total"


class IndicatorRow(NamedTuple):
    """One number. value is None where there is none, and note says why.

    until: None for all years. group: as the request groups. countries: how many the value is of,
    of_countries: how many the group has; missing: those that are not in the value.
    """

    indicator: str
    until: int | None
    group: tuple[str, ...]
    scenario: str
    value: float | None
    unit: str
    countries: int
    of_countries: int
    missing: tuple[str, ...] = ()
    note: str = ""
    first_year: int | None = None
    last_year: int | None = None


@dataclass(frozen=True)
class IndicatorTable:
    """The answer: rows by indicator, horizon, group and scenario; totals over all countries.

    A ratio of a group is the ratio of its sums. definitions: all that there are; indicators: those
    that were asked for. base_year: to which is discounted where an indicator says none.
    notes: which countries have no number, or one of part of the years.
    """

    request: IndicatorRequest
    indicators: tuple[Indicator, ...]
    definitions: tuple[Indicator, ...]
    rows: tuple[IndicatorRow, ...]
    totals: tuple[IndicatorRow, ...]
    consistency: Consistency
    base_year: int
    notes: tuple[str, ...] = ()


def read_indicators(
    connection: sqlite3.Connection,
    indicators: Sequence[Indicator],
    request: IndicatorRequest,
    wanted: Sequence[str] = (),
) -> IndicatorTable:
    """Indicators of each group and scenario, and in total.

    indicators: all there are, as ratios name others. wanted: names of those to give, all if empty.
    Raises ConfigError: a label, scenario or country that the results do not have, labels that
    cannot be put together.
    """
    chosen = tuple(one for one in indicators if not wanted or one.name in wanted)
    state = read_state(connection, indicators, request)
    groups = defaultdict[tuple[str, ...], list[str]](list)
    facts = read_country_facts(connection, request.run_id)
    by = tuple(name for name in request.by if name != TOTAL)
    for country in state.countries:
        groups[group_of(country, facts.get(country, {}), by)].append(country)
    rows: list[IndicatorRow] = []
    totals: list[IndicatorRow] = []
    for indicator in chosen:
        for until in horizons_of(indicator, state):
            rows += _rows(state, indicator, until, groups)
            totals += _rows(state, indicator, until, {(): state.countries})
    asked = tuple(dict.fromkeys((request.baseline, *state.scenarios)))
    consistency = read_consistency(connection, request.run_id, asked, request.countries)
    notes = tuple(_notes(state, chosen))
    return IndicatorTable(
        request,
        chosen,
        tuple(indicators),
        tuple(rows),
        tuple(totals),
        consistency,
        state.first_year,
        notes,
    )


def shown_rows(table: IndicatorTable, rows: Sequence[IndicatorRow]) -> list[IndicatorRow]:
    """Rows without the baseline's own where an indicator is a difference to it: they are all 0."""
    known = {indicator.name: indicator for indicator in table.definitions}
    differences = {name for name, indicator in known.items() if compares(indicator, known)}
    baseline = table.request.baseline
    return [row for row in rows if row.scenario != baseline or row.indicator not in differences]


# --- groups and ratios ---------------------------------------------------------------------------


def _leaves(state: State, indicator: Indicator) -> Iterator[Indicator]:
    """The indicators of labels that an indicator is made of."""
    if not indicator.ratio:
        yield indicator
    for name in indicator.ratio:
        yield from _leaves(state, state.known[name])


def _rows(
    state: State,
    indicator: Indicator,
    until: int | None,
    groups: Mapping[tuple[str, ...], Sequence[str]],
) -> Iterator[IndicatorRow]:
    leaves = [read_parts(state, leaf, until) for leaf in _leaves(state, indicator)]
    unit = unit_of(indicator, state.labels, state.known)
    for group, countries in sorted(groups.items()):
        for scenario in state.scenarios:
            lacking: dict[str, str] = {}
            counted: list[Part] = []
            for country in countries:
                parts = [leaf[country, scenario] for leaf in leaves]
                why = next((part.note for part in parts if part.value is None), "")
                if why:
                    lacking[country] = why
                else:
                    counted += parts
            usable = [c for c in countries if c not in lacking] if lacking else countries
            value, note = _value(state, indicator, until, scenario, usable)
            notes = [*lacking.values()] if not usable else [part.note for part in counted]
            spans = {part.years for part in counted if part.years}
            yield IndicatorRow(
                indicator=indicator.name,
                until=until,
                group=group,
                scenario=scenario,
                value=value,
                unit=unit,
                countries=len(usable),
                of_countries=len(countries),
                missing=tuple(lacking),
                note=note or _most_common(notes),
                first_year=min((span.first for span in spans), default=None),
                last_year=max((span.last for span in spans), default=None),
            )


def _most_common(notes: Sequence[str]) -> str:
    told = [note for note in notes if note]
    return max(told, key=told.count) if told else ""


def _value(
    state: State,
    indicator: Indicator,
    until: int | None,
    scenario: str,
    countries: Sequence[str],
) -> tuple[float | None, str]:
    """The number of countries together, or None and why there is none."""
    if not countries:
        return None, ""
    if indicator.ratio:
        above, below = (state.known[name] for name in indicator.ratio)
        top, why = _value(state, above, until, scenario, countries)
        bottom, why_not = _value(state, below, until, scenario, countries)
        if top is None or bottom is None:
            return None, why if top is None else why_not
        return _divided(top, bottom, indicator.scale, below.name)
    if len(countries) > 1 and (why := _why_alone(state, indicator)):
        return None, why
    parts = read_parts(state, indicator, until)
    own = [parts[country, scenario] for country in countries]
    value = exact_sum([part.value for part in own if part.value is not None])
    if not indicator.per:
        return value * indicator.scale, ""
    weight = exact_sum([part.per for part in own if part.per is not None])
    return _divided(value, weight, indicator.scale, indicator.per)


def _divided(top: float, bottom: float, scale: float, name: str) -> tuple[float | None, str]:
    if bottom == 0:
        return None, f"{name} is 0"
    return top / bottom * scale, f"{name} is below 0" if bottom < 0 else ""


def _why_alone(state: State, indicator: Indicator) -> str:
    """Why an indicator of several countries is no sum; empty where it is."""
    if not indicator.adds_over_countries:
        return f"the {indicator.aggregate} over years does not add up over countries"
    names = [*indicator.select(sorted(state.labels)), *filter(None, [indicator.per])]
    alone = [name for name in names if state.labels[name].over_countries != "sum"]
    return f"{at_most(alone)} does not add up over countries" if alone else ""


def _notes(state: State, indicators: Sequence[Indicator]) -> Iterator[str]:
    """Which countries have no number and why, once for all that are alike."""
    measures = [(one, until) for one in indicators for until in horizons_of(one, state)]
    concerned = defaultdict[tuple[str, tuple[str, ...]], list[str]](list)
    for indicator, until in measures:
        lacking = defaultdict[str, dict[str, None]](dict)
        for leaf in _leaves(state, indicator):
            for (country, _), part in read_parts(state, leaf, until).items():
                if part.note:
                    lacking[part.note][country] = None
        what = indicator.name if until is None else f"{indicator.name} until {until}"
        for note, found in lacking.items():
            concerned[note, tuple(found)].append(what)
    alike = defaultdict[tuple[str, tuple[str, ...]], list[str]](list)
    for (note, countries), names in concerned.items():
        is_all = len(names) == len(measures) > 1
        alike["every indicator" if is_all else at_most(names), countries].append(note)
    for (what, countries), notes in alike.items():
        of = f"{len(countries):,} of {count_text(len(state.countries), 'country|countries')}"
        yield f"{what}: {_together(notes)} in {of}: {at_most(countries, 5)}"


def _together(notes: Sequence[str]) -> str:
    """Notes as one, in which scenarios without results are listed."""
    scenarios = [note.removeprefix(NO_RESULTS) for note in notes if note.startswith(NO_RESULTS)]
    others = [note for note in notes if not note.startswith(NO_RESULTS)]
    return "; ".join([*([NO_RESULTS + at_most(scenarios)] if scenarios else []), *others])
