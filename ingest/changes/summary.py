"""A difference summed up as a reader wants it: the pattern first, then labels, causes, the largest.

Every relative change is that of a series in its largest year, the year in which it moved most:
(after - before) / |before|. Where before is zero or missing there is none: n/a, never infinity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from statistics import median

from ingest.changes.diff import SeriesChange, StateDiff
from ingest.planning.causes import Cause
from ingest.study.combination import Combination
from ingest.text.numbers import (
    NOT_AVAILABLE,
    at_most,
    count_text,
    factor_text,
    percent_text,
)

# A factor stands for all series when it is off by no more than this share of the change itself.
_FACTOR_SPREAD = 0.02
_NAMED = 3
OTHER_YEARS = "other years"
SERIES = "series|series"
COUNTRIES = "country|countries"


class Direction(StrEnum):
    """Where the series of a label went; none: no series that was in both states."""

    UP = "up"
    DOWN = "down"
    MIXED = "mixed"
    NONE = "none"


@dataclass(frozen=True)
class LabelSummary:
    """What happened to the series of one element label.

    series: how many changed, came or went. share_of_changes: series as a share of all series of
    the difference, 0 to 1. smallest, median, largest: relative changes with their signs; smallest
    and largest by size where all went one way (−0.4 % to −2.1 %), the lowest and the highest where
    they went both ways; None where no series has a relative change. not_available: changed series
    without one, because before is zero. other_years: series of which only one state has some
    years. largest_series: the one with the largest size.
    """

    element_label: str
    series: int
    share_of_changes: float
    direction: Direction
    smallest: float | None
    median: float | None
    largest: float | None
    not_available: int
    added: int
    removed: int
    largest_series: SeriesChange | None
    other_years: int = 0

    @property
    def range_text(self) -> str:
        """−0.40 % to −2.10 %; one number where they are the same; n/a where there is none.

        "other years" where only the years of the series are others.
        """
        if self.smallest is None and self.other_years and not self.not_available:
            return OTHER_YEARS
        return range_text(self.smallest, self.largest)


def median_text(label: LabelSummary) -> str:
    """The median change, n/a where there is none; empty where only years are others."""
    return "" if label.range_text == OTHER_YEARS else percent_text(label.median)


@dataclass(frozen=True)
class CausePattern:
    """One cause and the combinations it moved; scenarios in alphabetical order.

    cause: one line. more: the changes it leaves out that can move a number. rest: those that
    cannot.
    """

    cause: str
    more: tuple[str, ...]
    rest: tuple[str, ...]
    combinations: int
    countries: int
    scenarios: tuple[str, ...]
    is_nondeterministic: bool


@dataclass(frozen=True)
class Pattern:
    """Labels that moved in exactly the same combinations.

    share_of_changes: their series as a share of all series of the difference, 0 to 1. factor:
    after / before, where it is nearly the same for all series; else None. smallest, largest: the
    range as in LabelSummary. only_other_years: all that moved is that years came or went.
    """

    labels: tuple[str, ...]
    countries: tuple[str, ...]
    scenarios: tuple[str, ...]
    series: int
    share_of_changes: float
    factor: float | None
    smallest: float | None
    largest: float | None
    only_other_years: bool = False

    def text(self, study_countries: int | None = None) -> str:
        """One line: "93 % of changes: Healthy Years Lived, all 187 countries, asthma_cr1, ×1.02".

        study_countries: how many countries there are, so that all of them are called so.
        """
        labels = self.labels[0] if len(self.labels) == 1 else count_text(len(self.labels), "label")
        size = (
            factor_text(self.factor)
            if self.factor is not None
            else OTHER_YEARS
            if self.only_other_years
            else range_text(self.smallest, self.largest)
        )
        countries = _names(self.countries, COUNTRIES)
        if len(self.countries) == study_countries and study_countries > 1:
            countries = f"all {countries}"
        scenarios = _names(self.scenarios, "scenario")
        return f"{share_text(self.share_of_changes)} of changes: " + ", ".join(
            [labels, countries, scenarios, size]
        )


def share_text(share: float) -> str:
    """93 %, <1 %, >99 %: 0 and 100 are kept for none and all."""
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{share * 100:.0f} %"


def range_text(smallest: float | None, largest: float | None) -> str:
    """−0.40 % to −2.10 %; one number where they are the same; n/a where there is none."""
    ends = list(dict.fromkeys(map(percent_text, (smallest, largest))))
    return NOT_AVAILABLE if smallest is None else " to ".join(ends)


def summarise_labels(diff: StateDiff) -> list[LabelSummary]:
    """One summary for each label that moved: the most series first, then the largest change."""
    groups = _by_label(diff).items()
    summaries = [_summarise(label, group, len(diff.series)) for label, group in groups]
    return sorted(summaries, key=_label_order)


def summarise_causes(diff: StateDiff) -> list[CausePattern]:
    """One pattern for each cause, the one with the most combinations first."""
    return [_cause_pattern(*group) for group in diff.by_cause]


def _cause_pattern(cause: Cause, combinations: Sequence[Combination]) -> CausePattern:
    scenarios = tuple(sorted({combination.scenario for combination in combinations}))
    more, everything = cause.more(), cause.more(show_all=True)
    return CausePattern(
        cause=cause.told(scenarios),
        more=tuple(more),
        rest=tuple(text for text in everything if text not in more),
        combinations=len(combinations),
        countries=len({combination.country for combination in combinations}),
        scenarios=scenarios,
        is_nondeterministic=cause.is_nondeterministic,
    )


def summarise_patterns(diff: StateDiff) -> list[Pattern]:
    """Labels that moved in the same combinations, together; the largest share first."""
    together: dict[frozenset[Combination], list[SeriesChange]] = {}
    for group in _by_label(diff).values():
        moved = frozenset(Combination(s.country, s.scenario) for s in group)
        together.setdefault(moved, []).extend(group)
    patterns = [_pattern(group, len(diff.series)) for group in together.values()]
    return sorted(patterns, key=lambda pattern: (-pattern.series, pattern.labels))


def _by_label(diff: StateDiff) -> dict[str, list[SeriesChange]]:
    groups: dict[str, list[SeriesChange]] = {}
    for series in diff.series:
        groups.setdefault(series.element_label, []).append(series)
    return groups


def largest(diff: StateDiff, limit: int) -> list[SeriesChange]:
    """The changed series with the largest relative change, the largest first.

    Series without a relative change (before is zero) come last, by their absolute change; series
    that came or went are not among them.
    """
    changed = [series for series in diff.series if series.kind == "changed"]
    return sorted(changed, key=_size_order)[:limit]


def headline(diff: StateDiff) -> str:
    """The difference in one sentence."""
    between = f"between run {diff.before.run_id} and run {diff.after.run_id}"
    gone = _came_and_went(diff)
    total = len(diff.changed) + len(diff.within) + diff.equal + len(diff.added) + len(diff.removed)
    if not diff.changed:
        alike = count_text(diff.equal + len(diff.within), "combination")
        if not gone:
            tolerance = " within the tolerance" if diff.within else ""
            return f"Nothing changed {between}: {alike} are equal{tolerance}."
        return f"No number changed {between} ({alike} compared), but {gone}."
    scope = ", ".join(
        [
            count_text(len({series.element_label for series in diff.series}), "label"),
            _names(sorted({c.country for c in diff.changed}), COUNTRIES),
            _names(sorted({c.scenario for c in diff.changed}), "scenario"),
        ]
    )
    top = next(iter(largest(diff, 1)), None)
    most = f"; largest {describe_series(top)}" if top else ""
    changed = f"{len(diff.changed):,} of {count_text(total, 'combination')}"
    years = at_most(horizon_texts(diff), 1)
    also = "".join(f"; {text}" for text in (f"years {years}" if years else "", gone) if text)
    return f"{changed} changed {between}: {scope}{most}{also}."


def describe_series(series: SeriesChange) -> str:
    """Label, country / scenario, relative change in year."""
    year = f" in {series.largest_year}" if series.largest_year is not None else ""
    place = f"{series.element_label}, {series.country} / {series.scenario}"
    size = f"{percent_text(series.relative)}{year}"
    return f"{place}, {size if series.has_common_change else change_text(series)}"


def change_text(series: SeriesChange) -> str:
    """+1.34 %; 2036-2050 removed; both; or added or removed for a whole series."""
    if series.kind != "changed":
        return series.kind
    size = percent_text(series.relative) if series.has_common_change else ""
    return "; ".join(filter(None, [size, series.other_years])) or NOT_AVAILABLE


def horizon_texts(diff: StateDiff) -> list[str]:
    """The years that only one state has, the most series first: 2036-2050 removed in 24 series."""
    moved = [series for series in diff.series if series.other_years]
    return [
        f"{years} in {count_text(number, SERIES)}"
        for years, number in Counter(series.other_years for series in moved).most_common()
    ]


def nondeterministic_warning(diff: StateDiff) -> str:
    """What to tell when numbers moved although no input did; empty where they did not."""
    number = sum(cause.is_nondeterministic for cause in diff.changed.values())
    if not number:
        return ""
    return (
        f"the model is not deterministic: {count_text(number, 'combination')} changed although "
        "no input did"
    )


def _came_and_went(diff: StateDiff) -> str:
    parts = [
        f"{count_text(len(combinations), 'combination')} {word}"
        + (f" ({count_text(numbers, what)})" if numbers else "")
        for combinations, word, numbers, what in (
            (diff.added, "added", diff.added_numbers, "number is new|numbers are new"),
            (diff.removed, "removed", diff.removed_numbers, "number|numbers"),
        )
        if combinations
    ]
    return ", ".join(parts)


def _summarise(label: str, group: Sequence[SeriesChange], all_series: int) -> LabelSummary:
    changed = [series for series in group if series.kind == "changed"]
    spread = _Spread(changed)
    return LabelSummary(
        element_label=label,
        series=len(group),
        share_of_changes=len(group) / all_series,
        direction=spread.direction,
        smallest=spread.smallest,
        median=median(spread.values) if spread.values else None,
        largest=spread.largest,
        not_available=sum(s.has_common_change and s.relative is None for s in changed),
        added=sum(series.kind == "added" for series in group),
        removed=sum(series.kind == "removed" for series in group),
        largest_series=min(changed, key=_size_order, default=None),
        other_years=sum(bool(series.other_years) for series in changed),
    )


@dataclass(frozen=True)
class _Spread:
    """The relative changes of some series that were in both states."""

    changed: Sequence[SeriesChange]

    @cached_property
    def values(self) -> list[float]:
        return [series.relative for series in self.changed if series.relative is not None]

    @cached_property
    def direction(self) -> Direction:
        signs = {series.absolute > 0 for series in self.changed if series.absolute}
        if len(signs) == 2:
            return Direction.MIXED
        if not signs:
            return Direction.NONE
        return Direction.UP if signs == {True} else Direction.DOWN

    @property
    def smallest(self) -> float | None:
        return min(self.values, key=self._order, default=None)

    @property
    def largest(self) -> float | None:
        return max(self.values, key=self._order, default=None)

    def _order(self, value: float) -> float:
        return value if self.direction is Direction.MIXED else abs(value)


def _pattern(group: Sequence[SeriesChange], all_series: int) -> Pattern:
    spread = _Spread([series for series in group if series.kind == "changed"])
    return Pattern(
        labels=tuple(sorted({series.element_label for series in group})),
        countries=tuple(sorted({series.country for series in group})),
        scenarios=tuple(sorted({series.scenario for series in group})),
        series=len(group),
        share_of_changes=len(group) / all_series,
        factor=_common_factor(group),
        smallest=spread.smallest,
        largest=spread.largest,
        only_other_years=all(s.other_years and not s.has_common_change for s in group),
    )


def _common_factor(group: Iterable[SeriesChange]) -> float | None:
    """after / before where it is nearly the same for every series, else None."""
    factors = []
    for series in group:
        if not series.before or series.after is None:
            return None
        factors.append(series.after / series.before)
    middle = median(factors)
    spread = max(abs(factor - middle) for factor in factors)
    return middle if middle > 0 and spread <= _FACTOR_SPREAD * abs(middle - 1) else None


def _names(names: Sequence[str], noun: str) -> str:
    """The names where they are few, else how many there are."""
    return ", ".join(names) if len(names) <= _NAMED else count_text(len(names), noun)


def _label_order(summary: LabelSummary) -> tuple[int, float, str]:
    size = abs(summary.median) if summary.median is not None else 0.0
    return (-summary.series, -size, summary.element_label)


def _size_order(series: SeriesChange) -> tuple[bool, float, float, str, str, str]:
    relative, absolute = series.relative, series.absolute
    names = (series.country, series.scenario, series.element_label)
    return (relative is None, -abs(relative or 0.0), -abs(absolute or 0.0), *names)
