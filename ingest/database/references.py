"""Published figures in the database: stored by name, read as a list."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from ingest.database.connection import Database
from ingest.database.rows import insert_rows, read_dicts


def replace_reference(
    db: Database, reference: str, element_label: str, values: Iterable[tuple[str, str, float]]
) -> int:
    """Store (country, scenario, value) in place of what this reference had for this label.

    Gives how many figures it had before.
    """
    with db.atomic():
        cursor = db.conn.execute(
            "DELETE FROM reference_values WHERE reference = ? AND element_label = ?",
            [reference, element_label],
        )
        columns = ("reference", "country", "scenario", "element_label", "value")
        rows = ((reference, *combination, element_label, value) for *combination, value in values)
        insert_rows(db.conn, "reference_values", columns, rows)
        return int(cursor.rowcount)


def read_references(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Each reference, label and scenario: its number of countries and the sum of its figures."""
    return read_dicts(
        connection,
        """SELECT reference, element_label, scenario, count(*) AS countries, sum(value) AS total
             FROM reference_values
            GROUP BY reference, element_label, scenario
            ORDER BY reference, element_label, scenario""",
    )


def read_known_names(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """The scenarios and the element labels that this database knows, both sorted."""
    scenarios = connection.execute(
        "SELECT name FROM scenarios UNION SELECT scenario FROM job_results ORDER BY 1"
    )
    labels = connection.execute("SELECT element_label FROM elements ORDER BY 1")
    return [name for (name,) in scenarios], [label for (label,) in labels]
