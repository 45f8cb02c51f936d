"""Whether a database is one that ingest made."""

from __future__ import annotations

import sqlite3

_TABLES = {"validation_runs", "job_results", "result_sets", "series_changes"}


def has_results(connection: sqlite3.Connection) -> bool:
    """Whether a database has the tables of ingest."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows} >= _TABLES
