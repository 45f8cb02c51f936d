"""What a run changed against the state before it: kept with the run, told in its report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingest.database import ValidationDatabase
from ingest.diff import SeriesChange, StateDiff, Tolerances, diff_states
from ingest.plan import Combination
from ingest.states import resolve_run, run_before


@dataclass(frozen=True)
class RunChanges:
    """How much a run moved against the state as of the run before it."""

    before_run_id: int
    combinations: int
    labels: int
    largest: SeriesChange | None
    is_nondeterministic: bool
    """Whether numbers moved of a combination none of whose inputs changed."""


def store_run_changes(
    database: ValidationDatabase, run_id: int, tolerances: Tolerances
) -> RunChanges | None:
    """Store which series a run moved; None for the first run, which has nothing before it."""
    with database.reading() as connection:
        before = run_before(connection, run_id)
        if before is None:
            return None
        diff = diff_states(connection, before, resolve_run(connection, str(run_id)), tolerances)
    database.store_series_changes(run_id, map(_row, diff.series, _causes(diff)))
    return RunChanges(
        before_run_id=before.run_id,
        combinations=len(diff.changed),
        labels=len({series.element_label for series in diff.series}),
        largest=diff.series[0] if diff.series else None,
        is_nondeterministic=any(cause.is_nondeterministic for cause in diff.changed.values()),
    )


def _causes(diff: StateDiff) -> list[str]:
    return [diff.changed[Combination(s.country, s.scenario)].text for s in diff.series]


def _row(series: SeriesChange, cause: str) -> tuple[Any, ...]:
    """The values of database.changes.COLUMNS."""
    return (
        series.country,
        series.scenario,
        series.element_label,
        series.kind,
        series.changed_years,
        series.largest_year,
        series.before,
        series.after,
        series.absolute,
        series.relative,
        series.before_sum,
        series.after_sum,
        cause,
    )
