"""The end of a run: what it stores beside its results, and the status it gets."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.analytics.completeness import Completeness
from ingest.database import ValidationDatabase, write
from ingest.database.late_results import mark_incomplete
from ingest.database.quality import (
    read_countries_of_run,
    read_finding_counts,
    replace_rule_findings,
)
from ingest.database.read import read_labels_as_of, read_open_run
from ingest.database.records import RunStatus
from ingest.study.combination import Combination
from ingest.study.settings import Settings

if TYPE_CHECKING:
    from ingest.changes.diff import SeriesChange

log = logging.getLogger("ingest.run")


@dataclass(frozen=True)
class RunChanges:
    """How much a run moved against the state as of the run before it."""

    before_run_id: int
    combinations: int
    labels: int
    largest: SeriesChange | None
    is_nondeterministic: bool
    """Whether numbers moved of a combination none of whose inputs changed."""


def end_run(
    database: ValidationDatabase, run_id: int, settings: Settings, now: str
) -> tuple[RunStatus, RunChanges | None]:
    """Give a run whose jobs have all ended its final status, and keep what it changed."""
    changes = close_changes(database, run_id, settings)
    store_run_quality(database, run_id, settings)
    failed = database.get_failed_jobs(run_id)
    status = RunStatus.FAILED if failed else RunStatus.COMPLETED
    database.update_run_status(run_id, status, now)
    database.settle()
    return status, changes


def close_leftovers(database: ValidationDatabase, settings: Settings, now: str) -> None:
    """End a run that was cut off and is not taken up again."""
    with database.reading() as connection:
        left = read_open_run(connection)
    if left is None:
        return
    if left.unfinished:
        why = "the run was cut off before this job ended, and was not taken up again"
        write.close_open_run(database.db, left.run_id, now, why)
    elif left.status is RunStatus.RUNNING:
        mark_late(database, read_known_results(database, left.run_id, settings), settings)
        end_run(database, left.run_id, settings, now)


def read_known_results(
    database: ValidationDatabase, run_id: int, settings: Settings
) -> Completeness:
    """What is stored of a run's results, and of earlier ones of its model."""
    known = Completeness(settings.analytics)
    if known.is_on:
        with database.reading() as connection:
            for combination, end_year, labels, of_run in read_labels_as_of(connection, run_id):
                known.keep(combination, labels, end_year, run_id=of_run)
    return known


def mark_late(
    database: ValidationDatabase, known: Completeness, settings: Settings
) -> dict[int, dict[Combination, str]]:
    """Mark and give the results, by run, that lack something by what came after them."""
    lacks = known.find_late()
    is_failure = settings.analytics.incomplete == "fail"
    for run_id, of_run in lacks.items():
        mark_incomplete(database.db, run_id, of_run, is_failure=is_failure)
        for combination, lack in of_run.items():
            log.warning("run %d: %s is incomplete: %s", run_id, combination, lack)
    return lacks


def close_changes(
    database: ValidationDatabase, run_id: int, settings: Settings
) -> RunChanges | None:
    """Store which series a run moved; None for the first run, which has nothing before it."""
    from ingest.changes.diff import Tolerances
    from ingest.changes.stored import store_run_changes

    tolerances = Tolerances.of(settings)
    diff = store_run_changes(database.db, run_id, tolerances, settings.study.ignore)
    if diff is None:
        return None
    return RunChanges(
        before_run_id=diff.before.run_id,
        combinations=len(diff.changed),
        labels=len({series.element_label for series in diff.series}),
        largest=diff.series[0] if diff.series else None,
        is_nondeterministic=any(cause.is_nondeterministic for cause in diff.changed.values()),
    )


@dataclass(frozen=True)
class RunQuality:
    """How many findings are kept with a run; fails_run: the study says that a gate closes."""

    errors: int
    warnings: int
    fails_run: bool


def store_run_quality(database: ValidationDatabase, run_id: int, settings: Settings) -> None:
    """Check the rules across jobs for the countries that a run touched, and keep what is found."""
    rules = [rule for rule in settings.rules if not rule.is_per_job]
    if not rules:
        return
    from ingest.changes.quality_of_state import check_state

    with database.reading() as connection:
        countries = read_countries_of_run(connection, run_id)
        limit = settings.quality.max_findings
        findings = check_state(connection, rules, run_id, countries, limit, settings)
    replace_rule_findings(database.db, run_id, [rule.name for rule in rules], findings)


def read_run_quality(database: ValidationDatabase, run_id: int, settings: Settings) -> RunQuality:
    """How many findings are kept with a run, those of its jobs and those across jobs."""
    with database.reading() as connection:
        errors, warnings = read_finding_counts(connection, run_id)
    return RunQuality(errors, warnings, fails_run=settings.quality.fail_run and errors > 0)
