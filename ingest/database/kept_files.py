"""Contents of code and data files by digest, kept and read."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable

from ingest.database.connection import Database
from ingest.database.rows import insert_rows

# A file's content by its digest, or why it is not kept; None where there is no such file now.
ReadFile = Callable[[str], bytes | str | None]


def keep_files(db: Database, digests: Iterable[str], read: ReadFile) -> None:
    """Keep the contents of files that are not kept yet, compressed."""
    missing = [digest for digest in digests if not _is_kept(db.conn, digest)]
    rows = [_row(digest, content) for digest in missing if (content := read(digest)) is not None]
    if rows:
        columns = ("digest", "content", "not_kept")
        with db.atomic():
            insert_rows(db.conn, "file_contents", columns, rows, "ON CONFLICT DO NOTHING")


def _is_kept(connection: sqlite3.Connection, digest: str) -> bool:
    query = "SELECT 1 FROM file_contents WHERE digest = ?"
    return connection.execute(query, [digest]).fetchone() is not None


def _row(digest: str, content: bytes | str) -> tuple[str, bytes | None, str | None]:
    if isinstance(content, str):
        return digest, None, content
    return digest, zlib.compress(content), None


def read_file(connection: sqlite3.Connection, digest: str) -> bytes | str | None:
    """The kept content of a file; a text says why it was not kept, None: it is not known."""
    query = "SELECT content, not_kept FROM file_contents WHERE digest = ?"
    row = connection.execute(query, [digest]).fetchone()
    if row is None:
        return None
    return str(row[1]) if row[0] is None else zlib.decompress(row[0])
