"""What each country adds to an indicator under each scenario: years, sums, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ingest.database.indicator_levels import (
    Discount,
    Span,
    Terms,
    Window,
    read_levels,
    read_years,
)
from ingest.database.indicator_state import Part, Spans, State
from ingest.errors import ConfigError
from ingest.study.indicators import Indicator, label_problems
from ingest.text.numbers import at_most, years_text

NO_RESULTS = "no results of "
_OTHER_YEARS = "years that only one of the baseline and the scenario has"


class WindowPair(NamedTuple):
    """The years that count of the baseline and of a scenario; note: which, if not all."""

    baseline: Window
    own: Window
    note: str = ""


Pairs = dict[tuple[str, str], WindowPair | Part]


@dataclass(frozen=True)
class ChosenLabels:
    """The labels of an indicator: what is added and subtracted, and what it is divided by."""

    terms: Terms
    per: int | None = None


def read_parts(
    state: State, indicator: Indicator, until: int | None
) -> Mapping[tuple[str, str], Part]:
    """What each country adds under each scenario, read once."""
    key = (indicator.name, until)
    if key not in state.parts:
        state.parts[key] = _compute(state, indicator, until)
    return state.parts[key]


def _compute(state: State, indicator: Indicator, until: int | None) -> dict[tuple[str, str], Part]:
    labels, pairs = read_windows(state, indicator, until)
    windows = windows_of(pairs)
    read = state.connection, labels.terms, indicator.aggregate
    levels = read_levels(*read, windows, discount_of(state, indicator))
    weights: Mapping[Window, float] | None = None
    if labels.per is not None:
        per = ((labels.per, 1),)
        weights = read_levels(state.connection, per, indicator.aggregate, windows)
    return {
        key: pair if isinstance(pair, Part) else _part(indicator, pair, levels, weights)
        for key, pair in pairs.items()
    }


def _part(
    indicator: Indicator,
    pair: WindowPair,
    levels: Mapping[Window, float],
    weights: Mapping[Window, float] | None,
) -> Part:
    low, own, note = pair
    weighing = own if indicator.sense == "level" else low
    if low not in levels or own not in levels or not (weights is None or weighing in weights):
        return Part(note=f"no number of {own.last if indicator.aggregate == 'last' else own.first}")
    value = in_sense(indicator, levels[low], levels[own])
    weight = weights[weighing] if weights is not None else None
    return Part(value, weight, Span(own.first, own.last), note)


def in_sense(indicator: Indicator, baseline: float, scenario: float) -> float:
    """The number of a scenario in the sense of an indicator."""
    if indicator.sense == "level":
        return scenario
    return baseline - scenario if indicator.sense == "averted" else scenario - baseline


def discount_of(state: State, indicator: Indicator) -> Discount:
    """The rate of an indicator, and the year to which it discounts."""
    if not indicator.discount:
        return Discount()
    return Discount(indicator.discount, indicator.base_year or state.first_year)


def windows_of(pairs: Pairs) -> list[Window]:
    """The windows of all countries and scenarios, each once."""
    known = (pair for pair in pairs.values() if not isinstance(pair, Part))
    return sorted({window for pair in known for window in (pair.baseline, pair.own)})


def read_windows(
    state: State, indicator: Indicator, until: int | None
) -> tuple[ChosenLabels, Pairs]:
    """The years that count in each country and scenario, of the baseline and of the scenario.

    A part without a value where there are none, or not all that are needed.
    """
    labels = _choose_labels(state, indicator)
    elements = [element for element, _ in labels.terms]
    sides = {one: state.spans(one, elements) for one in state.set_ids}
    per = {} if labels.per is None else {one: state.spans(one, [labels.per]) for one in sides}

    @cache
    def years(low: Spans, own: Spans, weights: Spans) -> tuple[Span | None, str]:
        if None in (*low, *own, *weights):
            needed = [*elements, *elements, *([labels.per] * len(weights))]
            all_spans = zip(needed, (*low, *own, *weights), strict=True)
            lacks = {element for element, span in all_spans if span is None}
            names = [name for name, element in state.elements.items() if element in lacks]
            return None, f"no numbers of {at_most(names)}"
        return _years(indicator, until, low, own, weights)

    pairs: Pairs = {}
    baseline = state.request.baseline
    for scenario in state.scenarios:
        for country in state.countries:
            own = state.sets.get((country, scenario))
            low = own if indicator.sense == "level" else state.sets.get((country, baseline))
            if own is None or low is None:
                lacking = scenario if own is None else f"the baseline {baseline}"
                pairs[country, scenario] = Part(note=NO_RESULTS + lacking)
                continue
            found, note = years(sides[low], sides[own], (*per.get(low, ()), *per.get(own, ())))
            if found is None:
                pairs[country, scenario] = Part(note=note)
                continue
            pair = WindowPair(Window(low, *found[:2]), Window(own, *found[:2]), note)
            is_gappy = low != own and any(s and s.has_gaps for s in (*sides[low], *sides[own]))
            if is_gappy and _have_other_years(state, pair, elements):
                pairs[country, scenario] = Part(note=_OTHER_YEARS)
            else:
                pairs[country, scenario] = pair
    return labels, pairs


def _have_other_years(state: State, pair: WindowPair, elements: Sequence[int]) -> bool:
    low, own = (read_years(state.connection, one, elements) for one in pair[:2])
    return low != own


def _choose_labels(state: State, indicator: Indicator) -> ChosenLabels:
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
    return ChosenLabels(terms, state.elements[indicator.per] if indicator.per else None)


def _years(
    indicator: Indicator, until: int | None, low_spans: Spans, own_spans: Spans, weights: Spans
) -> tuple[Span | None, str]:
    """The years that count, and which these are, or none and why, where they are not all there.

    Of labels that end in different years a sum takes what there is; anything else, and what is
    divided, is of the years that all have.
    """
    first = indicator.from_year
    low, own = ([_clipped(s, first, until) for s in side if s] for side in (low_spans, own_spans))
    per = [_clipped(span, first, until) for span in weights if span]
    spans = [*low, *own, *per]
    common = Span(max(s.first for s in spans), min(s.last for s in spans))
    is_partial = (
        low != own
        or (until is not None and common.last < until)
        or (first is not None and common.first > first)
    )
    whole = Span(min(s.first for s in spans), max(s.last for s in spans))
    if not (is_partial or per) and indicator.aggregate == "sum" and whole.first <= whole.last:
        return whole, ""
    if common.first > common.last:
        return None, "none of the years that are asked for"
    note = f"only {years_text(range(common.first, common.last + 1))} of the years"
    if is_partial and not indicator.allow_partial:
        return None, note
    return common, note if is_partial else ""


def _clipped(span: Span, first: int | None, last: int | None) -> Span:
    return Span(
        span.first if first is None else max(span.first, first),
        span.last if last is None else min(span.last, last),
    )
