"""The runs and jobs in a database of the original three-table form, as they were recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.analytics.parse import RawRow
from ingest.analytics.validate import validate_rows
from ingest.database.files import connect_read_only
from ingest.database.imports import END_NOT_RECORDED, UNKNOWN_COMMIT, ImportedJob, ImportedRun
from ingest.database.records import JobStatus, RunStatus
from ingest.database.rows import read_dicts
from ingest.errors import AnalyticsError
from ingest.exchange.imported_records import ImportFileError, Recorded, describe, ulid_in
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.study.country import country_problem
from ingest.study.json_files import canonical_json, sha256_text
from ingest.text.names import name_problem

_COLUMNS = {
    "validation_runs": (
        "run_id", "timestamp", "git_commit", "status", "total_jobs", "successful_jobs",
        "failed_jobs",
    ),
    "job_results": (
        "run_id", "country", "scenario", "ulid", "job_status", "submitted_at", "completed_at",
    ),
    "metrics": (
        "run_id", "country", "scenario", "ulid", "element_label", "timestamp_year", "value",
    ),
}  # fmt: skip
_WITHOUT_TIME = ""
_ODD_STATUS = "with an unknown status, kept as failed"
_UNFINISHED = "whose end was not recorded, kept as cancelled"
_NO_COMBINATION = "of no country or scenario, left out"
_NO_TIME = "that cannot be read, left out"
_METRICS_LEFT_OUT = {
    ("job", "whose metrics have another ULID, left out"): """
        SELECT DISTINCT m.country || ' / ' || m.scenario || ' (' || m.ulid || ')'
          FROM metrics AS m JOIN job_results AS j USING (run_id, country, scenario)
         WHERE substr(m.ulid, -26) <> substr(j.ulid, -26)""",
    ("metric row", "with a bad year or value, left out"): """
        SELECT country || ' / ' || scenario || ' ' || element_label FROM metrics
         WHERE typeof(value) NOT IN ('real', 'integer') OR abs(value) > 1.8e308
            OR typeof(timestamp_year) NOT IN ('integer', 'real')
            OR timestamp_year NOT BETWEEN 1900 AND 2300""",
    ("job", "without success but with metrics, left out"): """
        SELECT DISTINCT country || ' / ' || scenario FROM metrics
          JOIN job_results USING (run_id, country, scenario)
         WHERE lower(trim(job_status)) <> 'success'""",
}

Row = dict[str, Any]


@contextmanager
def read_original(path: Path) -> Iterator[Recorded]:
    """What a database of the original form records, read-only and of one moment.

    Times stay the texts that they are; a ULID is taken out of the job name it stands in. Metrics
    are read when they are asked for. Raises ImportFileError: missing columns, a damaged file.
    """
    with closing(connect_read_only(path)) as connection:
        try:
            connection.execute("BEGIN")
            yield _OriginalReader(connection, path).read()
        except sqlite3.Error as exc:
            raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: sqlite3.Error) -> ImportFileError:
    return ImportFileError(f"{path} cannot be read: {exc}; nothing was changed")


class _OriginalReader:
    """Reads one file; the lists collect what is odd in it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path
        self._warnings: list[str] = []
        kinds = (_ODD_STATUS, _UNFINISHED, _NO_TIME, _NO_COMBINATION)
        self._odd: dict[str, list[str]] = {kind: [] for kind in kinds}

    def read(self) -> Recorded:
        """All runs with their jobs; see read_original."""
        for table, columns in _COLUMNS.items():
            self._check_columns(table, columns)
        runs = [self._run(row) for row in self._rows("validation_runs")]
        runs += self._orphan_runs()
        for what, jobs in self._odd.items():
            self._warnings += describe(jobs, "time" if what == _NO_TIME else "job", what)
        for (noun, what), query in _METRICS_LEFT_OUT.items():
            left_out = [text for (text,) in self._connection.execute(query)]
            self._warnings += describe(left_out, noun, what)
        return Recorded(runs, self._metrics, self._warnings)

    def _check_columns(self, table: str, needed: tuple[str, ...]) -> None:
        there = [row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")]
        missing = [column for column in needed if column not in there]
        if missing:
            raise ImportFileError(
                f"{self._path}: the table {table} has no column {', '.join(missing)}; "
                "nothing was changed"
            )
        more = [column for column in there if column not in needed]
        self._warnings += describe(more, "column", f"of {table} not brought in")

    def _rows(self, table: str, rest: str = "ORDER BY run_id", *values: object) -> list[Row]:
        columns = ", ".join(_COLUMNS[table])
        return read_dicts(self._connection, f"SELECT {columns} FROM {table} {rest}", *values)

    def _run(self, row: Row) -> ImportedRun:
        jobs = self._jobs(row["run_id"])
        if row["total_jobs"] and row["total_jobs"] != len(jobs):
            self._warnings.append(
                f"run {row['run_id']} says {row['total_jobs']} jobs and has {len(jobs)}; "
                "the jobs were counted"
            )
        return self._make_run(
            row["run_id"],
            timestamp=self._time(row["timestamp"], f"run {row['run_id']}") or _WITHOUT_TIME,
            git_commit=_text(row["git_commit"]) or UNKNOWN_COMMIT,
            status=_run_status(row["status"]),
            jobs=jobs,
        )

    def _make_run(
        self,
        run_id: int | None,
        *,
        timestamp: str,
        git_commit: str,
        status: RunStatus,
        jobs: list[ImportedJob],
    ) -> ImportedRun:
        digest = sha256_text(canonical_json(["original", run_id, timestamp, git_commit]))
        origin = f"{self._path.name}, run {run_id}"
        return ImportedRun(digest, origin, timestamp, git_commit, status, jobs, run_id)

    def _orphan_runs(self) -> list[ImportedRun]:
        """A run for each group of jobs or metrics whose run the file does not have."""
        ids = self._connection.execute(
            """SELECT run_id FROM job_results UNION SELECT run_id FROM metrics
               EXCEPT SELECT run_id FROM validation_runs"""
        ).fetchall()
        runs = []
        for (run_id,) in ids:
            jobs = self._jobs(run_id)
            times = [job.submitted_at or job.completed_at for job in jobs]
            run = self._make_run(
                run_id,
                timestamp=min((time for time in times if time), default=_WITHOUT_TIME),
                git_commit=UNKNOWN_COMMIT,
                status=RunStatus.FAILED,
                jobs=jobs,
            )
            runs.append(run)
            names = [job.combination for job in jobs]
            what = f"of a run {run_id} that the file does not have, kept in a run of their own"
            self._warnings += describe(names, "job", what)
        return runs

    def _jobs(self, run_id: int | None) -> list[ImportedJob]:
        rows = self._rows("job_results", "WHERE run_id IS ? ORDER BY completed_at, rowid", run_id)
        jobs = [self._job(row) for row in rows if self._has_combination(row)]
        without_job = read_dicts(
            self._connection,
            """SELECT DISTINCT country, scenario, ulid, 'success' AS job_status,
                      NULL AS submitted_at, NULL AS completed_at
                 FROM metrics AS m
                WHERE run_id IS ? AND NOT EXISTS (
                      SELECT 1 FROM job_results AS j WHERE j.run_id IS m.run_id
                         AND j.country = m.country AND j.scenario = m.scenario)
                ORDER BY 1, 2""",
            run_id,
        )
        made = [self._job(row) for row in without_job if self._has_combination(row)]
        names = [job.combination for job in made]
        what = f"of run {run_id} with only metrics, kept as success"
        self._warnings += describe(names, "job", what)
        return jobs + made

    def _job(self, row: Row) -> ImportedJob:
        combination = Combination(_text(row["country"]) or "", _text(row["scenario"]) or "")
        found = (_text(row["ulid"]) or "").strip()
        ulid = ulid_in(found)
        status, kind, error = self._status(combination, row["job_status"])
        return ImportedJob(
            combination=combination,
            ulid=ulid or found,
            job_status=status,
            submitted_at=self._time(row["submitted_at"], str(combination)),
            completed_at=self._time(row["completed_at"], str(combination)),
            job_name=None if found == ulid else found,
            error_kind=kind,
            error=error,
            has_ulid=ulid is not None,
        )

    def _has_combination(self, row: Row) -> bool:
        """Whether a row names a country and a scenario; one that does not is remembered."""
        country, scenario = _text(row["country"]) or "", _text(row["scenario"]) or ""
        problem = country_problem(country)
        if problem is None and (of_name := name_problem(scenario)):
            problem = f"the scenario {of_name}"
        if problem:
            self._odd[_NO_COMBINATION].append(f"{country!r:.60} / {scenario!r:.60} ({problem})")
        return not problem

    def _time(self, recorded: object, of: str) -> str | None:
        """A recorded time as it is; None for a text that is none, which is remembered."""
        text = _text(recorded)
        try:
            if text is not None:
                datetime.fromisoformat(text)
        except ValueError:
            self._odd[_NO_TIME].append(f"{of} ({text!r})")
            return None
        return text

    def _status(
        self, combination: Combination, recorded: object
    ) -> tuple[JobStatus, str | None, str | None]:
        """Status, kind of error and error of a job whose status was recorded like this."""
        words = (_text(recorded) or "").strip().lower()
        try:
            status = JobStatus(words)
        except ValueError:
            self._odd[_ODD_STATUS].append(f"{combination} ({recorded!r})")
            return JobStatus.FAILED, "unknown status", f"recorded with the status {recorded!r}"
        if status.is_final:
            return status, None, None
        self._odd[_UNFINISHED].append(f"{combination} ({words})")
        return JobStatus.CANCELLED, END_NOT_RECORDED, f"recorded with the status {words!r}"

    # --- metrics ----------------------------------------------------------------------------------

    def _metrics(self, run: ImportedRun, job: ImportedJob) -> ResultSet | None:
        """The metrics recorded of a job; bad rows are left out and named in its notes."""
        try:
            rows = self._connection.execute(
                """SELECT element_label, timestamp_year, value FROM metrics
                    WHERE run_id IS ? AND country = ? AND scenario = ?
                      AND substr(ulid, -26) = substr(?, -26) ORDER BY rowid""",
                [run.recorded_id, *job.combination, job.ulid],
            ).fetchall()
        except sqlite3.Error as exc:  # the fault of this file, not of the one written to
            raise _unreadable(self._path, exc) from exc
        raw = [RawRow(number, *row) for number, row in enumerate(rows, 1)]
        if not raw:
            return None
        try:
            return validate_rows(raw, on_bad_rows="skip", row_word="row")
        except AnalyticsError:  # no good row at all; _METRICS_LEFT_OUT has a warning about them
            return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _run_status(recorded: object) -> RunStatus:
    """The recorded status of a run; one in progress in the file counts as interrupted."""
    try:
        status = RunStatus((_text(recorded) or "").strip().lower())
    except ValueError:
        return RunStatus.FAILED
    return RunStatus.INTERRUPTED if status is RunStatus.RUNNING else status
