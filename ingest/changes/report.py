"""What every report of a difference says; the terminal, Markdown and HTML only show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.changes.accepted import NOTHING_ACCEPTED, Acceptance
from ingest.changes.diff import SeriesChange, StateDiff
from ingest.changes.summary import (
    CausePattern,
    LabelSummary,
    change_text,
    headline,
    horizon_texts,
    largest,
    nondeterministic_warning,
    summarise_causes,
    summarise_labels,
    summarise_patterns,
)
from ingest.study.combination import Combination
from ingest.text.numbers import count_text, quantity_text, signed_quantity_text


class SeriesCells(NamedTuple):
    """One series as cells of a table. change: in percent; years or the series added or removed."""

    country: str
    scenario: str
    label: str
    year: str
    before: str
    after: str
    difference: str
    change: str


@dataclass(frozen=True)
class Report:
    """A difference summed up once. Its texts are plain: each output escapes them its own way.

    headline: one sentence. warning: empty unless the model is not deterministic. patterns: one
    line each, the largest share of changes first. horizons: years that only one state has, the
    most series first. causes, labels: the most combinations or series first. mixed: of each state
    whose results are of several models, what differs. accepted: what a gate lets pass.
    """

    diff: StateDiff
    headline: str
    warning: str
    patterns: Sequence[str]
    horizons: Sequence[str]
    causes: Sequence[CausePattern]
    labels: Sequence[LabelSummary]
    mixed: Sequence[str] = ()
    accepted: Acceptance = NOTHING_ACCEPTED

    @classmethod
    def of(
        cls,
        diff: StateDiff,
        study_countries: int | None = None,
        mixed: Sequence[str] = (),
        accepted: Acceptance = NOTHING_ACCEPTED,
    ) -> Report:
        """The report; study_countries lets a pattern say "all 187 countries"."""
        return cls(
            diff,
            headline(diff),
            nondeterministic_warning(diff),
            [pattern.text(study_countries) for pattern in summarise_patterns(diff)],
            horizon_texts(diff),
            summarise_causes(diff),
            summarise_labels(diff),
            mixed,
            accepted,
        )

    @property
    def came_and_went(self) -> list[tuple[str, Sequence[Combination]]]:
        """ "3 combinations added" or "removed", and which."""
        kinds = (("added", self.diff.added), ("removed", self.diff.removed))
        return [(f"{count_text(len(c), 'combination')} {kind}", c) for kind, c in kinds if c]

    @property
    def within(self) -> str:
        """How many combinations moved within the tolerance; empty where none did."""
        number = count_text(len(self.diff.within), "combination")
        return f"{number} with other numbers within the tolerance" if self.diff.within else ""

    @property
    def equal(self) -> str:
        """How many combinations are equal."""
        return f"{count_text(self.diff.equal, 'combination')} equal to the last digit"

    def largest(self, limit: int) -> list[SeriesCells]:
        """The changed series with the largest relative change, the largest first."""
        return [series_cells(series) for series in largest(self.diff, limit)]

    def series(self, limit: int | None = None) -> list[SeriesCells]:
        """Every series, those that came or went first."""
        return [series_cells(series) for series in self.diff.series[:limit]]


def series_cells(series: SeriesChange) -> SeriesCells:
    """A series as every report shows it; blank where a state has no such year or number."""
    return SeriesCells(
        series.country,
        series.scenario,
        series.element_label,
        "" if series.largest_year is None else str(series.largest_year),
        "" if series.before is None else quantity_text(series.before),
        "" if series.after is None else quantity_text(series.after),
        "" if series.absolute is None else signed_quantity_text(series.absolute),
        change_text(series),
    )
