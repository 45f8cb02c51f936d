"""Everything that changes the database; each function leaves it whole, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.database.connection import Database
from ingest.database.quality import replace_job_findings
from ingest.database.records import (
    AcceptedJob,
    CutOffJob,
    JobOutcome,
    JobRecord,
    JobStatus,
    RunRecord,
    RunStatus,
    StoredResult,
)
from ingest.errors import DatabaseError
from ingest.metrics import ResultSet
from ingest.planning.inputs import InputSet
from ingest.study.combination import Combination
from ingest.study.country import Country
from ingest.study.label import Label
from ingest.study.scenario import Scenario


def insert_run(db: Database, record: RunRecord, jobs: Sequence[JobRecord]) -> int:
    """A new run with its intended jobs, in one transaction; returns the run's id."""
    with db.atomic():
        row = {
            "timestamp": record.timestamp,
            "git_commit": record.git_commit,
            "status": RunStatus.RUNNING.value,
            "total_jobs": len(jobs),
            "up_to_date_jobs": record.up_to_date_jobs,
            "git_branch": record.git_branch,
            "dirty_files": json.dumps(record.dirty_files),
            "study": record.study,
            "executor": record.executor,
            "ingest_version": record.ingest_version,
        }
        run_id = _insert(db, "validation_runs", row)
        set_ids = {shared: _input_set_id(db, shared) for shared in _shared(jobs)}
        db.conn.executemany(
            """INSERT INTO job_results (run_id, country, scenario, ulid, job_name, job_status,
                   reason_kind, reason, input_digest, document_digest, input_set_id)
               VALUES (?, ?, ?, ?, ?, 'submitted', ?, ?, ?, ?, ?)""",
            (
                (
                    run_id,
                    *job.combination,
                    job.ulid,
                    job.job_name,
                    job.reason.kind.value,
                    job.reason.text,
                    job.inputs.digest,
                    job.inputs.document_digest,
                    set_ids[job.inputs.shared],
                )
                for job in jobs
            ),
        )
    return run_id


def _shared(jobs: Sequence[JobRecord]) -> dict[InputSet, None]:
    return dict.fromkeys(job.inputs.shared for job in jobs)


def _input_set_id(db: Database, shared: InputSet) -> int:
    row = vars(shared)
    where = " AND ".join(f"{column} = ?" for column in row)
    query = f"SELECT input_set_id FROM input_sets WHERE {where}"
    found = db.conn.execute(query, tuple(row.values())).fetchone()
    return int(found[0]) if found else _insert(db, "input_sets", row)


def _insert(db: Database, table: str, row: Mapping[str, Any]) -> int:
    """Insert a row by column names; gives its id."""
    marks = ", ".join("?" * len(row))
    cursor = db.conn.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
    )
    return int(cursor.lastrowid or 0)


def keep_inputs(db: Database, contents: Mapping[str, tuple[str, str]]) -> None:
    """Keep the content of inputs by digest, so that a later run can name what changed."""
    with db.atomic():
        db.conn.executemany(
            "INSERT OR IGNORE INTO inputs (digest, kind, content) VALUES (?, ?, ?)",
            ((digest, kind, content) for digest, (kind, content) in contents.items()),
        )


def keep_countries(db: Database, countries: Sequence[Country]) -> None:
    """Keep names and groups of countries; a group not known before becomes a column."""
    rows = [{"iso3": c.iso3, "name": c.name, **c.groups} for c in countries]
    _keep_names(db, "countries", "iso3", rows)


def keep_scenarios(db: Database, scenarios: Sequence[Scenario]) -> None:
    """Keep labels and descriptions of scenarios."""
    rows = [
        {"name": s.name, "label": s.label, "description": s.description, "file": s.file}
        for s in scenarios
    ]
    _keep_names(db, "scenarios", "name", rows)


def keep_labels(db: Database, labels: Sequence[Label]) -> None:
    """Keep units and descriptions of element labels."""
    _keep_names(db, "labels", "element_label", [vars(label) for label in labels])


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
            _upsert(db, table, key, columns, changed)


def _upsert(
    db: Database, table: str, key: str, columns: list[str], rows: Sequence[Mapping[str, str]]
) -> None:
    quoted = [f'"{column}"' for column in columns]
    updates = ", ".join(f"{column} = excluded.{column}" for column in quoted)
    marks = ", ".join("?" * len(columns))
    db.conn.executemany(
        f"INSERT INTO {table} ({', '.join(quoted)}) VALUES ({marks}) "
        f"ON CONFLICT ({key}) DO UPDATE SET {updates}",
        ([row.get(column) for column in columns] for row in rows),
    )


def update_ulids(db: Database, run_id: int, jobs: Iterable[tuple[Combination, str, str]]) -> None:
    """Give jobs a new ULID and job name for a further attempt, before it is submitted."""
    with db.atomic():
        db.conn.executemany(
            """UPDATE job_results SET ulid = ?, job_name = ?, external_id = NULL,
                   job_status = 'submitted'
               WHERE run_id = ? AND country = ? AND scenario = ?""",
            ((ulid, name, run_id, *combination) for combination, ulid, name in jobs),
        )


def mark_submitted(db: Database, run_id: int, jobs: Iterable[AcceptedJob]) -> None:
    """Keep under which names and when jobs were accepted; the first time of a job stays."""
    with db.atomic():
        db.conn.executemany(
            """UPDATE job_results SET submitted_at = coalesce(submitted_at, ?), external_id = ?,
                   ulid = ?, job_name = ?, attempts = ?
               WHERE run_id = ? AND country = ? AND scenario = ?""",
            (
                (
                    job.submitted_at,
                    job.external_id,
                    job.ulid,
                    job.job_name,
                    job.attempts,
                    run_id,
                    *job.combination,
                )
                for job in jobs
            ),
        )


def take_over(db: Database, run_id: int, jobs: Iterable[CutOffJob]) -> None:
    """Make jobs of runs that were cut off those of a newer run: names, ids and times move there."""
    with db.atomic():
        for job in jobs:
            db.conn.execute(
                """UPDATE job_results SET ulid = ?, job_name = ?, external_id = ?,
                       submitted_at = ?, attempts = ?
                   WHERE run_id = ? AND country = ? AND scenario = ?""",
                [
                    job.ulid,
                    job.job_name,
                    job.external_id,
                    job.submitted_at,
                    job.attempts,
                    run_id,
                    *job.combination,
                ],
            )
            db.conn.execute(
                """UPDATE job_results SET error_kind = 'taken over', error = ?
                   WHERE run_id = ? AND country = ? AND scenario = ?""",
                [f"run {run_id} took this job over", job.run_id, *job.combination],
            )


def mark_running(db: Database, run_id: int, combinations: Iterable[Combination]) -> None:
    """Keep that jobs have begun."""
    with db.atomic():
        db.conn.executemany(
            """UPDATE job_results SET job_status = 'running'
               WHERE run_id = ? AND country = ? AND scenario = ? AND job_status = 'submitted'""",
            ((run_id, *combination) for combination in combinations),
        )


class ElementIds:
    """The element ids of labels, remembered for as long as they are certainly stored."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ids: dict[str, int] = {}

    def of(self, labels: Iterable[str]) -> dict[str, int]:
        """The id of each label, new labels inserted; call within a transaction."""
        for label in labels:
            if label not in self._ids:
                self._ids[label] = self._find_or_insert(label)
        return self._ids

    def _find_or_insert(self, label: str) -> int:
        connection = self._db.conn
        found = connection.execute(
            "SELECT element_id FROM elements WHERE element_label = ?", [label]
        ).fetchone()
        if found:
            return int(found[0])
        cursor = connection.execute("INSERT INTO elements (element_label) VALUES (?)", [label])
        return int(cursor.lastrowid or 0)

    def forget(self) -> None:
        """After a rollback: what was inserted is not there."""
        self._ids.clear()


def insert_result_set(db: Database, elements: ElementIds, result_set: ResultSet) -> StoredResult:
    """Store a result set unless the same numbers are stored already; within a transaction."""
    connection = db.conn
    found = connection.execute(
        "SELECT result_set_id FROM result_sets WHERE digest = ?", [result_set.digest]
    ).fetchone()
    if found:
        return StoredResult(int(found[0]), is_new=False)
    years = result_set.years()
    if years is None:
        raise DatabaseError("a result set without metrics is not stored")
    cursor = connection.execute(
        "INSERT INTO result_sets (digest, row_count, first_year, last_year) VALUES (?, ?, ?, ?)",
        [result_set.digest, len(result_set), *years],
    )
    set_id = int(cursor.lastrowid or 0)
    ids = elements.of(result_set.element_labels)
    connection.executemany(
        "INSERT INTO metric_values VALUES (?, ?, ?, ?)",
        [(set_id, ids[label], year, value) for label, year, value in result_set.metrics],
    )
    return StoredResult(set_id, is_new=True)


def finish_job(
    db: Database, elements: ElementIds, run_id: int, outcome: JobOutcome
) -> StoredResult | None:
    """A job's metrics, findings, final state and the run's counters, all in one transaction."""
    try:
        with db.atomic():
            stored = None
            if outcome.result_set is not None:
                stored = insert_result_set(db, elements, outcome.result_set)
            _update_outcome(db, run_id, outcome, stored)
            replace_job_findings(db, run_id, outcome.combination, outcome.findings)
            counter = "successful" if outcome.job_status is JobStatus.SUCCESS else "failed"
            db.conn.execute(
                f"UPDATE validation_runs SET {counter}_jobs = {counter}_jobs + 1 WHERE run_id = ?",
                [run_id],
            )
            return stored
    except BaseException:
        elements.forget()
        raise


def _update_outcome(
    db: Database, run_id: int, outcome: JobOutcome, stored: StoredResult | None
) -> None:
    cursor = db.conn.execute(
        """UPDATE job_results SET job_status = ?, completed_at = ?, attempts = ?, duration_s = ?,
               error_kind = ?, error = ?, notes = ?, result_set_id = ?
           WHERE run_id = ? AND country = ? AND scenario = ?
             AND job_status IN ('submitted', 'running')""",
        [
            outcome.job_status.value,
            outcome.completed_at,
            outcome.attempts,
            outcome.duration_s,
            outcome.error_kind,
            outcome.error,
            "\n".join(outcome.notes) or None,
            stored.result_set_id if stored else None,
            run_id,
            *outcome.combination,
        ],
    )
    if cursor.rowcount != 1:
        raise DatabaseError(f"run {run_id} has no unfinished job {outcome.combination}")


def set_run_status(db: Database, run_id: int, status: RunStatus, finished_at: str | None) -> None:
    """Set a run's status and recount its jobs."""
    with db.atomic():
        db.conn.execute(
            """UPDATE validation_runs SET status = ?, finished_at = ?,
                   total_jobs = (SELECT count(*) FROM job_results AS j
                                  WHERE j.run_id = validation_runs.run_id),
                   successful_jobs = (SELECT count(*) FROM job_results AS j
                                       WHERE j.run_id = validation_runs.run_id
                                         AND j.job_status = 'success'),
                   failed_jobs = (SELECT count(*) FROM job_results AS j
                                   WHERE j.run_id = validation_runs.run_id
                                     AND j.job_status IN ('failed', 'timeout', 'cancelled'))
               WHERE run_id = ?""",
            [status.value, finished_at, run_id],
        )


def close_open_run(db: Database, run_id: int, finished_at: str, kind: str, why: str) -> None:
    """End a run whose unfinished jobs are not waited for: they become cancelled."""
    with db.atomic():
        db.conn.execute(
            """UPDATE job_results SET job_status = 'cancelled', completed_at = ?,
                   error_kind = ?, error = ?
               WHERE run_id = ? AND job_status IN ('submitted', 'running')""",
            [finished_at, kind, why, run_id],
        )
        set_run_status(db, run_id, RunStatus.INTERRUPTED, finished_at)


def settle(db: Database) -> None:
    """Fold the write-ahead log into the file and refresh the statistics of the query planner."""
    db.conn.execute("PRAGMA analysis_limit = 1000")
    db.conn.execute("ANALYZE")
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
