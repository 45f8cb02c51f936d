"""Metrics that come after their job: which jobs lack theirs, and storing them later."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.database.imports import EXECUTOR, UNKNOWN_COMMIT, ImportContext
from ingest.database.quality import replace_job_findings
from ingest.database.records import JobStatus, RunStatus, StoredResult
from ingest.database.write import ElementIds, insert_result_set, set_run_status
from ingest.errors import DatabaseError
from ingest.executors.job_name import new_ulid
from ingest.study.combination import Combination
from ingest.study.json_files import canonical_json, sha256_text

if TYPE_CHECKING:
    from ingest.analytics.quality import QualityFinding
    from ingest.database.connection import Database
    from ingest.metrics import ResultSet

NOT_FETCHED = "results not fetched"
"""Kind of a failure whose job itself succeeded."""
_LACKS_RESULTS = f"""(result_set_id IS NULL AND (job_status = 'success'
                      OR (job_status = 'failed' AND error_kind = '{NOT_FETCHED}')))"""


@dataclass(frozen=True)
class KnownJob:
    """A job as it is stored. environment: of its inputs, None where they were not recorded."""

    run_id: int
    combination: Combination
    ulid: str
    job_name: str | None
    environment: str | None
    completed_at: str | None
    lacks_results: bool
    job_status: str
    result_set_id: int | None
    result_digest: str | None


_JOBS = f"""SELECT run_id, country, scenario, ulid, job_name,
                   (SELECT environment FROM input_sets AS i
                     WHERE i.input_set_id = job_results.input_set_id),
                   completed_at, {_LACKS_RESULTS}, job_status, result_set_id,
                   (SELECT digest FROM result_sets AS r
                     WHERE r.result_set_id = job_results.result_set_id)
              FROM job_results"""


def read_jobs_without_results(
    connection: sqlite3.Connection, run_id: int | None = None
) -> list[KnownJob]:
    """Successes without metrics and jobs whose results could not be fetched, newest run first."""
    of_run = "" if run_id is None else "AND run_id = ?"
    values = [] if run_id is None else [run_id]
    rows = connection.execute(
        f"{_JOBS} WHERE {_LACKS_RESULTS} {of_run} ORDER BY run_id DESC, scenario, country",
        values,
    )
    return list(_known_jobs(rows))


def find_jobs(connection: sqlite3.Connection, ulids: Iterable[str]) -> dict[str, KnownJob]:
    """The jobs that there are of some ULIDs, by ULID."""
    rows = connection.execute(
        f"{_JOBS} WHERE ulid IN (SELECT value FROM json_each(?)) ORDER BY run_id",
        [json.dumps(list(ulids))],
    )
    return {job.ulid: job for job in _known_jobs(rows)}


def _known_jobs(rows: sqlite3.Cursor) -> Iterator[KnownJob]:
    for run_id, country, scenario, ulid, name, environment, completed_at, lacks, *rest in rows:
        combination = Combination(country, scenario)
        yield KnownJob(
            run_id, combination, ulid, name, environment, completed_at, bool(lacks), *rest
        )


def attach_results(
    db: Database,
    elements: ElementIds,
    job: KnownJob,
    result_set: ResultSet,
    notes: Sequence[str] = (),
    findings: Sequence[QualityFinding] = (),
) -> StoredResult:
    """A job's metrics and findings, which make it a success, in one transaction.

    Raises DatabaseError: the job has results by now, or is none that can have them.
    """
    try:
        with db.atomic():
            stored = insert_result_set(db, elements, result_set)
            cursor = db.conn.execute(
                f"""UPDATE job_results SET job_status = 'success', result_set_id = ?,
                        error_kind = NULL, error = NULL, notes = ?
                     WHERE run_id = ? AND country = ? AND scenario = ? AND ulid = ?
                       AND {_LACKS_RESULTS}""",
                [
                    stored.result_set_id,
                    "\n".join(notes) or None,
                    job.run_id,
                    *job.combination,
                    job.ulid,
                ],
            )
            if cursor.rowcount != 1:
                raise DatabaseError(f"run {job.run_id} has no job {job.ulid} that lacks results")
            replace_job_findings(db, job.run_id, job.combination, findings)
            if job.job_status != JobStatus.SUCCESS.value:
                _count_success(db, job.run_id)
            return stored
    except BaseException:
        elements.forget()
        raise


def _count_success(db: Database, run_id: int) -> None:
    """A failed job is a success after all: count anew; a run without other failures completed."""
    status, finished_at = db.conn.execute(
        "SELECT status, finished_at FROM validation_runs WHERE run_id = ?", [run_id]
    ).fetchone()
    others = db.conn.execute(
        """SELECT count(*) FROM job_results WHERE run_id = ? AND job_status <> 'success'""",
        [run_id],
    ).fetchone()[0]
    is_good = status == RunStatus.FAILED.value and not others
    set_run_status(db, run_id, RunStatus.COMPLETED if is_good else RunStatus(status), finished_at)


# --- metrics out of files -------------------------------------------------------------------------


@dataclass(frozen=True)
class LateMetrics:
    """One job's metrics out of a file, of a known job or of a combination; origin: the file."""

    result_set: ResultSet
    origin: str
    job: KnownJob | None = None
    combination: Combination | None = None
    ulid: str | None = None
    author: str | None = None


@dataclass(frozen=True)
class LateMetricsReport:
    """attached: known jobs that got metrics. run_id, added: the run made for the others.

    known: those that were here already.
    """

    attached: int
    run_id: int | None
    added: int
    known: int
    new_result_sets: int


def store_late_metrics(
    db: Database,
    elements: ElementIds,
    items: Sequence[LateMetrics],
    context: ImportContext,
    timestamp: str,
) -> LateMetricsReport:
    """Metrics out of files to their jobs, the others as a run of their own; all or nothing."""
    of_jobs = [item for item in items if item.job is not None]
    others = [item for item in items if item.job is None]
    try:
        with db.atomic():
            lacking = [item for item in of_jobs if item.job is not None and item.job.lacks_results]
            stored = [_attach(db, elements, item) for item in lacking]
            new = [item for item in others if not _is_here(db, item)]
            run_id = _insert_run(db, new, context, timestamp) if new else None
            if run_id is not None:
                stored += [_insert_job(db, elements, run_id, item, timestamp) for item in new]
                set_run_status(db, run_id, RunStatus.COMPLETED, timestamp)
    except BaseException:
        elements.forget()
        raise
    return LateMetricsReport(
        attached=len(lacking),
        run_id=run_id,
        added=len(new),
        known=len(items) - len(lacking) - len(new),
        new_result_sets=sum(result.is_new for result in stored),
    )


def _attach(db: Database, elements: ElementIds, item: LateMetrics) -> StoredResult:
    assert item.job is not None
    return attach_results(db, elements, item.job, item.result_set, _notes(item))


def _notes(item: LateMetrics) -> list[str]:
    author = [f"author: {item.author}"] if item.author else []
    return [f"metrics from {item.origin}", *author, *item.result_set.notes]


def _is_here(db: Database, item: LateMetrics) -> bool:
    """Whether a run that was brought in has the same numbers for the combination."""
    assert item.combination is not None
    found = db.conn.execute(
        """SELECT 1 FROM job_results JOIN result_sets USING (result_set_id)
             JOIN validation_runs USING (run_id)
            WHERE country = ? AND scenario = ? AND digest = ? AND executor = ?""",
        [*item.combination, item.result_set.digest, EXECUTOR],
    ).fetchone()
    return found is not None


def _insert_run(
    db: Database, items: Sequence[LateMetrics], context: ImportContext, timestamp: str
) -> int:
    contents = sorted([*(item.combination or ()), item.result_set.digest] for item in items)
    cursor = db.conn.execute(
        """INSERT INTO validation_runs (timestamp, git_commit, status, study, executor,
               ingest_version, source) VALUES (?, ?, ?, ?, ?, ?, ?)""",
        [
            timestamp,
            UNKNOWN_COMMIT,
            RunStatus.COMPLETED.value,
            context.study,
            EXECUTOR,
            context.ingest_version,
            sha256_text(canonical_json(["metrics", contents])),
        ],
    )
    return int(cursor.lastrowid or 0)


def _insert_job(
    db: Database, elements: ElementIds, run_id: int, item: LateMetrics, timestamp: str
) -> StoredResult:
    assert item.combination is not None
    stored = insert_result_set(db, elements, item.result_set)
    db.conn.execute(
        """INSERT INTO job_results (run_id, country, scenario, ulid, job_status, completed_at,
               reason, notes, result_set_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            run_id,
            *item.combination,
            item.ulid or new_ulid(),
            JobStatus.SUCCESS.value,
            timestamp,
            f"imported from {item.origin}",
            "\n".join(_notes(item)[1:]) or None,
            stored.result_set_id,
        ],
    )
    return stored
