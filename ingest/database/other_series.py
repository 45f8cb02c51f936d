"""Numbers of another study or source, kept beside this study's own and never part of its state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from ingest.database.connection import Database
from ingest.database.rows import insert_row, insert_rows, read_dicts
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination


class OtherNumbers(NamedTuple):
    """The numbers of one combination elsewhere; origin: where they were recorded, in words."""

    combination: Combination
    result_set: ResultSet
    origin: str


class KeptApart(NamedTuple):
    """How many combinations came in, how many of them in place of others, how many were known."""

    stored: int
    replaced: int
    known: int


def keep_apart(
    db: Database, study: str, numbers: Iterable[OtherNumbers], timestamp: str
) -> KeptApart:
    """Store another study's numbers under its name, in place of what it had; all or nothing."""
    stored = replaced = known = 0
    with db.atomic():
        for item in numbers:
            there = _read(db.conn, study, item.combination)
            if there == list(item.result_set):
                known += 1
                continue
            stored += 1
            replaced += bool(there)
            _replace(db.conn, study, item, timestamp)
    return KeptApart(stored, replaced, known)


def _read(connection: sqlite3.Connection, study: str, combination: Combination) -> list[Metric]:
    rows = connection.execute(
        """SELECT element_label, timestamp_year, value FROM other_metrics
            WHERE study = ? AND country = ? AND scenario = ? ORDER BY 1, 2""",
        [study, *combination],
    )
    return [Metric(*row) for row in rows]


def _replace(
    connection: sqlite3.Connection, study: str, item: OtherNumbers, timestamp: str
) -> None:
    ours = "study = ? AND country = ? AND scenario = ?"
    key = [study, *item.combination]
    of_series = f"series_id IN (SELECT series_id FROM other_series WHERE {ours})"
    connection.execute(f"DELETE FROM other_values WHERE {of_series}", key)
    connection.execute(f"DELETE FROM other_series WHERE {ours}", key)
    facts = {"study": study, **item.combination._asdict()}
    more = {"origin": item.origin, "imported_at": timestamp}
    ids = {
        label: insert_row(connection, "other_series", {**facts, "element_label": label, **more})
        for label in dict.fromkeys(metric.element_label for metric in item.result_set)
    }
    rows = ((ids[m.element_label], m.timestamp_year, m.value) for m in item.result_set)
    insert_rows(connection, "other_values", ("series_id", "timestamp_year", "value"), rows)


def read_other_studies(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Each study that is kept apart: study and its number of combinations."""
    return read_dicts(
        connection,
        """SELECT study, count(*) AS combinations
             FROM (SELECT DISTINCT study, country, scenario FROM other_series)
            GROUP BY study ORDER BY study""",
    )
