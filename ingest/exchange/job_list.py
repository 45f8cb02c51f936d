"""The jobs in a list validation_results.csv: ulid, timestamp, country, scenario; append-only."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ingest.database.imports import UNKNOWN_COMMIT, ImportedJob, ImportedRun
from ingest.database.records import JobStatus, RunStatus
from ingest.exchange.imported_records import ImportFileError, Recorded, describe
from ingest.executors.job_name import is_ulid, parse_job_name
from ingest.study.combination import Combination
from ingest.study.json_files import sha256_text

COLUMNS = ("ulid", "timestamp", "country", "scenario")
_SHOWN_ROWS = 5


class ListRow(NamedTuple):
    """One row of a list, and the line it stands in."""

    line: int
    ulid: str
    timestamp: str
    country: str
    scenario: str


def read_job_list(path: Path) -> Recorded:
    """The jobs of a list in runs; a list names jobs that are done, so they count as successes.

    A pair of country and scenario stands once in a run: where it stands again, a further run
    begins, so a later attempt is the newer one. Times stay the texts that they are.
    Raises ImportFileError: not such a list, or rows with other numbers of cells or blank ones.
    """
    rows = _read_rows(path)
    runs = [_run(path, group) for group in _split(_without_repeats(_in_order(rows)))]
    without_ulid = [job for run in runs for job in run.jobs if not job.has_ulid]
    names = [f"{job.combination} ({job.ulid!r})" for job in without_ulid]
    warnings = describe(names, "job", "without a ULID, kept as found")
    return Recorded(runs, lambda run, job: None, warnings)


def _read_rows(path: Path) -> list[ListRow]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            missing = [column for column in COLUMNS if column not in header]
            if missing:
                raise ImportFileError(_wrong_header(path, header, missing))
            positions = [header.index(column) for column in COLUMNS]
            cells = [(reader.line_num, row) for row in reader if any(c.strip() for c in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ImportFileError(f"{path} cannot be read: {exc}; nothing was changed") from exc
    bad = [
        f"line {line}: {','.join(row)!r:.80}"
        for line, row in cells
        if len(row) != len(header) or not all(row[p].strip() for p in positions)
    ]
    if bad:
        more = f"; and {len(bad) - _SHOWN_ROWS} more" if len(bad) > _SHOWN_ROWS else ""
        raise ImportFileError(
            f"{path} has rows that are cut off or have blank cells: "
            f"{'; '.join(bad[:_SHOWN_ROWS])}{more}; nothing was changed"
        )
    return [ListRow(line, *(row[p].strip() for p in positions)) for line, row in cells]


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
    except (ValueError, TypeError):  # no time, or one with a time zone beside one without
        return rows
    return [rows[number] for number in order]


def _without_repeats(rows: Iterable[ListRow]) -> Iterator[ListRow]:
    """Each job once: a row that stands twice is the same job."""
    seen = set()
    for row in rows:
        if row[1:] not in seen:
            seen.add(row[1:])
            yield row


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
    name = parse_job_name(row.ulid)
    return ImportedJob(
        combination=Combination(row.country, row.scenario),
        ulid=name.ulid if name else row.ulid,
        job_status=JobStatus.SUCCESS,
        completed_at=row.timestamp,
        job_name=row.ulid if name else None,
        has_ulid=name is not None or is_ulid(row.ulid),
    )
