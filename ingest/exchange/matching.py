"""Which job the numbers in a metric file are of: a known one, or a combination of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from ingest.database.late_results import KnownJob, LateMetrics, find_jobs
from ingest.exchange.imported_records import ImportFileError
from ingest.exchange.metric_files import FileMetrics


def match_jobs(
    connection: sqlite3.Connection | None, files: Sequence[FileMetrics]
) -> list[LateMetrics]:
    """The numbers of each file with the job they are of; connection is None without a database.

    Raises ImportFileError: a ULID that nobody knows and no combination, another combination or
    other numbers than the known job has, a job that did not succeed, a combination that stands in
    two files.
    """
    _refuse_twice(files)
    ulids = [file.ulid for file in files if file.ulid is not None]
    known = find_jobs(connection, ulids) if connection is not None else {}
    return [_match(known.get(file.ulid or ""), file) for file in files]


def _refuse_twice(files: Iterable[FileMetrics]) -> None:
    seen: dict[tuple[object, object], FileMetrics] = {}
    for file in files:
        first = seen.setdefault((file.ulid, file.combination), file)
        if first is not file:
            raise ImportFileError(
                f"{file.combination or file.ulid} stands in {first.path} and in {file.path}; "
                "nothing was changed"
            )


def _match(job: KnownJob | None, file: FileMetrics) -> LateMetrics:
    if job is not None:
        _check_job(file, job)
    elif file.combination is None:
        raise ImportFileError(
            f"{file.path}: no job here has the ULID {file.ulid}: add --country ISO3 --scenario "
            "NAME, or bring in the jobs first; nothing was changed"
        )
    return LateMetrics(
        result_set=file.result_set,
        origin=file.path.name,
        job=job,
        combination=file.combination,
        ulid=file.ulid,
        author=file.author,
    )


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
