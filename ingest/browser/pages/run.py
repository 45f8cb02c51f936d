"""The page of one run: what ran and why, what failed and why, what it changed, what looks wrong."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ingest.browser.pages.changes import (
    Change,
    LabelChanges,
    read_changes,
    read_label_changes,
)
from ingest.browser.pages.reasons import Reason, read_reasons
from ingest.browser.pages.runs import Progress, Run, read_progress, read_run_facts
from ingest.database import read
from ingest.database.states import RunRef, run_after, run_before

SHOWN_JOBS = 12
SHOWN_CHANGES = 10


@dataclass(frozen=True)
class RunPage:
    """Everything about one run. previous and following are None at the ends."""

    run: Run
    progress: Progress
    previous: RunRef | None
    following: RunRef | None
    reasons: list[Reason]
    failures: list[Failure]
    durations: Durations
    labels: list[LabelChanges]
    changes: list[Change]
    findings: list[RuleFindings]


def read_run_page(connection: sqlite3.Connection, run_id: int) -> RunPage | None:
    """The page of a run, None where there is none of that number."""
    run = read_run_facts(connection, run_id)
    progress = read_progress(connection, run_id)
    if run is None or progress is None:
        return None
    has_changes = run.facts["changed_series"] > 0
    return RunPage(
        run=run,
        progress=progress,
        previous=run_before(connection, run_id),
        following=run_after(connection, run_id),
        reasons=read_reasons(connection, run_id),
        failures=read_failures(connection, run_id),
        durations=read_durations(connection, run_id),
        labels=read_label_changes(connection, run_id) if has_changes else [],
        changes=read_changes(connection, run_id, SHOWN_CHANGES) if has_changes else [],
        findings=read_findings(connection, run_id),
    )


@dataclass(frozen=True)
class Durations:
    """How long the jobs of a run took, in seconds; None where nothing was measured."""

    total_s: float | None
    mean_s: float | None
    longest_s: float | None
    longest: tuple[str, str] | None
    """(country, scenario) of the longest."""


def read_durations(connection: sqlite3.Connection, run_id: int) -> Durations:
    """How long the jobs of a run took."""
    total, mean, longest, country, scenario = connection.execute(
        """SELECT total(duration_s), avg(duration_s), max(duration_s), country, scenario
             FROM job_results WHERE run_id = ?""",
        [run_id],
    ).fetchone()
    if longest is None:
        return Durations(None, None, None, None)
    return Durations(total, mean, longest, (country, scenario))


@dataclass(frozen=True)
class Failure:
    """A cause and the jobs that failed for it: (country, scenario), some of them, and how many."""

    kind: str
    message: str
    jobs: tuple[tuple[str, str], ...]
    count: int


def read_failures(connection: sqlite3.Connection, run_id: int) -> list[Failure]:
    """The failed jobs of a run by kind and first line of the error, the largest group first."""
    return [
        Failure(kind, message, tuple(jobs[:SHOWN_JOBS]), len(jobs))
        for (kind, message), jobs in read.read_failures(connection, run_id)
    ]


@dataclass(frozen=True)
class RuleFindings:
    """What one data-quality rule found."""

    rule: str
    severity: str
    findings: int
    combinations: int
    example: str


def read_findings(connection: sqlite3.Connection, run_id: int) -> list[RuleFindings]:
    """What the rules found in a run, errors first."""
    rows = connection.execute(
        """SELECT rule, severity, count(*), count(DISTINCT country || ' ' || scenario),
                  min(message)
             FROM quality_findings WHERE run_id = ? GROUP BY rule, severity
            ORDER BY severity, count(*) DESC, rule""",
        [run_id],
    )
    return [RuleFindings(*row) for row in rows]
