"""The table run_tags: names that people give to runs. A tag pins its run: gc leaves it alone."""

from __future__ import annotations

import sqlite3
from typing import Any

from ingest.database.connection import Database
from ingest.database.rows import read_dicts


def read_tags(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every tag with its run, the newest run first."""
    return read_dicts(
        connection,
        """SELECT t.tag, t.run_id, r.timestamp, r.git_commit, r.status
             FROM run_tags AS t JOIN validation_runs AS r ON r.run_id = t.run_id
            ORDER BY t.run_id DESC, t.tag""",
    )


def store_tag(db: Database, run_id: int, tag: str) -> None:
    """Give a run a name; a tag of that name moves to it."""
    with db.atomic():
        db.conn.execute(
            """INSERT INTO run_tags (tag, run_id) VALUES (?, ?)
               ON CONFLICT (tag) DO UPDATE SET run_id = excluded.run_id""",
            [tag, run_id],
        )


def delete_tag(db: Database, tag: str) -> bool:
    """Take a name away; whether there was one."""
    with db.atomic():
        return db.conn.execute("DELETE FROM run_tags WHERE tag = ?", [tag]).rowcount > 0
