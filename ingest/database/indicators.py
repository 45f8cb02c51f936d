"""Indicators of a state: one definition of their arithmetic for every surface.

What labels come to in each country under each scenario is summed in SQL. Of these few numbers come
differences to the baseline, sums over countries and ratios: always of sums, never means of ratios.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.database.consistency import Consistency, read_consistency
from ingest.database.country_facts import group_of, read_country_facts
from ingest.database.indicator_parts import NO_RESULTS, read_parts
from ingest.database.indicator_state import (
    COUNTRY,
    IndicatorRequest,
    Part,
    RememberedStates,
    State,
    horizons_of,
    read_state,
)
from ingest.study.indicators import Indicator, compares, leaves, unit_of
from ingest.text.numbers import at_most, count_text, exact_sum

__all__ = [
    "COUNTRY",
    "TOTAL",
    "IndicatorRequest",
    "IndicatorRow",
    "IndicatorTable",
    "read_indicators",
    "read_shown_rows",
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
    chosen = _chosen(indicators, wanted)
    state = read_state(connection, indicators, request)
    rows = tuple(_rows_of_groups(state, chosen, _groups(state)))
    totals = tuple(_rows_of_groups(state, chosen, {(): state.countries}))
    asked = tuple(dict.fromkeys((request.baseline, *state.scenarios)))
    return IndicatorTable(
        request,
        chosen,
        tuple(indicators),
        rows,
        totals,
        read_consistency(connection, request.run_id, asked, request.countries),
        state.first_year,
        (*_notes(state, chosen), *_denominator_notes([*rows, *totals])),
    )


def shown_rows(table: IndicatorTable, rows: Sequence[IndicatorRow]) -> list[IndicatorRow]:
    """Rows without the baseline's own where an indicator is a difference to it: they are all 0."""
    return _without_zeros(table.definitions, table.request.baseline, rows)


def read_shown_rows(
    connection: sqlite3.Connection,
    indicators: Sequence[Indicator],
    request: IndicatorRequest,
    wanted: Sequence[str],
    remembered: RememberedStates,
) -> list[IndicatorRow]:
    """The rows alone that read_indicators() gives and shown_rows() leaves.

    remembered: what was read before of the same data.
    """
    state = read_state(connection, indicators, request, remembered)
    rows = _rows_of_groups(state, _chosen(indicators, wanted), _groups(state))
    return _without_zeros(indicators, request.baseline, rows)


def _chosen(indicators: Sequence[Indicator], wanted: Sequence[str]) -> tuple[Indicator, ...]:
    return tuple(one for one in indicators if not wanted or one.name in wanted)


def _without_zeros(
    indicators: Sequence[Indicator], baseline: str, rows: Iterable[IndicatorRow]
) -> list[IndicatorRow]:
    known = {indicator.name: indicator for indicator in indicators}
    differences = {name for name, indicator in known.items() if compares(indicator, known)}
    return [row for row in rows if row.scenario != baseline or row.indicator not in differences]


# --- groups and ratios ---------------------------------------------------------------------------


_Groups = Mapping[tuple[str, ...], Sequence[str]]


def _groups(state: State) -> _Groups:
    """The countries of each group, as the request groups them."""
    by = tuple(name for name in state.request.by if name != TOTAL)
    if not by:
        return {(): state.countries}
    facts = read_country_facts(state.connection, state.request.run_id)
    groups = defaultdict[tuple[str, ...], list[str]](list)
    for country in state.countries:
        groups[group_of(country, facts.get(country, {}), by)].append(country)
    return groups


def _rows_of_groups(
    state: State, indicators: Sequence[Indicator], groups: _Groups
) -> Iterator[IndicatorRow]:
    for indicator in indicators:
        for until in horizons_of(indicator, state):
            yield from _rows(state, indicator, until, groups)


def _rows(
    state: State,
    indicator: Indicator,
    until: int | None,
    groups: _Groups,
) -> Iterator[IndicatorRow]:
    measures = [*leaves(indicator, state.known)]
    parts_of = [read_parts(state, leaf, until) for leaf in measures]
    unit = unit_of(indicator, state.labels, state.known)
    why_alone = next(filter(None, (_why_alone(state, leaf) for leaf in measures)), "")
    for group, countries in sorted(groups.items()):
        for scenario in state.scenarios:
            parts = [leaf[country, scenario] for country in countries for leaf in parts_of]
            lacking, usable = dict[str, str](), countries
            if any(part.value is None for part in parts):
                lacking = _lacking(parts_of, countries, scenario)
                usable = [country for country in countries if country not in lacking]
                parts = [leaf[country, scenario] for country in usable for leaf in parts_of]
            value, note = None, why_alone
            if len(usable) < 2 or not why_alone:
                value, note = _value(state, indicator, until, scenario, usable)
            notes = [part.note for part in parts] if usable else [*lacking.values()]
            spans = {part.years for part in parts if part.years}
            yield IndicatorRow(
                indicator.name,
                until,
                group,
                scenario,
                value,
                unit,
                len(usable),
                len(countries),
                tuple(lacking),
                note or _most_common([note for note in notes if note]),
                min([span.first for span in spans], default=None),
                max([span.last for span in spans], default=None),
            )


def _lacking(
    parts_of: Sequence[Mapping[tuple[str, str], Part]], countries: Sequence[str], scenario: str
) -> dict[str, str]:
    """Why countries have no number; without those that have one."""
    found: dict[str, str] = {}
    for country in countries:
        parts = [leaf[country, scenario] for leaf in parts_of]
        why = next((part.note for part in parts if part.value is None), "")
        if why:
            found[country] = why
    return found


def _most_common(notes: Sequence[str]) -> str:
    return max(notes, key=notes.count) if notes else ""


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
    parts = read_parts(state, indicator, until)
    own = [parts[country, scenario] for country in countries]
    value = exact_sum([part.value for part in own if part.value is not None])
    if not indicator.per:
        return value * indicator.scale, ""
    weight = exact_sum([part.per for part in own if part.per is not None])
    return _divided(value, weight, indicator.scale, indicator.per)


_IS_0, _BELOW_0 = " is 0", " is below 0"


def _divided(top: float, bottom: float, scale: float, name: str) -> tuple[float | None, str]:
    if bottom == 0:
        return None, name + _IS_0
    return top / bottom * scale, name + _BELOW_0 if bottom < 0 else ""


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
        for leaf in leaves(indicator, state.known):
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


def _denominator_notes(rows: Sequence[IndicatorRow]) -> Iterator[str]:
    """Where a ratio is none, or none of the usual meaning, for what its denominator is."""
    found = defaultdict[tuple[str, int | None, str, str], dict[str, None]](dict)
    for row in rows:
        if row.note.endswith((_IS_0, _BELOW_0)):
            key = (row.indicator, row.until, row.note, row.scenario)
            found[key][" ".join(row.group) or TOTAL] = None
    for (indicator, until, note, scenario), places in found.items():
        what = indicator if until is None else f"{indicator} until {until}"
        yield f"{what}: {note} under {scenario}: {at_most([*places], 5)}"


def _together(notes: Sequence[str]) -> str:
    """Notes as one, in which scenarios without results are listed."""
    scenarios = [note.removeprefix(NO_RESULTS) for note in notes if note.startswith(NO_RESULTS)]
    others = [note for note in notes if not note.startswith(NO_RESULTS)]
    return "; ".join([*([NO_RESULTS + at_most(scenarios)] if scenarios else []), *others])
