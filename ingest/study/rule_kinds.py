"""The kinds of data-quality rules: of each the keys, what is wrong with them, and the check.

Pure: numbers in, problems out. A new kind is a function with @rule_kind; a key that no kind had
before is a field of quality_rules.Rule.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from ingest.text.numbers import exact_sum

if TYPE_CHECKING:
    from ingest.study.quality_rules import Rule

# Fewer countries than this have no distribution to stand out of.
MIN_COUNTRIES = 8
# The median absolute deviation of a normal distribution times this is its standard deviation.
_MAD_TO_SD = 1.4826

Series = Mapping[int, float]
"""The values of one label by year."""
Check = TypeVar("Check", bound=Callable[..., Iterator[Any]])


@dataclass(frozen=True)
class Problem:
    """What a check found, before it is known whose rule and combination it belongs to."""

    label: str | None
    year: int | None
    value: float | None
    message: str


class Scope(Enum):
    """What a kind compares, and so what its check is given after the rule, and what it yields.

    JOB: the results of one job, {label: Series}; problems. It is checked as soon as they are there.
    COUNTRY: a label and its values in one country, {scenario: Series}; (scenario, problem). For a
    rule without label and `values`, the label is None and each series has the first year alone.
    RUNS: a label and its Series in the state before the run and in the state as of it; problems.
    COUNTRIES: a label and, under one scenario, {country: sum of the label / sum of `per`};
    (country, problem).
    INDICATORS: the name of an indicator and its values in one country under one scenario, by the
    last year that counts (None for all); problems.
    """

    JOB = auto()
    COUNTRY = auto()
    RUNS = auto()
    COUNTRIES = auto()
    INDICATORS = auto()


@dataclass(frozen=True)
class RuleKind:
    """A kind of rule: the keys it needs and the further ones it may have, and its check.

    problems: what is wrong with the values of a rule's keys, as far as Rule does not say it.
    """

    doc: str
    scope: Scope
    needs: tuple[str, ...]
    may_have: tuple[str, ...]
    problems: Callable[[Rule], Iterable[str]]
    check: Callable[..., Iterator[Any]]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key of this kind, those of all kinds last."""
        return (*self.needs, *self.may_have, *_COMMON_KEYS)


_COMMON_KEYS = ("name", "kind", "severity", "countries", "scenarios")
KINDS: dict[str, RuleKind] = {}


def rule_kind(
    name: str,
    doc: str,
    scope: Scope,
    *,
    needs: tuple[str, ...] = (),
    may_have: tuple[str, ...] = (),
    problems: Callable[[Rule], Iterable[str]] = lambda rule: (),
) -> Callable[[Check], Check]:
    """Makes a function the check of a kind of rule."""

    def register(check: Check) -> Check:
        KINDS[name] = RuleKind(doc, scope, needs, may_have, problems, check)
        return check

    return register


def shown(number: float) -> str:
    """Six digits, or all before the point with separators: 0.0312, 792.857, 5,062,764."""
    return f"{number:,.0f}" if 1e5 <= abs(number) < 1e15 else f"{number:g}"


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of some names and glob patterns; no pattern stands for all."""
    return not patterns or any(name == p or fnmatchcase(name, p) for p in patterns)


@lru_cache(maxsize=256)
def matching(names: tuple[str, ...], patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The names that match() some patterns, in the order given."""
    return tuple(name for name in names if matches(name, patterns))


def is_pattern(name: str) -> bool:
    """Whether a name is a glob pattern."""
    return any(character in name for character in "*?[")


def _is_noise(rule: Rule, a: float, b: float) -> bool:
    return abs(a - b) <= rule.rtol * max(abs(a), abs(b))


def _mean(series: Series, years: Sequence[int]) -> float:
    return exact_sum([series[year] for year in years]) / len(years)


# --- one job --------------------------------------------------------------------------------------


def _chosen_labels(rule: Rule, results: Mapping[str, Series]) -> tuple[str, ...]:
    return matching(tuple(results), rule.label)


def _missing(labels: Iterable[str], results: Mapping[str, Series]) -> Iterator[Problem]:
    """A problem for each label that is named, not only matched, and has no values."""
    for label in labels:
        if label not in results and not (is_pattern(label) and matching(tuple(results), (label,))):
            yield Problem(label, None, None, f"no metric labelled {label!r}")


def _bounds_problems(rule: Rule) -> Iterator[str]:
    if rule.minimum is None and rule.maximum is None:
        yield f"minimum: a rule of kind {rule.kind} needs a minimum or a maximum"
    elif rule.minimum is not None and rule.maximum is not None and rule.minimum > rule.maximum:
        yield f"minimum: {rule.minimum:g} is more than the maximum, {rule.maximum:g}"


@rule_kind(
    "bounds",
    "every value is at least `minimum` and at most `maximum` (one of them may be left out)",
    Scope.JOB,
    needs=("label",),
    may_have=("minimum", "maximum", "rtol"),
    problems=_bounds_problems,
)
def check_bounds(rule: Rule, results: Mapping[str, Series]) -> Iterator[Problem]:
    """Values below the minimum or above the maximum."""
    yield from _missing(rule.label, results)
    for label in _chosen_labels(rule, results):
        yield from _beyond(rule, label, results[label])


def _beyond(rule: Rule, name: str, series: Mapping[Any, float]) -> Iterator[Problem]:
    """Values below the minimum or above the maximum of a rule, by year."""
    minimum = -math.inf if rule.minimum is None else rule.minimum
    maximum = math.inf if rule.maximum is None else rule.maximum
    values = series.values()
    if min(values) >= minimum and max(values) <= maximum:
        return
    for year, value in series.items():
        if value < minimum and not _is_noise(rule, value, minimum):
            yield Problem(name, year, value, f"{shown(value)} is below {shown(minimum)}")
        elif value > maximum and not _is_noise(rule, value, maximum):
            yield Problem(name, year, value, f"{shown(value)} is above {shown(maximum)}")


@rule_kind(
    "monotone",
    "values never fall (`increasing`) or never rise (`decreasing`) over the years",
    Scope.JOB,
    needs=("label", "direction"),
    may_have=("rtol",),
)
def check_monotone(rule: Rule, results: Mapping[str, Series]) -> Iterator[Problem]:
    """Years in which a value goes the wrong way against the year before."""
    yield from _missing(rule.label, results)
    increasing = rule.direction == "increasing"
    word = "falls" if increasing else "rises"
    for label in _chosen_labels(rule, results):
        for (before_year, before), (year, value) in pairwise(results[label].items()):
            low, high = (before, value) if increasing else (value, before)
            if low > high and not _is_noise(rule, low, high):
                message = f"{word} from {shown(before)} in {before_year} to {shown(value)}"
                yield Problem(label, year, value, message)


@rule_kind(
    "conserved",
    "in every year the labels of `sum`, less those of `minus`, add up to the label `total`",
    Scope.JOB,
    needs=("sum", "total"),
    may_have=("minus", "rtol"),
)
def check_conserved(rule: Rule, results: Mapping[str, Series]) -> Iterator[Problem]:
    """Years in which the parts do not add up to the total, or one of them has no value."""
    named = (*rule.sum, *rule.minus, rule.total)
    missing = list(_missing(named, results))
    yield from missing
    if missing:
        return
    plus, minus = [results[label] for label in rule.sum], [results[label] for label in rule.minus]
    total = results[rule.total]
    years = set().union(*(results[label] for label in named))
    for year in sorted(years):
        absent = [label for label in named if year not in results[label]]
        if absent:
            yield Problem(rule.total, year, None, f"no value of {', '.join(absent)}")
            continue
        terms = [*(part[year] for part in plus), *(-part[year] for part in minus)]
        result, expected = exact_sum(terms), total[year]
        size = max(abs(expected), exact_sum([abs(term) for term in terms]))
        if abs(result - expected) > rule.rtol * size:
            parts = " + ".join(rule.sum) + "".join(f" - {label}" for label in rule.minus)
            off = f"{shown(abs(expected - result))} {'less' if expected < result else 'more'}"
            message = f"{shown(expected)} is {off} than {parts}, {shown(result)}"
            yield Problem(rule.total, year, expected, message)


@rule_kind(
    "complete_years",
    "each label has every year from the first to the last of the job's results",
    Scope.JOB,
    may_have=("label",),
)
def check_complete_years(rule: Rule, results: Mapping[str, Series]) -> Iterator[Problem]:
    """Years that a label lacks between the first and the last year of all labels."""
    yield from _missing(rule.label, results)
    first = min(min(series) for series in results.values())
    last = max(max(series) for series in results.values())
    for label in _chosen_labels(rule, results):
        series = results[label]
        if len(series) == last - first + 1:
            continue
        for year in range(first, last + 1):
            if year not in series:
                message = f"no value, though the results are of {first} to {last}"
                yield Problem(label, year, None, message)


# --- several jobs ---------------------------------------------------------------------------------


def _ordering_problems(rule: Rule) -> Iterator[str]:
    if len(rule.scenarios) == 1:
        yield "scenarios: two scenarios or more are needed, the lowest first"


@rule_kind(
    "ordering",
    "in each country the label does not fall from one of `scenarios` to the next",
    Scope.COUNTRY,
    needs=("label", "scenarios"),
    may_have=("compare", "rtol"),
    problems=_ordering_problems,
)
def check_ordering(
    rule: Rule, label: str, scenarios: Mapping[str, Series]
) -> Iterator[tuple[str, Problem]]:
    """In one country, scenarios in which a label is lower than in the one before it in the order.

    scenarios: the label's values by scenario, empty where a scenario lacks the label. Yields the
    scenario with the problem; two scenarios are compared in the years that both have.
    """
    present = [scenario for scenario in rule.scenarios if scenario in scenarios]
    for scenario in present:
        if not scenarios[scenario]:
            yield scenario, Problem(label, None, None, f"no metric labelled {label!r}")
    for lower, upper in pairwise(name for name in present if scenarios[name]):
        low, high = scenarios[lower], scenarios[upper]
        years = sorted(low.keys() & high.keys())
        pairs: list[tuple[int | None, float, float]]
        if rule.compare == "value":
            pairs = [(year, low[year], high[year]) for year in years]
        else:
            pairs = [(None, _mean(low, years), _mean(high, years))] if years else []
        for year, before, value in pairs:
            if before > value and not _is_noise(rule, before, value):
                what = "" if year else "the mean over the years, "
                message = f"{what}{shown(value)}, is below that of {lower}, {shown(before)}"
                yield upper, Problem(label, year, value, message)


@rule_kind(
    "same_first_year",
    "in each country all scenarios begin with the same year; with `values`, the same values",
    Scope.COUNTRY,
    may_have=("label", "values", "rtol"),
)
def check_same_first_year(
    rule: Rule, label: str | None, scenarios: Mapping[str, Series]
) -> Iterator[tuple[str, Problem]]:
    """In one country, scenarios that begin with another year (or value) than most.

    label: None where scenarios holds the first year of all labels together.
    """
    import statistics

    firsts = {scenario: min(series) for scenario, series in scenarios.items() if series}
    if len(firsts) < 2:
        return
    counts = Counter(firsts.values())
    usual = min(counts, key=lambda year: (-counts[year], year))
    for scenario, year in firsts.items():
        if year != usual:
            message = f"begins in {year}, other scenarios in {usual}"
            yield scenario, Problem(label, year, None, message)
    if not rule.values:
        return
    values = {name: scenarios[name][usual] for name, year in firsts.items() if year == usual}
    middle = statistics.median_low(values.values())
    for scenario, value in values.items():
        if not _is_noise(rule, value, middle):
            message = f"begins with {shown(value)}, other scenarios with {shown(middle)}"
            yield scenario, Problem(label, usual, value, message)


@rule_kind(
    "jump",
    "no value moves by more than `factor` times against the state before the run",
    Scope.RUNS,
    needs=("label",),
    may_have=("factor",),
)
def check_jump(rule: Rule, label: str, before: Series, after: Series) -> Iterator[Problem]:
    """Years in which a value grew or shrank more than factor times; zeros are left alone."""
    for year in sorted(before.keys() & after.keys()):
        old, new = before[year], after[year]
        if not old or not new:
            continue
        ratio = new / old
        if ratio < 0 or not 1 / rule.factor <= ratio <= rule.factor:
            yield Problem(
                label,
                year,
                new,
                f"was {shown(old)}, is {shown(new)} ({ratio:.3g} times)",
            )


@rule_kind(
    "outlier",
    "the label's sum over the years, per unit of `per`, is like that of other countries",
    Scope.COUNTRIES,
    needs=("label", "per"),
    may_have=("z",),
)
def check_outliers(
    rule: Rule, label: str, ratios: Mapping[str, float]
) -> Iterator[tuple[str, Problem]]:
    """Under one scenario, countries whose ratio of label to rule.per stands out.

    ratios by country; only positive ones have a logarithm and are looked at. The distance is that
    from the median in robust standard deviations (1.4826 times the median absolute deviation).
    """
    import statistics

    logs = {country: math.log(ratio) for country, ratio in ratios.items() if ratio > 0}
    if len(logs) < MIN_COUNTRIES:
        return
    middle = statistics.median(logs.values())
    deviation = _MAD_TO_SD * statistics.median(abs(log - middle) for log in logs.values())
    # with most countries equal to the last bit, rounding in the others would stand out
    deviation = max(deviation, 1e-9)
    for country, log in logs.items():
        z = (log - middle) / deviation
        if abs(z) > rule.z:
            message = (
                f"{shown(ratios[country])} per unit of {rule.per}, "
                f"where the median country has {shown(math.exp(middle))} (z {z:+.1f})"
            )
            yield country, Problem(label, None, ratios[country], message)


# --- indicators ----------------------------------------------------------------------------------


@rule_kind(
    "indicator",
    "the indicator's number of each country is at least `minimum` and at most `maximum`",
    Scope.INDICATORS,
    needs=("indicator",),
    may_have=("minimum", "maximum", "rtol"),
    problems=_bounds_problems,
)
def check_indicator(
    rule: Rule, indicator: str, values: Mapping[int | None, float]
) -> Iterator[Problem]:
    """Numbers of an indicator below the minimum or above the maximum, by horizon."""
    yield from _beyond(rule, indicator, values)
