"""The data quality of one run: rules across jobs are checked at its end and kept with it."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.database import ValidationDatabase
from ingest.database.quality import read_countries_of_run, read_finding_counts
from ingest.quality_state import check_state
from ingest.settings import Settings


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
    with database.reading() as connection:
        countries = read_countries_of_run(connection, run_id)
        limit = settings.quality.max_findings
        findings = check_state(connection, rules, run_id, countries, limit)
    database.store_quality_findings(run_id, [rule.name for rule in rules], findings)


def read_run_quality(database: ValidationDatabase, run_id: int, settings: Settings) -> RunQuality:
    """How many findings are kept with a run, those of its jobs and those across jobs."""
    with database.reading() as connection:
        errors, warnings = read_finding_counts(connection, run_id)
    return RunQuality(errors, warnings, fails_run=settings.quality.fail_run and errors > 0)
