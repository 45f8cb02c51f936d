"""What an answer lacks, by the horizon of its document and by what other jobs of the run have.

Analytics lag behind the jobs: an answer may hold the first years, or the first labels, and look
whole. A model may also give a country fewer labels for good, and end a year before its document
does; what is taken for a lack is therefore only what most jobs of the same country and most jobs of
the same scenario have, and years that no study does without.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from ingest.analytics.sources.query import LABEL
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.study.settings import AnalyticsSettings
from ingest.text.numbers import at_most

_Part = tuple[str, int]
"""A label, and how many years before the answer's last one it ends."""


@dataclass(frozen=True)
class _Extent:
    """How far an answer reaches. years_short: years between its last one and the horizon's."""

    parts: frozenset[_Part]
    last_year: int
    step: int
    years_short: int


@dataclass
class _Group:
    """The answers of one country, or of one scenario."""

    jobs: int = 0
    parts: Counter[_Part] = field(default_factory=Counter)

    def usual(self, own: _Extent, *, is_in: bool) -> set[_Part]:
        """What most of the others have and this one lacks; is_in: it is counted among them."""
        others = self.jobs - is_in
        return {p for p, jobs in self.parts.items() if 2 * jobs > others and p not in own.parts}


class Completeness:
    """Knows answers that were taken for whole, and tells what another one of the run lacks."""

    def __init__(self, analytics: AnalyticsSettings) -> None:
        self._is_on = analytics.incomplete != "accept" and analytics.source != "executor"
        by_labels_alone = all(text.strip().startswith(LABEL) for text in analytics.filters)
        self._has_all_years = by_labels_alone and analytics.event_type in ("ECHO", "*")
        self._kept: dict[Combination, _Extent] = {}
        self._runs: dict[Combination, int] = {}  # of answers that may turn out to be short
        self._countries: dict[str, _Group] = defaultdict(_Group)
        self._scenarios: dict[str, _Group] = defaultdict(_Group)
        self._reaches_end = False  # any answer does; else it may be the model that does not
        self._ends_before = False  # an answer that was short by one step came no further

    def find_lack(
        self,
        combination: Combination,
        result_set: ResultSet,
        end_year: int | None,
        *,
        is_last: bool = False,
    ) -> str:
        """What a job's results lack, empty where they are whole.

        end_year: the first year after its document's horizon. is_last: nothing more can come.
        """
        if not self._is_on:
            return ""
        extent = _extent_of(result_set, end_year if self._has_all_years else None)
        self._reaches_end = self._reaches_end or (extent.years_short == 0 and end_year is not None)
        by_one_step = 0 < extent.years_short <= extent.step and not self._reaches_end
        self._ends_before = self._ends_before or (is_last and by_one_step)
        if extent.years_short and not (by_one_step and self._ends_before):
            return self._years_lack(extent)
        return self._labels_lack(combination, extent)

    @property
    def is_on(self) -> bool:
        """Whether any answer is looked at."""
        return self._is_on

    def keep(
        self,
        combination: Combination,
        result_set: ResultSet,
        end_year: int | None = None,
        *,
        run_id: int | None = None,
    ) -> None:
        """Results that were taken for whole; run_id: of their run, None where they are for sure."""
        if not self._is_on or combination in self._kept:
            return
        if run_id is not None:
            self._runs[combination] = run_id
        extent = _extent_of(result_set, end_year if self._has_all_years else None)
        self._kept[combination] = extent
        for group in self._groups(combination):
            group.jobs += 1
            group.parts.update(extent.parts)

    def forget(self, combination: Combination) -> None:
        """Results that turned out to be another job's."""
        extent = self._kept.pop(combination, None)
        self._runs.pop(combination, None)
        if extent is not None:
            for group in self._groups(combination):
                group.jobs -= 1
                group.parts.subtract(extent.parts)

    def find_late(self) -> dict[int, dict[Combination, str]]:
        """What results lack by what came after them, by their run."""
        found: dict[int, dict[Combination, str]] = {}
        for combination, run_id in self._runs.items():
            extent = self._kept[combination]
            short = extent.years_short and self._reaches_end
            lack = (short and self._years_lack(extent)) or self._labels_lack(combination, extent)
            if lack:
                found.setdefault(run_id, {})[combination] = lack
        return found

    def _groups(self, combination: Combination) -> tuple[_Group, _Group]:
        return self._countries[combination.country], self._scenarios[combination.scenario]

    def _years_lack(self, extent: _Extent) -> str:
        until = extent.last_year + extent.years_short
        return f"the results end in {extent.last_year}, the document's years in {until}"

    def _labels_lack(self, combination: Combination, extent: _Extent) -> str:
        is_in = combination in self._kept
        country, scenario = (g.usual(extent, is_in=is_in) for g in self._groups(combination))
        labels = sorted({label for label, _ in country & scenario})
        if not labels:
            return ""
        return (
            "the results lack labels, or the last years of labels, that other jobs of the same "
            f"country and of the same scenario have: {at_most(labels)}"
        )


def _extent_of(result_set: ResultSet, end_year: int | None) -> _Extent:
    last_years: dict[str, int] = {}
    for label, year, _ in result_set:
        last_years[label] = year  # sorted by year within a label
    years = sorted({metric.timestamp_year for metric in result_set})
    step = max((b - a for a, b in pairwise(years)), default=1)
    last = years[-1]
    reaches = end_year is None or last + step >= end_year
    return _Extent(
        parts=frozenset((label, last - year) for label, year in last_years.items()),
        last_year=last,
        step=step,
        years_short=0 if reaches or end_year is None else end_year - 1 - last,
    )
