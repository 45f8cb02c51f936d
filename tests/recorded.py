"""Files as others recorded them: databases of the original three-table form, and job lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE validation_runs (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    git_commit TEXT NOT NULL, status TEXT NOT NULL,
    total_jobs INTEGER, successful_jobs INTEGER, failed_jobs INTEGER);
CREATE TABLE job_results (
    run_id INTEGER, country TEXT NOT NULL, scenario TEXT NOT NULL, ulid TEXT NOT NULL,
    job_status TEXT NOT NULL, submitted_at DATETIME, completed_at DATETIME,
    FOREIGN KEY (run_id) REFERENCES validation_runs(run_id),
    PRIMARY KEY (run_id, country, scenario));
CREATE TABLE metrics (
    run_id INTEGER, country TEXT NOT NULL, scenario TEXT NOT NULL, ulid TEXT NOT NULL,
    element_label TEXT NOT NULL, timestamp_year INTEGER NOT NULL, value REAL NOT NULL,
    FOREIGN KEY (run_id) REFERENCES validation_runs(run_id),
    PRIMARY KEY (run_id, country, scenario, element_label, timestamp_year));
"""
COMMIT = "ac48511a8302f9a60f6f85ba20cae2683cdb808a"
STARTED = "2025-08-18 06:55:25"
ENDED = "2025-08-18 15:00:04.063841"


def ulid(number: int) -> str:
    """A ULID that a number stands for."""
    return f"01K2XZEH0E8Z5GVZGT{number:08d}"


def job_name(number: int, environment: str = "appendix_3") -> str:
    """The name of a job, as the run API gives it."""
    return f"botech-sim-{environment}-{ulid(number)}"


def make_original(path: Path) -> Path:
    """A database of the original form without rows."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


def insert(path: Path, table: str, *rows: Sequence[Any]) -> None:
    """Add rows to a table of a database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for row in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in row)})", row)


def insert_run(path: Path, run_id: int = 1, *, total: int | None = None) -> None:
    """Add a run as the tool of before left it: completed, with counters of zero."""
    insert(path, "validation_runs", (run_id, STARTED, COMMIT, "completed", total, 0, 0))


def make_small(path: Path) -> Path:
    """One run with two successes, one with metrics, and a failure."""
    make_original(path)
    insert_run(path, total=3)
    insert(
        path,
        "job_results",
        (1, "KEN", "null", job_name(1), "success", None, ENDED),
        (1, "UGA", "null", job_name(2), "success", STARTED, ENDED),
        (1, "KEN", "scale_up", job_name(3), "failed", None, None),
    )
    insert(
        path,
        "metrics",
        (1, "KEN", "null", job_name(1), "Population", 2025, 10.5),
        (1, "KEN", "null", job_name(1), "Population", 2026, 11.0),
    )
    return path


def write_list(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    """A job list with its header."""
    lines = ["ulid,timestamp,country,scenario", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def query(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of a database by plain SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


MANY_AUTHORS = """timestamp,author,element_label,value
2019-01-01,Ann,Population,1
2019-01-01,Bob,Population,2
"""
