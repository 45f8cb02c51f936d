"""A consistent copy of a database, made while others may be writing to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ingest.database.files import open_for_reading
from ingest.errors import DatabaseError


def make_snapshot(path: Path, folder: Path) -> Path:
    """A copy of the database in a folder, under the same name, as it was at one moment.

    The copy needs no companion files. Raises DatabaseError as open_for_reading does, or where the
    copy cannot be written.
    """
    copy = folder / path.name
    with closing(open_for_reading(path)) as source:
        try:
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as exc:
            raise DatabaseError(f"no copy of {path} could be written to {folder}: {exc}") from exc
    return copy
