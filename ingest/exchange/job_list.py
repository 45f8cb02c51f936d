"""The jobs in a list validation_results.csv: ulid, timestamp, country, scenario; append-only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ingest.database.imports import UNKNOWN_COMMIT, ImportedJob, ImportedRun
from ingest.database.records import JobStatus, RunStatus
from ingest.exchange.imported_records import ImportFileError, Recorded, ulid_in
from ingest.study.combination import Combination
from ingest.study.country import country_problem
from ingest.study.json_files import sha256_text
from ingest.text.csv_rows import bare_text
from ingest.text.names import name_problem
from ingest.text.numbers import at_most
from ingest.text.tables import read_table

COLUMNS = ("ulid", "timestamp", "country", "scenario")


class ListRow(NamedTuple):
    """One row of a list."""

    ulid: str
    timestamp: str
    country: str
    scenario: str


def read_job_list(path: Path) -> Recorded:
    """The jobs of a list in runs; a list names jobs that are done, so they count as successes.

    A pair of country and scenario stands once in a run: where it stands again, a further run
    begins, so a later attempt is the newer one. Times stay the texts that they are.
    Raises ConfigError: no such list, or rows that are cut off or have blank cells.
    """
    rows = _read_rows(path)
    once = dict.fromkeys(_in_order(rows))  # a row that stands twice is the same job
    runs = [_run(path, group) for group in _split(once)]
    return Recorded(runs, lambda run, job: None)


def _read_rows(path: Path) -> list[ListRow]:
    table = read_table(path)
    header, rows = table.header, table.rows
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ImportFileError(_wrong_header(path, header, missing))
    positions = [header.index(column) for column in COLUMNS]
    bad = [
        f"line {line}: {','.join(row)!r:.80}"
        for line, row in rows
        if len(row) != len(header) or not all(row[p].strip() for p in positions)
    ]
    if bad:
        raise ImportFileError(
            f"{path} has rows that are cut off or have blank cells: "
            f"{at_most(bad, 5, '; ')}; nothing was changed"
        )
    found = [ListRow(*(bare_text(row[p].strip()) for p in positions)) for _, row in rows]
    problems = zip(rows, map(_problem, found), strict=True)
    bad = [f"line {line}: {problem}" for (line, _), problem in problems if problem]
    if bad:
        raise ImportFileError(f"{path}: {at_most(bad, 5, '; ')}; nothing was changed")
    return found


def _problem(row: ListRow) -> str | None:
    """Why a row cannot be kept: country or scenario is none, or its time cannot be read."""
    if (problem := country_problem(row.country)) is not None:
        return problem
    if (problem := name_problem(row.scenario)) is not None:
        return f"the scenario {row.scenario!r:.60} {problem}"
    try:
        datetime.fromisoformat(row.timestamp)
    except ValueError:
        return f"{row.timestamp!r:.40} is no time; write it as 2026-11-22 10:00"
    return None


def _wrong_header(path: Path, header: list[str], missing: list[str]) -> str:
    if "element_label" in header:
        return f"{path} holds metrics. Bring them in with: ingest import --metrics {path}"
    return (
        f"{path} has no column {', '.join(missing)}: a list of jobs has {','.join(COLUMNS)}; "
        "nothing was changed"
    )


def _in_order(rows: list[ListRow]) -> list[ListRow]:
    """Rows by time, as far as the times can be compared; else as they stand."""
    try:
        times = [datetime.fromisoformat(row.timestamp) for row in rows]
        if all(earlier <= later for earlier, later in pairwise(times)):
            return rows
        order = sorted(range(len(rows)), key=times.__getitem__)
    except TypeError:  # a time with a time zone beside one without
        return rows
    return [rows[number] for number in order]


def _split(rows: Iterable[ListRow]) -> Iterator[list[ListRow]]:
    """Groups in which each combination stands once, cut where one stands again."""
    group: dict[tuple[str, str], ListRow] = {}
    for row in rows:
        if (row.country, row.scenario) in group:
            yield list(group.values())
            group = {}
        group[row.country, row.scenario] = row
    if group:
        yield list(group.values())


def _run(path: Path, rows: list[ListRow]) -> ImportedRun:
    """A run is known by its first job, so that it is the same when the list has grown."""
    first = rows[0]
    return ImportedRun(
        digest=sha256_text(f"list {first.ulid} {first.timestamp}"),
        origin=path.name,
        timestamp=first.timestamp,
        git_commit=UNKNOWN_COMMIT,
        status=RunStatus.COMPLETED,
        jobs=[_job(row) for row in rows],
    )


def _job(row: ListRow) -> ImportedJob:
    ulid = ulid_in(row.ulid)
    return ImportedJob(
        combination=Combination(row.country, row.scenario),
        ulid=ulid or row.ulid,
        job_status=JobStatus.SUCCESS,
        completed_at=row.timestamp,
        job_name=None if ulid in (None, row.ulid) else row.ulid,
        has_ulid=ulid is not None,
    )
