"""Whose results a database holds: the name of its study, and the names it had before."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ingest.database.connection import Database
from ingest.database.rows import insert_row


def read_study_names(connection: sqlite3.Connection) -> list[str]:
    """The names of the study whose results these are, the one it has now first; none before any."""
    rows = connection.execute("SELECT name FROM study_names ORDER BY study_name_id DESC")
    return [name for (name,) in rows]


def are_one_study(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two lists of names, each with the present one first, can be of one study.

    A study that is called as the other one was before it was renamed is the same; where nothing
    says whose results they are, nothing contradicts it.
    """
    return not names or not others or names[0] in others or others[0] in names


def name_study(db: Database, name: str, since: str, reason: str) -> None:
    """Let the study have this name from now on; earlier names are kept."""
    with db.atomic():
        insert_row(db.conn, "study_names", {"name": name, "since": since, "reason": reason})


def claim(db: Database, name: str | None, since: str, reason: str) -> None:
    """Let the results be those of a study, where nothing has said whose they are."""
    if name and not read_study_names(db.conn):
        name_study(db, name, since, reason)
