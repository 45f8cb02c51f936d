"""What each country adds to an indicator under each scenario: years, sums, differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ingest.database.indicator_levels import (
    Discount,
    Span,
    Terms,
    read_levels,
    read_years,
)
from ingest.database.indicator_state import IndicatorRequest, Part, Spans, State
from ingest.errors import ConfigError
from ingest.study.indicators import Indicator, label_problems
from ingest.text.numbers import at_most, years_text

NO_RESULTS = "no results of "
_OTHER_YEARS = "years that only one of the baseline and the scenario has"


class Pair(NamedTuple):
    """The result sets of the baseline and of a scenario, and the years that count.

    note: which these are, if not all.
    """

    baseline: int
    own: int
    years: Span
    note: str = ""


Pairs = dict[tuple[str, str], Pair | Part]
Levels = Mapping[Span, Mapping[int, float]]
"""What labels come to, by the years that count and by result set."""


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
    found = state.parts.get(key)
    if found is None:
        found = state.parts[key] = _compute(state, indicator, until)
    return found


def _compute(state: State, indicator: Indicator, until: int | None) -> dict[tuple[str, str], Part]:
    labels, pairs = _read_pairs(state, indicator, until)
    sets = defaultdict[Span, set[int]](set)
    for pair in pairs.values():
        if isinstance(pair, Pair):
            sets[pair.years].update(pair[:2])
    discount = _discount_of(state, indicator)

    def read(terms: Terms, discount: Discount) -> Levels:
        return {
            years: read_levels(
                state.connection, terms, indicator.aggregate, chosen, years, discount
            )
            for years, chosen in sets.items()
        }

    levels = read(labels.terms, discount)
    weights = None if labels.per is None else read(((labels.per, 1),), Discount())
    return {
        key: pair if isinstance(pair, Part) else _part(indicator, pair, levels, weights)
        for key, pair in pairs.items()
    }


def _part(indicator: Indicator, pair: Pair, levels: Levels, weights: Levels | None) -> Part:
    low_set, own_set, years, note = pair
    found = levels[years]
    low, own, weight = found.get(low_set), found.get(own_set), None
    if weights is not None:
        weight = weights[years].get(own_set if indicator.sense == "level" else low_set)
    if low is None or own is None or (weights is not None and weight is None):
        return Part(note=f"no number of {years[indicator.aggregate == 'last']}")
    return Part(_in_sense(indicator, low, own), weight, years, note)


def _in_sense(indicator: Indicator, baseline: float, scenario: float) -> float:
    """The number of a scenario in the sense of an indicator."""
    if indicator.sense == "level":
        return scenario
    return baseline - scenario if indicator.sense == "averted" else scenario - baseline


def _discount_of(state: State, indicator: Indicator) -> Discount:
    """The rate of an indicator, and the year to which it discounts."""
    if not indicator.discount:
        return Discount()
    return Discount(indicator.discount, indicator.base_year or state.first_year)


def _read_pairs(
    state: State, indicator: Indicator, until: int | None
) -> tuple[ChosenLabels, Pairs]:
    """The years that count in each country and scenario, of the baseline and of the scenario.

    A part without a value where there are none, or not all that are needed.
    """
    labels = _choose_labels(state, indicator)
    elements = tuple(element for element, _ in labels.terms)
    kinds, kind_of = state.spans(elements if labels.per is None else (*elements, labels.per))

    @cache
    def years(low: int, own: int) -> tuple[Span | None, str, bool]:
        size = len(elements)
        low_spans, own_spans = kinds[low][:size], kinds[own][:size]
        weights = [span for kind in (low, own) for span in kinds[kind][size:]]
        is_gappy = any(span and span.has_gaps for span in (*low_spans, *own_spans))
        return *_years_of(state, indicator, until, labels, low_spans, own_spans, weights), is_gappy

    pairs: Pairs = {}
    is_level = indicator.sense == "level"
    for scenario in state.scenarios:
        needed = _needed(state.request, scenario, is_level)
        for country in state.countries:
            low, high = (state.sets.get((country, name)) for name in needed)
            if low is None or high is None:
                lacking = needed[1] if high is None else f"the baseline {needed[0]}"
                pairs[country, scenario] = Part(note=NO_RESULTS + lacking)
                continue
            found, note, is_gappy = years(kind_of[low], kind_of[high])
            if found is None:
                pairs[country, scenario] = Part(note=note)
            elif is_gappy and low != high and _differ(state, low, high, found, elements):
                pairs[country, scenario] = Part(note=_OTHER_YEARS)
            else:
                own = state.sets[country, scenario]
                pairs[country, scenario] = Pair(own if is_level else low, own, found, note)
    return labels, pairs


def _needed(request: IndicatorRequest, scenario: str, is_level: bool) -> tuple[str, str]:
    """The two scenarios that must have results, and the same years, for a number of a scenario."""
    if request.is_pair:
        return request.baseline, request.scenarios[-1]
    return scenario if is_level else request.baseline, scenario


def _differ(state: State, low: int, own: int, years: Span, elements: Sequence[int]) -> bool:
    """Whether a year of one result set is missing in the other."""
    one, other = (read_years(state.connection, each, years, elements) for each in (low, own))
    return one != other


def _years_of(
    state: State,
    indicator: Indicator,
    until: int | None,
    labels: ChosenLabels,
    low: Spans,
    own: Spans,
    weights: Sequence[Span | None],
) -> tuple[Span | None, str]:
    """As _years(); none where a label has no number."""
    elements = [element for element, _ in labels.terms]
    needed = [*elements, *elements, *([labels.per] * len(weights))]
    all_spans = zip(needed, (*low, *own, *weights), strict=True)
    lacks = {element for element, span in all_spans if span is None}
    if lacks:
        names = [name for name, element in state.elements.items() if element in lacks]
        return None, f"no numbers of {at_most(names)}"
    return _years(indicator, until, low, own, weights)


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
    indicator: Indicator,
    until: int | None,
    low_spans: Spans,
    own_spans: Spans,
    weights: Sequence[Span | None],
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
