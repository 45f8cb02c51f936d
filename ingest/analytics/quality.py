"""Data quality: what the rules of a study find in results. Pure: numbers in, findings out."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from ingest.findings import Severity
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.study.quality_rules import Rule, is_pattern, matching

MAX_FINDINGS = 20
# Fewer countries than this have no distribution to stand out of.
MIN_COUNTRIES = 8
# The median absolute deviation of a normal distribution times this is its standard deviation.
_MAD_TO_SD = 1.4826

Series = Mapping[int, float]
"""The values of one label by year."""


@dataclass(frozen=True)
class QualityFinding:
    """One thing that a rule found in the results of one combination.

    element_label, timestamp_year and value are None where a finding is about more than one.
    """

    rule: str
    severity: Severity
    country: str
    scenario: str
    element_label: str | None
    timestamp_year: int | None
    value: float | None
    message: str


@dataclass(frozen=True)
class Problem:
    """What a check found, before it is known whose rule and combination it belongs to."""

    label: str | None
    year: int | None
    value: float | None
    message: str


def check_result_set(
    rules: Iterable[Rule],
    combination: Combination,
    result_set: ResultSet,
    max_findings: int = MAX_FINDINGS,
) -> list[QualityFinding]:
    """What the rules that need one job alone find in its results, in the order of the rules."""
    chosen = [rule for rule in rules if rule.is_per_job and rule.applies_to(*combination)]
    if not chosen:
        return []
    results = series_by_label(result_set)
    return [
        finding
        for rule in chosen
        for finding in as_findings(
            rule, combination, _PER_JOB[rule.kind](rule, results), max_findings
        )
    ]


def series_by_label(result_set: ResultSet) -> dict[str, dict[int, float]]:
    """The values of each label by year, sorted."""
    results: dict[str, dict[int, float]] = {}
    for label, year, value in result_set.metrics:
        results.setdefault(label, {})[year] = value
    return results


def as_findings(
    rule: Rule, combination: Combination, problems: Iterable[Problem], max_findings: int
) -> list[QualityFinding]:
    """Problems as findings of a rule; the last of max_findings says how many more there are."""
    remaining = iter(problems)
    findings = [
        QualityFinding(
            rule.name, Severity(rule.severity), *combination, p.label, p.year, p.value, p.message
        )
        for p in islice(remaining, max_findings)
    ]
    more = sum(1 for _ in remaining)
    if more:
        findings[-1] = replace(findings[-1], message=f"{findings[-1].message} (and {more:,} more)")
    return findings


def shown(number: float) -> str:
    """Six digits, or all before the point with separators: 0.0312, 792.857, 5,062,764."""
    return f"{number:,.0f}" if 1e5 <= abs(number) < 1e15 else f"{number:g}"


# --- one job -------------------------------------------------------------------------------------


def _chosen_labels(rule: Rule, results: Mapping[str, Series]) -> tuple[str, ...]:
    return matching(tuple(results), rule.label)


def _missing(labels: Iterable[str], results: Mapping[str, Series]) -> Iterator[Problem]:
    """A problem for each label that is named, not only matched, and has no values."""
    for label in labels:
        if label not in results and not (is_pattern(label) and matching(tuple(results), (label,))):
            yield Problem(label, None, None, f"no metric labelled {label!r}")


def check_bounds(rule: Rule, results: Mapping[str, Series]) -> Iterator[Problem]:
    """Values below the minimum or above the maximum."""
    yield from _missing(rule.label, results)
    minimum = -math.inf if rule.minimum is None else rule.minimum
    maximum = math.inf if rule.maximum is None else rule.maximum
    for label in _chosen_labels(rule, results):
        values = results[label].values()
        if min(values) >= minimum and max(values) <= maximum:
            continue
        for year, value in results[label].items():
            if value < minimum and not _is_noise(rule, value, minimum):
                yield Problem(label, year, value, f"{shown(value)} is below {shown(minimum)}")
            elif value > maximum and not _is_noise(rule, value, maximum):
                yield Problem(label, year, value, f"{shown(value)} is above {shown(maximum)}")


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
        result, expected = math.fsum(terms), total[year]
        size = max(abs(expected), math.fsum(map(abs, terms)))
        if abs(result - expected) > rule.rtol * size:
            parts = " + ".join(rule.sum) + "".join(f" - {label}" for label in rule.minus)
            off = f"{shown(abs(expected - result))} {'less' if expected < result else 'more'}"
            message = f"{shown(expected)} is {off} than {parts}, {shown(result)}"
            yield Problem(rule.total, year, expected, message)


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


_PER_JOB: dict[str, Callable[[Rule, Mapping[str, Series]], Iterator[Problem]]] = {
    "bounds": check_bounds,
    "monotone": check_monotone,
    "conserved": check_conserved,
    "complete_years": check_complete_years,
}


def _is_noise(rule: Rule, a: float, b: float) -> bool:
    return abs(a - b) <= rule.rtol * max(abs(a), abs(b))


# --- several jobs --------------------------------------------------------------------------------


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
            sums = math.fsum(low[year] for year in years), math.fsum(high[year] for year in years)
            pairs = [(None, *sums)]
        for year, before, value in pairs:
            if before > value and not _is_noise(rule, before, value):
                what = "" if year else "the sum over the years, "
                message = f"{what}{shown(value)}, is below that of {lower}, {shown(before)}"
                yield upper, Problem(label, year, value, message)


def check_same_first_year(
    rule: Rule, label: str | None, scenarios: Mapping[str, Series]
) -> Iterator[tuple[str, Problem]]:
    """In one country, scenarios that begin with another year (or value) than most.

    label: None where scenarios holds the first year of all labels together.
    """
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


def check_outliers(
    rule: Rule, label: str, ratios: Mapping[str, float]
) -> Iterator[tuple[str, Problem]]:
    """Under one scenario, countries whose ratio of label to rule.per stands out.

    ratios by country; only positive ones have a logarithm and are looked at. The distance is that
    from the median in robust standard deviations (1.4826 times the median absolute deviation).
    """
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


def count_severities(findings: Sequence[QualityFinding]) -> tuple[int, int]:
    """How many findings are errors, and how many are warnings."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    return errors, len(findings) - errors
