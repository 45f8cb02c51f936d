"""What the end of a run stores beside its results: what it changed, and its data quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.database import ValidationDatabase
from ingest.database.quality import (
    read_countries_of_run,
    read_finding_counts,
    replace_rule_findings,
)
from ingest.study.settings import Settings

if TYPE_CHECKING:
    from ingest.changes.diff import SeriesChange


@dataclass(frozen=True)
class RunChanges:
    """How much a run moved against the state as of the run before it."""

    before_run_id: int
    combinations: int
    labels: int
    largest: SeriesChange | None
    is_nondeterministic: bool
    """Whether numbers moved of a combination none of whose inputs changed."""


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
