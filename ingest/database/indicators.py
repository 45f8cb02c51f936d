"""Indicators of a state: one definition of their arithmetic for every surface.

What labels come to in each country under each scenario is summed in SQL. Of these few numbers come
differences to the baseline, sums over countries and ratios: always of sums, never means of ratios.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from ingest.database.consistency import Consistency, read_consistency
from ingest.database.country_facts import group_of, read_country_facts
from ingest.database.indicator_levels import (
    Discount,
    Span,
    Terms,
    Window,
    read_levels,
    read_spans,
    read_yearly_levels,
)
from ingest.database.labels import read_labels_of_results
from ingest.errors import ConfigError
from ingest.study.indicators import Indicator, horizons, label_problems, unit_of
from ingest.study.label import Label
from ingest.study.scenario_order import order_scenarios
from ingest.text.numbers import at_most, count_text, exact_sum, years_text
from ingest.text.suggest import did_you_mean_or_list

TOTAL, COUNTRY = "total", "country"
_NO_RESULTS = "no results of "


@dataclass(frozen=True)
class IndicatorRequest:
    """What to give: indicators of scenarios against a baseline in the state as of a run.

    scenarios, countries: all of the study where empty. by: "country", or columns of the countries
    nested from left to right, or "total". until: in place of the indicators' own horizons.
    """

    run_id: int
    baseline: str
    scenarios: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    by: tuple[str, ...] = (COUNTRY,)
    until: tuple[int, ...] = ()
    consistent: bool = False
    """Only results of the inputs that the study had at the run."""


@dataclass(frozen=True)
class IndicatorRow:
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


@dataclass(frozen=True)
class _Part:
    """What one country adds under a scenario; value is None where note says why it has none."""

    value: float | None = None
    per: float | None = None
    years: Span | None = None
    note: str = ""


@dataclass(frozen=True)
class _Labels:
    """The labels of an indicator: what is added and subtracted, and what it is divided by."""

    terms: Terms
    per: int | None = None


_Spans = tuple[Span | None, ...]
_Windows = dict[tuple[str, str], tuple[Window, Window] | _Part]


@dataclass
class _State:
    """The results that count, and what was read of them so far."""

    connection: sqlite3.Connection
    request: IndicatorRequest
    known: Mapping[str, Indicator]
    labels: Mapping[str, Label]
    countries: tuple[str, ...]
    scenarios: tuple[str, ...]
    sets: Mapping[tuple[str, str], int]
    parts: dict[tuple[str, int | None], dict[tuple[str, str], _Part]] = field(default_factory=dict)
    known_spans: dict[int, dict[int, Span]] = field(default_factory=dict)

    @cached_property
    def elements(self) -> dict[str, int]:
        """The id of each label."""
        rows = self.connection.execute("SELECT element_label, element_id FROM elements")
        return dict(rows.fetchall())

    def spans(self, result_set_id: int, elements: Sequence[int]) -> _Spans:
        """The years of a result set that each label has, read once for all result sets."""
        for element in elements:
            if element not in self.known_spans:
                found = read_spans(self.connection, self.set_ids, element)
                self.known_spans[element] = found
        return tuple(self.known_spans[element].get(result_set_id) for element in elements)

    @cached_property
    def set_ids(self) -> list[int]:
        """The result sets, each once, in the order in which they are stored."""
        return sorted(set(self.sets.values()))

    @cached_property
    def first_year(self) -> int:
        """The first year of all these results, to which is discounted where nothing is said."""
        chosen = json.dumps(self.set_ids)
        query = """SELECT min(first_year) FROM result_sets
                    WHERE result_set_id IN (SELECT value FROM json_each(?))"""
        return int(self.connection.execute(query, [chosen]).fetchone()[0] or 0)


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
    state = _read_state(connection, indicators, request)
    groups = defaultdict[tuple[str, ...], list[str]](list)
    facts = read_country_facts(connection, request.run_id)
    by = tuple(name for name in request.by if name != TOTAL)
    for country in state.countries:
        groups[group_of(country, facts.get(country, {}), by)].append(country)
    rows: list[IndicatorRow] = []
    totals: list[IndicatorRow] = []
    for indicator in chosen:
        for until in _horizons(indicator, state):
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


def read_yearly(
    connection: sqlite3.Connection, indicator: Indicator, request: IndicatorRequest
) -> dict[tuple[str, str], dict[int, float]]:
    """What an indicator comes to in each year, by country and scenario; they add up to its sum.

    For indicators that are sums of labels: without ratio and per. Without countries that have no
    number. request.until has at most one year. Raises ConfigError as read_indicators().
    """
    if indicator.ratio or indicator.per or indicator.aggregate != "sum":
        raise ConfigError(f"indicator {indicator.name!r} is no sum of labels over years")
    state = _read_state(connection, [indicator], request)
    (until,) = _horizons(indicator, state)
    labels, windows = _windows(state, indicator, until)
    levels = read_yearly_levels(
        connection, labels.terms, _of_all(windows), _discount(state, indicator)
    )
    found: dict[tuple[str, str], dict[int, float]] = {}
    for key, window in windows.items():
        if isinstance(window, _Part):
            continue
        low, high = (levels.get(side, {}) for side in window)
        found[key] = {
            year: indicator.scale * _sense(indicator, low.get(year, 0.0), high[year])
            for year in high
        }
    return found


# --- the state -----------------------------------------------------------------------------------

_NEWEST = """
WITH current AS MATERIALIZED (SELECT input_set_id FROM current_inputs WHERE run_id = ?1)
SELECT c.value, s.value,
       (SELECT CASE WHEN NOT ?4 OR input_set_id IN current THEN result_set_id END
          FROM job_results AS job
         WHERE job.country = c.value AND job.scenario = s.value AND job.job_status = 'success'
           AND job.run_id <= ?1
         ORDER BY job.run_id DESC LIMIT 1) AS result_set_id
  FROM json_each(?2) AS c CROSS JOIN json_each(?3) AS s
 WHERE result_set_id IS NOT NULL
"""
"""The newest success of each combination, as the comparison of scenarios takes it."""


def _read_state(
    connection: sqlite3.Connection, indicators: Sequence[Indicator], request: IndicatorRequest
) -> _State:
    run = [request.run_id]
    known: list[list[str]] = [
        sorted({name for (name,) in connection.execute(query, run)})
        for query in (
            "SELECT country FROM study_countries WHERE run_id = ?",
            "SELECT scenario FROM study_scenarios WHERE run_id = ?",
        )
    ]
    countries = tuple(request.countries or known[0])
    scenarios = tuple(request.scenarios or order_scenarios(known[1]))
    asked = list(dict.fromkeys((request.baseline, *scenarios)))
    values = [request.run_id, json.dumps(countries), json.dumps(asked), request.consistent]
    rows = connection.execute(_NEWEST, values)
    sets = {(country, scenario): set_id for country, scenario, set_id in rows}
    _check_names(connection, request, sets)
    labels = {one.element_label: one for one in read_labels_of_results(connection, request.run_id)}
    by_name = {indicator.name: indicator for indicator in indicators}
    return _State(connection, request, by_name, labels, countries, scenarios, sets)


def _check_names(
    connection: sqlite3.Connection,
    request: IndicatorRequest,
    sets: Mapping[tuple[str, str], int],
) -> None:
    """Raises ConfigError: a scenario or country that was named and has no results at the run."""
    named = [("scenario", name, 1) for name in (request.baseline, *request.scenarios)]
    named += [("country", name, 0) for name in request.countries]
    for what, name, place in named:
        if any(key[place] == name for key in sets):
            continue
        rows = connection.execute(
            f"""SELECT DISTINCT {what} FROM job_results
                 WHERE job_status = 'success' AND run_id <= ? ORDER BY 1""",
            [request.run_id],
        )
        hint = did_you_mean_or_list(name, [known for (known,) in rows])
        raise ConfigError(f"no results of {what} {name!r} as of run {request.run_id}{hint}")


def _horizons(indicator: Indicator, state: _State) -> tuple[int | None, ...]:
    return state.request.until or horizons(indicator, state.known) or (None,)


# --- what each country adds ----------------------------------------------------------------------


def _parts(
    state: _State, indicator: Indicator, until: int | None
) -> Mapping[tuple[str, str], _Part]:
    """What each country adds under each scenario, read once."""
    key = (indicator.name, until)
    if key not in state.parts:
        state.parts[key] = _read_parts(state, indicator, until)
    return state.parts[key]


def _read_parts(
    state: _State, indicator: Indicator, until: int | None
) -> dict[tuple[str, str], _Part]:
    labels, windows = _windows(state, indicator, until)
    all_windows = _of_all(windows)
    discount = _discount(state, indicator)
    read = state.connection, labels.terms, indicator.aggregate
    levels = read_levels(*read, all_windows, discount)
    weights: Mapping[Window, float] = {}
    if labels.per is not None:
        per = ((labels.per, 1),)
        weights = read_levels(state.connection, per, indicator.aggregate, all_windows)
    parts = {}
    for key, window in windows.items():
        if isinstance(window, _Part):
            parts[key] = window
            continue
        low, high = window
        years = Span(high.first, high.last)
        if low not in levels or high not in levels:
            year = years.last if indicator.aggregate == "last" else years.first
            parts[key] = _Part(note=f"no number of {year}")
            continue
        value = _sense(indicator, levels[low], levels[high])
        weight = weights.get(high if indicator.sense == "level" else low)
        parts[key] = _Part(value, weight, years, _partial_note(indicator, until, years))
    return parts


def _sense(indicator: Indicator, baseline: float, scenario: float) -> float:
    """The number of a scenario in the sense of an indicator."""
    if indicator.sense == "level":
        return scenario
    return baseline - scenario if indicator.sense == "averted" else scenario - baseline


def _discount(state: _State, indicator: Indicator) -> Discount:
    if not indicator.discount:
        return Discount()
    return Discount(indicator.discount, indicator.base_year or state.first_year)


def _of_all(windows: _Windows) -> list[Window]:
    pairs = (pair for pair in windows.values() if not isinstance(pair, _Part))
    return sorted({one for pair in pairs for one in pair})


def _windows(state: _State, indicator: Indicator, until: int | None) -> tuple[_Labels, _Windows]:
    """The years that count in each country and scenario, of the baseline and of the scenario.

    A part without a value where there are none, or not all that are needed.
    """
    labels = _choose_labels(state, indicator)
    elements = [element for element, _ in labels.terms]
    sides = {one: state.spans(one, elements) for one in state.set_ids}
    per = {} if labels.per is None else {one: state.spans(one, [labels.per]) for one in sides}

    @cache
    def years(low: _Spans, own: _Spans, weights: _Spans) -> Span | str:
        if None in (*low, *own, *weights):
            needed = [*elements, *elements, *([labels.per] * len(weights))]
            all_spans = zip(needed, (*low, *own, *weights), strict=True)
            lacks = {element for element, span in all_spans if span is None}
            return f"no numbers of {at_most([n for n, e in state.elements.items() if e in lacks])}"
        return _years(indicator, until, low, own, weights)

    windows: _Windows = {}
    baseline = state.request.baseline
    for scenario in state.scenarios:
        for country in state.countries:
            own = state.sets.get((country, scenario))
            low = own if indicator.sense == "level" else state.sets.get((country, baseline))
            if own is None or low is None:
                lacking = scenario if own is None else f"the baseline {baseline}"
                windows[country, scenario] = _Part(note=_NO_RESULTS + lacking)
                continue
            found = years(sides[low], sides[own], (*per.get(low, ()), *per.get(own, ())))
            windows[country, scenario] = (
                _Part(note=found)
                if isinstance(found, str)
                else (Window(low, *found), Window(own, *found))
            )
    return labels, windows


def _choose_labels(state: _State, indicator: Indicator) -> _Labels:
    """The ids of an indicator's labels. Raises ConfigError: unknown ones, or that do not fit."""
    place = f"indicator {indicator.name!r}"
    try:
        problems = label_problems(indicator, state.labels)
    except ConfigError as exc:
        raise ConfigError(f"{place}: {exc}") from exc
    if problems:
        raise ConfigError(f"{place}: {'; '.join(problems)}")
    counts = indicator.select(sorted(state.labels))
    terms = tuple((state.elements[name], count) for name, count in counts.items())
    return _Labels(terms, state.elements[indicator.per] if indicator.per else None)


def _years(
    indicator: Indicator, until: int | None, low: _Spans, own: _Spans, weights: _Spans
) -> Span | str:
    """The years that count, or why there are none: where they are not all there, by allow_partial.

    Of labels that end in different years a sum takes what there is; anything else, and what is
    divided, is of the years that all have.
    """
    first = indicator.from_year
    low, own = (tuple(_clipped(s, first, until) for s in side if s) for side in (low, own))
    per = [_clipped(span, first, until) for span in weights if span]
    spans = [*low, *own, *per]
    common = Span(max(s.first for s in spans), min(s.last for s in spans))
    is_partial = (
        low != own
        or (until is not None and common.last < until)
        or (first is not None and common.first > first)
    )
    if common.first > common.last:
        return "none of the years that are asked for"
    if is_partial and not indicator.allow_partial:
        return _only(common)
    if is_partial or per or indicator.aggregate != "sum":
        return common
    return Span(min(s.first for s in spans), max(s.last for s in spans))


def _clipped(span: Span, first: int | None, last: int | None) -> Span:
    return Span(
        span.first if first is None else max(span.first, first),
        span.last if last is None else min(span.last, last),
    )


def _only(years: Span) -> str:
    return f"only {years_text(range(years.first, years.last + 1))} of the years"


def _partial_note(indicator: Indicator, until: int | None, years: Span) -> str:
    """Which years a number is of, where these are not all that were asked for."""
    asked = Span(indicator.from_year or years.first, until or years.last)
    return "" if asked == years else _only(years)


# --- groups and ratios ---------------------------------------------------------------------------


def _leaves(state: _State, indicator: Indicator) -> Iterator[Indicator]:
    """The indicators of labels that an indicator is made of."""
    if not indicator.ratio:
        yield indicator
    for name in indicator.ratio:
        yield from _leaves(state, state.known[name])


def _rows(
    state: _State,
    indicator: Indicator,
    until: int | None,
    groups: Mapping[tuple[str, ...], Sequence[str]],
) -> Iterator[IndicatorRow]:
    leaves = [_parts(state, leaf, until) for leaf in _leaves(state, indicator)]
    unit = unit_of(indicator, state.labels, state.known)
    for group in sorted(groups):
        for scenario in state.scenarios:
            usable, reasons = [], list[str]()
            spans, notes = [], list[str]()
            for country in groups[group]:
                parts = [leaf[country, scenario] for leaf in leaves]
                lacking = [part.note for part in parts if part.value is None]
                if lacking:
                    reasons.append(lacking[0])
                    continue
                usable.append(country)
                notes += [part.note for part in parts if part.note]
                spans += [part.years for part in parts if part.years]
            value, note = _value(state, indicator, until, scenario, usable)
            if not usable:
                note = max(reasons, key=reasons.count, default="no countries")
            counted = set(usable)
            yield IndicatorRow(
                indicator=indicator.name,
                until=until,
                group=group,
                scenario=scenario,
                value=value,
                unit=unit,
                countries=len(usable),
                of_countries=len(groups[group]),
                missing=tuple(c for c in groups[group] if c not in counted),
                note=note or (max(notes, key=notes.count) if notes else ""),
                first_year=min((span.first for span in spans), default=None),
                last_year=max((span.last for span in spans), default=None),
            )


def _value(
    state: _State,
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
    parts = _parts(state, indicator, until)
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


def _why_alone(state: _State, indicator: Indicator) -> str:
    """Why an indicator of several countries is no sum; empty where it is."""
    if not indicator.adds_over_countries:
        return f"the {indicator.aggregate} over years does not add up over countries"
    names = [*indicator.select(sorted(state.labels)), *filter(None, [indicator.per])]
    alone = [name for name in names if state.labels[name].over_countries != "sum"]
    return f"{at_most(alone)} does not add up over countries" if alone else ""


def _notes(state: _State, indicators: Sequence[Indicator]) -> Iterator[str]:
    """Which countries have no number and why, once for all that are alike."""
    measures = [(one, until) for one in indicators for until in _horizons(one, state)]
    concerned = defaultdict[tuple[str, tuple[str, ...]], list[str]](list)
    for indicator, until in measures:
        lacking = defaultdict[str, dict[str, None]](dict)
        for leaf in _leaves(state, indicator):
            for (country, _), part in _parts(state, leaf, until).items():
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
    scenarios = [note.removeprefix(_NO_RESULTS) for note in notes if note.startswith(_NO_RESULTS)]
    others = [note for note in notes if not note.startswith(_NO_RESULTS)]
    return "; ".join([*([_NO_RESULTS + at_most(scenarios)] if scenarios else []), *others])
