"""Whether a database is one that ingest made, and of which study."""

from __future__ import annotations

import sqlite3

_TABLES = {"validation_runs", "job_results", "result_sets", "series_changes"}


def has_results(connection: sqlite3.Connection) -> bool:
    """Whether a database has the tables of ingest."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows} >= _TABLES


def read_study_name(connection: sqlite3.Connection) -> str:
    """The study of the newest run, empty where it has none."""
    row = connection.execute(
        "SELECT study FROM validation_runs ORDER BY run_id DESC LIMIT 1"
    ).fetchone()
    return str(row[0] or "") if row else ""
