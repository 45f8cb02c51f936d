"""Metrics that come after their job: which jobs lack theirs, and storing them later."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.database.quality import replace_job_findings
from ingest.database.records import INCOMPLETE, JobStatus, RunStatus, StoredResult, notes_text
from ingest.database.rows import first_value, update_job
from ingest.database.write import insert_result_set, set_run_status
from ingest.errors import DatabaseError
from ingest.study.combination import Combination

if TYPE_CHECKING:
    from ingest.analytics.quality import QualityFinding
    from ingest.database.connection import Database
    from ingest.metrics import ResultSet

NOT_FETCHED = "results not fetched"
"""Kind of a failure whose job itself succeeded."""
# Failures of jobs that were left at their backend and may have ended well all the same, unless a
# later success for the same inputs makes up for them.
_MAY_HAVE_ENDED_WELL = """(external_id IS NOT NULL
          AND (job_status = 'failed' AND error_kind IN ('job lost', 'unknown status')
               OR job_status = 'timeout' AND error LIKE 'not waited for %')
          AND NOT EXISTS (SELECT 1 FROM job_results AS later
               WHERE later.country = job_results.country AND later.scenario = job_results.scenario
                 AND later.run_id > job_results.run_id AND later.job_status = 'success'
                 AND later.input_digest = job_results.input_digest))"""
_LACKS_RESULTS = f"""((result_set_id IS NULL AND (job_status = 'success'
          OR (job_status = 'failed' AND error_kind = '{NOT_FETCHED}')
          OR {_MAY_HAVE_ENDED_WELL}))
          OR (error_kind = '{INCOMPLETE}' AND job_status IN ('success', 'failed')))"""


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
    end_year: int | None
    """The first year after the horizon of its document, None where that was not recorded."""


_JOBS = f"""SELECT run_id, country, scenario, ulid, job_name,
                   (SELECT environment FROM input_sets AS i
                     WHERE i.input_set_id = job_results.input_set_id),
                   completed_at, {_LACKS_RESULTS}, job_status, result_set_id,
                   (SELECT digest FROM result_sets AS r
                     WHERE r.result_set_id = job_results.result_set_id), end_year
              FROM job_results"""


def read_jobs_without_results(
    connection: sqlite3.Connection, run_id: int | None = None
) -> list[KnownJob]:
    """Successes without metrics, or incomplete ones, jobs whose results could not be fetched, and
    jobs that were given up and may have ended well; newest run first.
    """
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
    job: KnownJob,
    result_set: ResultSet,
    notes: Sequence[str] = (),
    findings: Sequence[QualityFinding] = (),
    lack: str = "",
) -> StoredResult:
    """A job's metrics and findings, which make it a success, in one transaction.

    lack: what these results lack still, empty where they are whole.
    Raises DatabaseError: the job has results by now, or is none that can have them.
    """
    with db.atomic():
        stored = insert_result_set(db, result_set)
        facts = {
            "job_status": JobStatus.SUCCESS,
            "result_set_id": stored.result_set_id,
            "error_kind": INCOMPLETE if lack else None,
            "error": lack or None,
            "notes": notes_text(notes),
        }
        condition = f"ulid = ? AND {_LACKS_RESULTS}"
        if not update_job(db.conn, job.run_id, job.combination, facts, condition, job.ulid):
            raise DatabaseError(f"run {job.run_id} has no job {job.ulid} that lacks results")
        replace_job_findings(db, job.run_id, job.combination, findings)
        if job.job_status != JobStatus.SUCCESS:
            _count_success(db, job.run_id)
        return stored


def mark_incomplete(
    db: Database, run_id: int, lacks: Mapping[Combination, str], *, is_failure: bool
) -> None:
    """Keep what results lack, as it showed later; is_failure: they are no results then."""
    with db.atomic():
        for combination, lack in lacks.items():
            if is_failure:
                withdraw_results(db, run_id, combination, INCOMPLETE, lack)
            else:
                facts = {"error_kind": INCOMPLETE, "error": lack}
                update_job(db.conn, run_id, combination, facts, "job_status = 'success'")


def withdraw_results(
    db: Database, run_id: int, combination: Combination, kind: str, error: str
) -> int | None:
    """A success that turned out to be none becomes a failure; gives how many values it had.

    None where the job had failed before.
    """
    values: int | None = first_value(
        db.conn,
        """SELECT row_count FROM job_results JOIN result_sets USING (result_set_id)
            WHERE run_id = ? AND country = ? AND scenario = ? AND job_status = 'success'""",
        run_id,
        *combination,
    )
    facts = {
        "job_status": JobStatus.FAILED,
        "result_set_id": None,
        "error_kind": kind,
        "error": error,
        "notes": None,
    }
    with db.atomic():
        if update_job(db.conn, run_id, combination, facts, "job_status = 'success'"):
            replace_job_findings(db, run_id, combination, ())
            db.conn.execute(
                """UPDATE validation_runs SET successful_jobs = successful_jobs - 1,
                          failed_jobs = failed_jobs + 1 WHERE run_id = ?""",
                [run_id],
            )
    return values


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
