"""The table series_changes: which series moved in a run against the state before it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ingest.database.connection import Database
from ingest.database.rows import insert_rows

COLUMNS = (
    "country",
    "scenario",
    "element_label",
    "kind",
    "changed_years",
    "largest_year",
    "before_value",
    "after_value",
    "absolute_change",
    "relative_change",
    "before_sum",
    "after_sum",
    "cause",
    "other_years",
)

# Runs keep how much they moved, for there may be a million changes to count.
RECOUNT = """
UPDATE validation_runs SET
    changed_series = (SELECT count(*) FROM series_changes AS s
                       WHERE s.run_id = validation_runs.run_id),
    changed_combinations = (SELECT count(*) FROM (
        SELECT DISTINCT country, scenario FROM series_changes AS s
         WHERE s.run_id = validation_runs.run_id))
"""


def replace_series_changes(db: Database, run_id: int, rows: Iterable[tuple[Any, ...]]) -> None:
    """Store the changes of a run in place of what was stored of it; rows in order of COLUMNS."""
    with db.atomic():
        db.conn.execute("DELETE FROM series_changes WHERE run_id = ?", [run_id])
        values = ((run_id, *row) for row in rows)
        insert_rows(db.conn, "series_changes", ("run_id", *COLUMNS), values)
        db.conn.execute(f"{RECOUNT} WHERE run_id = ?", [run_id])
