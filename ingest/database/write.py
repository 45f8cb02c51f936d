"""Writes runs, jobs and results; each function leaves the database whole, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from ingest.database.connection import Database
from ingest.database.labels import fill_in_labels
from ingest.database.quality import copy_findings, replace_job_findings
from ingest.database.records import (
    CUT_OFF,
    HAS_FAILED,
    IS_OPEN,
    AcceptedJob,
    CutOffJob,
    JobOutcome,
    JobRecord,
    JobStatus,
    RunRecord,
    RunStatus,
    StoredResult,
)
from ingest.database.rows import first_value, insert_row, insert_rows, update_job
from ingest.errors import DatabaseError
from ingest.metrics import ResultSet
from ingest.planning.inputs import InputSet
from ingest.planning.plan import RestoredJob
from ingest.study.combination import Combination
from ingest.study.country import Country
from ingest.study.label import Label
from ingest.study.lists import KEYS, study_rows
from ingest.study.scenario import Scenario


def insert_run(
    db: Database,
    record: RunRecord,
    jobs: Sequence[JobRecord],
    restored: Sequence[RestoredJob] = (),
    input_sets: Iterable[InputSet] = (),
) -> int:
    """A new run with its intended jobs, in one transaction; returns the run's id.

    restored: jobs that take the result of an earlier run. input_sets: those of the whole study.
    """
    with db.atomic():
        row = {
            **vars(record),
            "dirty_files": json.dumps(record.dirty_files),
            "status": RunStatus.RUNNING,
            "total_jobs": len(jobs) + len(restored),
            "restored_jobs": len(restored),
            "successful_jobs": len(restored),
        }
        run_id = insert_row(db.conn, "validation_runs", row)
        of_jobs = [*(job.inputs.shared for job in jobs), *(job.inputs.shared for job in restored)]
        of_study = list(input_sets)
        set_ids = {s: find_or_insert_input_set(db, s) for s in dict.fromkeys(of_study + of_jobs)}
        rows_of_inputs = ((run_id, one.scenario, set_ids[one]) for one in of_study)
        insert_rows(db.conn, "run_inputs", ("run_id", "scenario", "input_set_id"), rows_of_inputs)
        for job_to_restore in restored:
            _restore(db, run_id, job_to_restore, set_ids[job_to_restore.inputs.shared])
        rows = [
            {"run_id": run_id, "input_set_id": set_ids[job.inputs.shared], **job.columns()}
            for job in jobs
        ]
        if rows:
            values = (tuple(row.values()) for row in rows)
            insert_rows(db.conn, "job_results", tuple(rows[0]), values)
    return run_id


_RESTORED = """
INSERT INTO job_results
       (run_id, country, scenario, ulid, job_status, submitted_at, completed_at, job_name,
        external_id, attempts, duration_s, error_kind, error, end_year, reason_kind, reason, notes,
        input_digest, document_digest, country_data_digest, input_set_id, result_set_id,
        restored_from)
SELECT :run_id, country, scenario, ulid, job_status, submitted_at, completed_at, job_name,
       external_id, attempts, duration_s, error_kind, error, end_year, 'restored',
       'computed in run ' || coalesce(restored_from, run_id), notes, :input_digest,
       :document_digest, :country_data_digest, :input_set_id, result_set_id,
       coalesce(restored_from, run_id)
  FROM job_results
 WHERE run_id = :earlier AND country = :country AND scenario = :scenario
   AND job_status = 'success'
"""


def _restore(db: Database, run_id: int, job: RestoredJob, input_set_id: int) -> None:
    """A success with the result, the names and the findings of an earlier one."""
    values = {
        "run_id": run_id,
        "earlier": job.run_id,
        "input_set_id": input_set_id,
        "input_digest": job.inputs.digest,
        "document_digest": job.inputs.document_digest,
        "country_data_digest": job.inputs.country_data_digest or None,
        **job.combination._asdict(),
    }
    if db.conn.execute(_RESTORED, values).rowcount != 1:
        raise DatabaseError(f"run {job.run_id} has no success of {job.combination} to restore")
    copy_findings(db, job.run_id, run_id, job.combination)


def find_or_insert_input_set(db: Database, shared: InputSet) -> int:
    """The id of a set of inputs, inserted where there is none yet; within a transaction."""
    version = dict(zip(_VERSION, shared.model_version, strict=True))
    version_id = _find_or_insert(db, "model_versions", version)
    row = {name: value for name, value in vars(shared).items() if name != "model_identity"}
    set_id = _find_or_insert(db, "input_sets", row)
    db.conn.execute(
        """UPDATE input_sets SET model_version_id = ?1
            WHERE input_set_id = ?2 AND model_version_id IS NOT ?1""",
        [version_id, set_id],
    )
    return set_id


_VERSION = ("model_digest", "code_digest", "environment", "query_digest")


def _find_or_insert(db: Database, table: str, row: Mapping[str, str]) -> int:
    """The id of a row whose values are unique, inserted where there is none yet."""
    where = " AND ".join(f"{column} = ?" for column in row)
    query = f"SELECT rowid FROM {table} WHERE {where}"
    return first_value(db.conn, query, *row.values()) or insert_row(db.conn, table, row)


def keep_inputs(db: Database, contents: Mapping[str, tuple[str, str]]) -> None:
    """Keep the content of inputs by digest, so that a later run can name what changed."""
    with db.atomic():
        rows = ((digest, *content) for digest, content in contents.items())
        columns = ("digest", "kind", "content")
        insert_rows(db.conn, "inputs", columns, rows, "ON CONFLICT DO NOTHING")


def keep_study(
    db: Database,
    countries: Sequence[Country],
    scenarios: Sequence[Scenario],
    labels: Sequence[Label] = (),
) -> None:
    """Keep what the study calls its countries, scenarios and labels now, one table each.

    A group of countries that was not known before becomes a column.
    """
    for table, rows in study_rows(countries, scenarios, labels).items():
        _keep_names(db, table, KEYS[table], rows)


def _keep_names(db: Database, table: str, key: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Add and update rows by key; where all are as they were, nothing is written."""
    cursor = db.conn.execute(f"SELECT * FROM {table}")
    known_columns = [column[0] for column in cursor.description]
    found = (dict(zip(known_columns, values, strict=True)) for values in cursor)
    known = {row[key]: row.items() for row in found}
    changed = [row for row in rows if not row.items() <= known.get(row[key], {}.items())]
    if changed:
        with db.atomic():
            columns = list(dict.fromkeys(column for row in changed for column in row))
            for column in columns:
                if column not in known_columns:
                    db.conn.execute(f'ALTER TABLE "{table}" ADD COLUMN "{column}" TEXT')
            quoted = [f'"{column}"' for column in columns]
            updates = ", ".join(f"{column} = excluded.{column}" for column in quoted)
            values = ([row.get(column) for column in columns] for row in changed)
            conflict = f"ON CONFLICT ({key}) DO UPDATE SET {updates}"
            insert_rows(db.conn, table, quoted, values, conflict)


def go_on(db: Database, run_id: int, journal_id: str | None, model_path: str | None) -> None:
    """Keep of a run that goes on where its submissions stand, and what runs its model now."""
    with db.atomic():
        db.conn.execute(
            "UPDATE validation_runs SET journal_id = ?, model_path = ? WHERE run_id = ?",
            [journal_id, model_path, run_id],
        )


def forget_journals(db: Database, executor: str) -> None:
    """No journal of an executor is there any more, and none is needed."""
    with db.atomic():
        db.conn.execute(
            """UPDATE validation_runs SET journal_id = NULL
                WHERE executor = ? AND journal_id IS NOT NULL""",
            [executor],
        )


def update_ulids(db: Database, run_id: int, jobs: Iterable[tuple[Combination, str, str]]) -> None:
    """Give jobs a new ULID and job name for a further attempt, before it is submitted."""
    with db.atomic():
        for combination, ulid, name in jobs:
            names = {"ulid": ulid, "job_name": name, "external_id": None}
            update_job(db.conn, run_id, combination, {**names, "job_status": JobStatus.SUBMITTED})


def mark_submitted(db: Database, run_id: int, jobs: Iterable[AcceptedJob]) -> None:
    """Keep under which names and when jobs were accepted; the first time of a job stays."""
    with db.atomic():
        db.conn.executemany(
            """UPDATE job_results SET submitted_at = coalesce(submitted_at, :submitted_at),
                   external_id = :external_id, ulid = :ulid, job_name = :job_name,
                   attempts = :attempts
               WHERE run_id = :run_id AND country = :country AND scenario = :scenario""",
            ({"run_id": run_id, **job.combination._asdict(), **job.columns()} for job in jobs),
        )


def adopt_jobs(db: Database, run_id: int, jobs: Iterable[CutOffJob]) -> None:
    """Move jobs of runs that were cut off to a newer run, with their names, ids and times."""
    with db.atomic():
        for job in jobs:
            update_job(db.conn, run_id, job.combination, job.columns())
            facts = {"error_kind": "taken over", "error": f"run {run_id} took this job over"}
            update_job(db.conn, job.run_id, job.combination, facts)


def mark_running(db: Database, run_id: int, combinations: Iterable[Combination]) -> None:
    """Keep that jobs have begun."""
    with db.atomic():
        db.conn.executemany(
            """UPDATE job_results SET job_status = 'running'
               WHERE run_id = ? AND country = ? AND scenario = ? AND job_status = 'submitted'""",
            ((run_id, *combination) for combination in combinations),
        )


def find_result_set(db: Database, digest: str) -> int | None:
    """The id of the stored result set with a digest, None where there is none."""
    query = "SELECT result_set_id FROM result_sets WHERE digest = ?"
    found: int | None = first_value(db.conn, query, digest)
    return found


def insert_result_set(db: Database, result_set: ResultSet) -> StoredResult:
    """Store a result set unless the same numbers are stored already; within a transaction."""
    found = find_result_set(db, result_set.digest)
    if found is not None:
        return StoredResult(found, is_new=False)
    years = result_set.years()
    if years is None:
        raise DatabaseError("a result set without metrics is not stored")
    first, last = years
    row = {"digest": result_set.digest, "row_count": len(result_set)}
    set_id = insert_row(db.conn, "result_sets", {**row, "first_year": first, "last_year": last})
    ids = _element_ids(db, result_set.element_labels)
    db.conn.executemany(
        "INSERT INTO metric_values VALUES (?, ?, ?, ?)",
        [(set_id, ids[label], year, value) for label, year, value in result_set.metrics],
    )
    return StoredResult(set_id, is_new=True)


def _element_ids(db: Database, labels: Sequence[str]) -> dict[str, int]:
    """The id of each label, new labels inserted."""
    query = "SELECT element_label, element_id FROM elements WHERE element_label IN ({})"
    ids: dict[str, int] = dict(
        db.conn.execute(query.format(", ".join("?" * len(labels))), labels).fetchall()
    )
    known = len(ids)
    for label in labels:
        if label not in ids:
            ids[label] = insert_row(db.conn, "elements", {"element_label": label})
    if len(ids) > known:
        fill_in_labels(db.conn)
    return ids


def finish_job(db: Database, run_id: int, outcome: JobOutcome) -> StoredResult | None:
    """A job's metrics, findings, final state and the run's counters, all in one transaction."""
    with db.atomic():
        results = outcome.result_set
        stored = None if results is None else insert_result_set(db, results)
        columns = outcome.columns() | {"result_set_id": stored.result_set_id if stored else None}
        if not update_job(db.conn, run_id, outcome.combination, columns, IS_OPEN):
            raise DatabaseError(f"run {run_id} has no unfinished job {outcome.combination}")
        replace_job_findings(db, run_id, outcome.combination, outcome.findings)
        counter = "successful" if outcome.job_status is JobStatus.SUCCESS else "failed"
        db.conn.execute(
            f"UPDATE validation_runs SET {counter}_jobs = {counter}_jobs + 1 WHERE run_id = ?",
            [run_id],
        )
        return stored


def set_run_status(db: Database, run_id: int, status: RunStatus, finished_at: str | None) -> None:
    """Set a run's status and recount its jobs."""
    with db.atomic():
        db.conn.execute(
            f"""UPDATE validation_runs SET status = ?, finished_at = ?,
                   total_jobs = (SELECT count(*) FROM job_results AS j
                                  WHERE j.run_id = validation_runs.run_id),
                   successful_jobs = (SELECT count(*) FROM job_results AS j
                                       WHERE j.run_id = validation_runs.run_id
                                         AND j.job_status = 'success'),
                   failed_jobs = (SELECT count(*) FROM job_results AS j
                                   WHERE j.run_id = validation_runs.run_id AND {HAS_FAILED})
               WHERE run_id = ?""",
            [status.value, finished_at, run_id],
        )


def close_open_run(
    db: Database, run_id: int, finished_at: str, why: str, kind: str = CUT_OFF
) -> None:
    """End a run whose unfinished jobs are not waited for: they become cancelled.

    With the default kind, a later run can adopt those that were already submitted.
    """
    with db.atomic():
        db.conn.execute(
            f"""UPDATE job_results SET job_status = 'cancelled', completed_at = ?,
                   error_kind = ?, error = ?
               WHERE run_id = ? AND {IS_OPEN}""",
            [finished_at, kind, why, run_id],
        )
        set_run_status(db, run_id, RunStatus.INTERRUPTED, finished_at)


def settle(db: Database) -> None:
    """Refresh the statistics of the query planner, and fold the log into the file where it can."""
    db.conn.execute("PRAGMA analysis_limit = 1000")
    db.conn.execute("ANALYZE")
    db.fold_log()
