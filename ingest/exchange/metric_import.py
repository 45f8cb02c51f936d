"""Numbers in metric files into the database: to the jobs they are of, or as jobs of a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from ulid import ULID

from ingest.database.connection import Database
from ingest.database.imports import (
    EXECUTOR,
    UNKNOWN_COMMIT,
    ImportedJob,
    ImportedRun,
    ImportReport,
    StudyNames,
    import_jobs,
)
from ingest.database.late_results import KnownJob, attach_results, find_jobs
from ingest.database.other_series import OtherNumbers
from ingest.database.records import JobStatus, RunStatus
from ingest.database.rows import first_value
from ingest.exchange.imported_records import ImportFileError
from ingest.exchange.metric_files import FileMetrics
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.study.json_files import canonical_json, sha256_text
from ingest.text.numbers import at_most, count_text

Matches = Sequence[tuple[FileMetrics, KnownJob | None]]
"""The numbers of each file with the job here that they are of, where there is one."""


def match_jobs(connection: sqlite3.Connection | None, files: Sequence[FileMetrics]) -> Matches:
    """The numbers of each file with the job they are of; connection is None without a database.

    Raises ImportFileError: a ULID that nobody knows and no combination, another combination or
    other numbers than the known job has, a job that did not succeed, a combination that stands in
    two files.
    """
    ulids = [file.ulid for file in files if file.ulid is not None]
    known = find_jobs(connection, ulids) if connection is not None else {}
    matches = [(file, known.get(file.ulid or "")) for file in files]
    seen: dict[object, FileMetrics] = {}
    for file, job in matches:
        if job is not None:
            _check_job(file, job)
        elif file.combination is None:
            raise ImportFileError(
                f"{file.path}: no job here has the ULID {file.ulid}: add --country ISO3 "
                "--scenario NAME, or bring in the jobs first; nothing was changed"
            )
        first = seen.setdefault(job.ulid if job else file.combination, file)
        if first is not file:
            raise ImportFileError(
                f"{file.combination or file.ulid} stands in {first.path} and in {file.path}; "
                "nothing was changed"
            )
    return matches


def _check_job(file: FileMetrics, job: KnownJob) -> None:
    if file.combination not in (None, job.combination):
        raise ImportFileError(
            f"{file.path} is of {file.combination}, but job {job.ulid} here is {job.combination}; "
            "nothing was changed"
        )
    if job.result_digest is not None and job.result_digest != file.result_set.digest:
        raise ImportFileError(
            f"{file.path}: job {job.ulid} ({job.combination}) has other numbers here; see which: "
            f"ingest export --check {file.path}"
        )
    if job.result_digest is None and not job.lacks_results:
        raise ImportFileError(
            f"{file.path}: job {job.ulid} ({job.combination}) did not succeed, it is "
            f"{job.job_status} in run {job.run_id}; nothing was changed"
        )


def store_metrics(
    db: Database, matches: Matches, names: StudyNames, timestamp: str
) -> ImportReport:
    """Metrics to their jobs, the others as a run of their own; all or nothing.

    Raises ImportFileError: other numbers than the model has for a combination.
    """
    lacking = [(file, job) for file, job in matches if job is not None and job.lacks_results]
    with db.atomic():
        _refuse_the_models(db.conn, [file for file, job in matches if job is None])
        stored = [
            attach_results(
                db, job, file.result_set, (f"metrics from {file.path.name}", *file.notes)
            )
            for file, job in lacking
        ]
        new = [
            (file.combination, file)
            for file, job in matches
            if job is None and file.combination is not None and not _is_here(db.conn, file)
        ]
        report = _import_run(db, new, names, timestamp) if new else ImportReport()
    report.known = len(matches) - len(new)
    report.completed = len(lacking)
    report.filled |= {job.run_id for _, job in lacking}
    report.new_result_sets += sum(result.is_new for result in stored)
    return report


def _is_here(connection: sqlite3.Connection, file: FileMetrics) -> bool:
    """Whether a run has the same numbers for the combination."""
    query = """SELECT 1 FROM job_results JOIN result_sets USING (result_set_id)
                WHERE country = ? AND scenario = ? AND digest = ?"""
    key = (*(file.combination or ()), file.result_set.digest)
    return first_value(connection, query, *key) is not None


def _refuse_the_models(connection: sqlite3.Connection, files: Sequence[FileMetrics]) -> None:
    """Raise ImportFileError for files that would take the place of the model's own numbers.

    Numbers out of files came in as runs that have an end; those of recorded jobs have none.
    """
    query = """SELECT max(run_id) FROM job_results JOIN validation_runs USING (run_id)
                WHERE country = ? AND scenario = ? AND result_set_id IS NOT NULL
                  AND NOT (executor = ? AND finished_at IS NOT NULL)"""
    found = []
    for file in files:
        run_id = first_value(connection, query, *(file.combination or ()), EXECUTOR)
        if run_id is not None and not _is_here(connection, file):
            found.append(f"{file.combination} ({file.path}; run {run_id})")
    if found:
        raise ImportFileError(
            f"the model has results of {count_text(len(found), 'combination')} already, and "
            f"imported numbers never take their place: {at_most(found)}. Keep a published or other "
            "series beside them with --as-study NAME, or load impacts with ingest reference load; "
            "nothing was changed"
        )


def numbers_of_files(files: Sequence[FileMetrics]) -> list[OtherNumbers]:
    """What files of metrics hold, to be kept apart. Raises ImportFileError as match_jobs does."""
    match_jobs(None, files)
    return [
        OtherNumbers(file.combination, file.result_set, ", ".join((file.path.name, *file.notes)))
        for file in files
        if file.combination is not None
    ]


def _import_run(
    db: Database,
    files: Sequence[tuple[Combination, FileMetrics]],
    names: StudyNames,
    timestamp: str,
) -> ImportReport:
    """One run with a job for the numbers of each file."""
    results: dict[str, ResultSet] = {}
    jobs = []
    for combination, file in files:
        ulid = file.ulid or str(ULID())
        results[ulid] = replace(file.result_set, notes=file.notes)
        job = ImportedJob(
            combination,
            ulid,
            JobStatus.SUCCESS,
            completed_at=timestamp,
            origin=file.path.name,
        )
        jobs.append(job)
    contents = sorted([*combination, file.result_set.digest] for combination, file in files)
    run = ImportedRun(
        digest=sha256_text(canonical_json(["metrics", contents])),
        origin="files of metrics",
        timestamp=timestamp,
        git_commit=UNKNOWN_COMMIT,
        status=RunStatus.COMPLETED,
        jobs=jobs,
        finished_at=timestamp,
    )
    return import_jobs(db, [run], lambda run, job: results[job.ulid], names)
