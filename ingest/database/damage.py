"""What is wrong with a database file when reading it failed, and where its copies are."""

from __future__ import annotations

import glob
import sqlite3
import time
from contextlib import closing
from pathlib import Path

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNUSABLE = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
}  # fmt: skip
_LONGEST_CHECK_S = 10.0
_OPERATIONS = 100_000
_SHOWN_COPIES = 3


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that a file is damaged or none of its own."""
    return _code(error) in _DAMAGED


def explain_failure(error: BaseException, path: Path) -> str | None:
    """One line for an error that the state of the database file explains; None for any other."""
    if _code(error) in _UNUSABLE:
        return f"{path} cannot be used: {error}"
    finding = _first_finding(path) if path.is_file() else None
    if finding is None and is_damage(error):
        finding = str(error)
    return None if finding is None else f"{path} is damaged: {finding}. {where_copies_are(path)}"


def where_copies_are(path: Path) -> str:
    """A sentence about the copies beside a database, the newest first."""
    found = path.parent.glob(f"{glob.escape(path.name)}*.bak")
    copies = sorted(found, key=lambda copy: copy.stat().st_mtime, reverse=True)
    if not copies:
        return (
            "There is no copy beside it: restore one, or move the file away and run again. "
            f"What can still be read: sqlite3 {path} .recover"
        )
    return f"Copies, the newest first: {', '.join(map(str, copies[:_SHOWN_COPIES]))}"


def _code(error: BaseException) -> int | None:
    """SQLite's code without the details; None for another error."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _first_finding(path: Path) -> str | None:
    """The first finding of SQLite's own check, None where it finds nothing in a few seconds."""
    end = time.monotonic() + _LONGEST_CHECK_S
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > end, _OPERATIONS)
            (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as exc:
        return str(exc) if is_damage(exc) else None
    return (
        None
        if finding == "ok"
        else " ".join(str(finding).replace("*** in database main ***", "").split())
    )
