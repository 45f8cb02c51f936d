"""Rows in and out of tables, with the SQL made from the names of their columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.study.combination import Combination


def insert_row(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Insert a row, given by column; gives its id."""
    return int(connection.execute(_insert(table, row), tuple(row.values())).lastrowid or 0)


def insert_rows(
    connection: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    on_conflict: str = "",
) -> None:
    """Insert rows, given as values in the order of columns; on_conflict: SQL for known keys."""
    connection.executemany(f"{_insert(table, columns)} {on_conflict}", rows)


def _insert(table: str, columns: Iterable[str]) -> str:
    names = tuple(columns)
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"


def update_job(
    connection: sqlite3.Connection,
    run_id: int,
    combination: Combination,
    changes: Mapping[str, Any],
    condition: str = "1",
    *values: object,
) -> bool:
    """Set columns of a job, where a condition on its row holds; whether there was such a job."""
    cursor = connection.execute(
        f"""UPDATE job_results SET {", ".join(f"{column} = ?" for column in changes)}
             WHERE run_id = ? AND country = ? AND scenario = ? AND {condition}""",
        [*changes.values(), run_id, *combination, *values],
    )
    return cursor.rowcount == 1


def first_value(connection: sqlite3.Connection, sql: str, *values: object) -> Any:
    """The first column of the first row of a query, None without a row."""
    row = connection.execute(sql, values).fetchone()
    return row[0] if row else None


def read_dicts(connection: sqlite3.Connection, sql: str, *values: object) -> list[dict[str, Any]]:
    """The rows of a query by column."""
    cursor = connection.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
