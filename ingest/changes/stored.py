"""What a run moved against the state before it, stored with the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ingest.changes.diff import SeriesChange, StateDiff, Tolerances, diff_states
from ingest.database.changes import replace_series_changes
from ingest.database.connection import Database
from ingest.database.records import stored_words
from ingest.database.states import resolve_run, run_before, runs_that_follow
from ingest.study.combination import Combination


def store_run_changes(
    db: Database, run_id: int, tolerances: Tolerances, ignore: Iterable[str]
) -> StateDiff | None:
    """Store which series a run moved; None for the first run, which has nothing before it.

    ignore: what is no input in a model document, as in study.ignore.
    """
    with db.atomic():
        before = run_before(db.conn, run_id)
        if before is None:
            replace_series_changes(db, run_id, ())
            return None
        after = resolve_run(db.conn, str(run_id))
        diff = diff_states(db.conn, before, after, tolerances, ignore=ignore)
        replace_series_changes(db, run_id, map(_row, diff.series, _causes(diff)))
        return diff


def store_changes(
    db: Database, run_ids: Iterable[int], tolerances: Tolerances, ignore: Iterable[str]
) -> None:
    """Store what each of some runs moved whose results are new, and the runs right after them."""
    with db.atomic():
        for run_id in runs_that_follow(db.conn, run_ids):
            store_run_changes(db, run_id, tolerances, ignore)


def _causes(diff: StateDiff) -> list[str]:
    texts = {combination: stored_words(cause.text) for combination, cause in diff.changed.items()}
    return [texts[Combination(s.country, s.scenario)] for s in diff.series]


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
        series.other_years,
    )
