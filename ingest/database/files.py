"""Opening the database file: its form, bringing it up to date, and the writer's lock."""

from __future__ import annotations

import glob
import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path

from ingest.database.connection import Database
from ingest.database.damage import is_damage, where_copies_are
from ingest.database.indicator_function import add_indicator_function
from ingest.database.migrations import MIGRATIONS_TABLE
from ingest.database.schema import migrations, update_schema
from ingest.errors import (
    DatabaseBusyError,
    DatabaseError,
    DatabaseMissingError,
    NewerSchemaError,
    OriginalSchemaError,
)
from ingest.text.file_kind import HEAD_BYTES, other_kind
from ingest.text.installation import update_command

_READ_TIMEOUT_S = 30.0
_SQLITE_HEAD = b"SQLite format 3\x00"
_ORIGINAL_TABLES = {"validation_runs", "job_results", "metrics"}


class DatabaseForm(StrEnum):
    """What a file is: empty and current may be written, older after a migration."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    ORIGINAL = "original"
    FOREIGN = "foreign"


def connect_read_only(
    path: Path,
    *,
    immutable: bool = False,
    timeout_s: float = _READ_TIMEOUT_S,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """A connection that cannot write, neither to this file nor to another one.

    immutable: nobody writes to the file, so neither locks nor a log are looked for; it is so where
    the folder cannot be written and no log lies beside the file. timeout_s: how long to wait for a
    lock. Raises DatabaseMissingError, DatabaseError (not an SQLite file).
    """
    if not path.exists():
        raise DatabaseMissingError(f"there is no database {path} yet. Make one with: ingest run")
    if path.is_dir():
        raise DatabaseError(f"{path} cannot be read as a database: it is a folder")
    immutable = immutable or _needs_no_lock(path)
    uri = f"{path.resolve().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}"
    try:
        # no implicit transactions: a temporary table would begin one and hold up the checkpoint
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=timeout_s,
            check_same_thread=False,
            isolation_level=None,
            factory=factory,
        )
    except sqlite3.Error as exc:
        raise DatabaseError(f"{path} cannot be read as a database: {exc}") from exc
    try:
        add_indicator_function(connection)
        connection.set_authorizer(_deny_attaching)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as exc:
        connection.close()
        if is_damage(exc) and (kind := _other_kind(path)) is not None:
            raise DatabaseError(f"{path} cannot be read as a database: it {kind}") from exc
        hint = _unread_log_hint(path)
        if not hint and is_damage(exc):
            hint = f". {where_copies_are(path)}"
        raise DatabaseError(f"{path} cannot be read as a database: {exc}{hint}") from exc
    return connection


def _needs_no_lock(path: Path) -> bool:
    """Whether SQLite could make no companion files, and there is no log that would be left out."""
    return not os.access(path.resolve().parent, os.W_OK) and not _has_log(path)


def _has_log(path: Path) -> bool:
    log = path.resolve().with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _unread_log_hint(path: Path) -> str:
    if os.access(path.resolve().parent, os.W_OK) or not _has_log(path):
        return ""
    return (
        f". Its log {path.name}-wal holds results, and its folder cannot be written: copy both "
        "files to a folder of your own"
    )


def _other_kind(path: Path) -> str | None:
    """What a file is that is no whole database, in words; None for a database and an empty file."""
    try:
        status = path.stat()
        size, head = status.st_size, _read_head(path, (status.st_dev, status.st_ino))
    except OSError as exc:
        return f"cannot be opened: {exc.strerror}"
    if not head.startswith(_SQLITE_HEAD):
        kind = other_kind(head) or (
            "is not SQLite: encrypted, overwritten, or of another program. "
            f"{where_copies_are(path)}"
        )
        return kind if head else None
    # page size and number of pages, of SQLite's header; a log may hold pages that are not here yet
    page_bytes = int.from_bytes(head[16:18]) or 65536
    whole = (65536 if page_bytes == 1 else page_bytes) * int.from_bytes(head[28:32])
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    if size >= whole or has_log:
        return None
    return f"is cut off: {size:,} of {whole:,} bytes. {where_copies_are(path)}"


# Kept open until the process ends: to close any descriptor of a file gives up the locks that SQLite
# holds on it in this process (sqlite.org/howtocorrupt.html, 2.2), and then others may fold and
# remove a log that is in use.
_never_closed: dict[tuple[int, int], int] = {}


def _read_head(path: Path, identity: tuple[int, int]) -> bytes:
    if identity not in _never_closed:
        _never_closed[identity] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return os.pread(_never_closed[identity], HEAD_BYTES, 0)


def _deny_attaching(action: int, *_: str | None) -> int:
    """Mode "ro" protects only the main file: another file, attached, could be written."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def database_file(connection: sqlite3.Connection) -> Path:
    """The file behind a connection."""
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


def database_files(path: Path) -> list[Path]:
    """A database and what lies beside it: its log, its locks, copies and jobs on their way."""
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal", ".lock")]
    name = glob.escape(path.name)
    patterns = (f"{name}.v*.bak", f"{name}.*.jsonl*")
    return [path, *beside, *(found for p in patterns for found in path.parent.glob(p))]


def database_form(connection: sqlite3.Connection) -> DatabaseForm:
    """What form the database behind a connection has."""
    tables = dict(connection.execute("SELECT name, type FROM sqlite_master"))
    if MIGRATIONS_TABLE in tables:
        applied, known = migrations.applied(connection), set(migrations.names)
        if applied - known:
            return DatabaseForm.NEWER
        return DatabaseForm.CURRENT if applied == known else DatabaseForm.OLDER
    if not tables:
        return DatabaseForm.EMPTY
    if set(tables) >= _ORIGINAL_TABLES and tables["metrics"] == "table":
        return DatabaseForm.ORIGINAL
    return DatabaseForm.FOREIGN


def refuse_unusable(form: DatabaseForm, path: Path) -> None:
    """Raise a DatabaseError that says why a file of this form cannot be used, if so."""
    if form is DatabaseForm.ORIGINAL:
        raise OriginalSchemaError(
            f"{path} has the original three-table form and is left as it is. Bring it in with: "
            f"ingest import {path} --database NEW.db"
        )
    if form is DatabaseForm.NEWER:
        raise NewerSchemaError(
            f"{path} was written by a later version of ingest; nothing was changed. "
            + update_command()
        )
    if form is DatabaseForm.FOREIGN:
        raise DatabaseError(f"{path} is a database of something else; name another --database")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection to a database of the current form.

    Raises DatabaseError: missing, foreign, original or newer form, or older (to be migrated).
    """
    connection = connect_read_only(path)
    try:
        form = database_form(connection)
        refuse_unusable(form, path)
        if form is DatabaseForm.OLDER:
            raise DatabaseError(
                f"{path} has an older schema. It is brought up to date, after a copy is set aside, "
                "by the next: ingest run"
            )
        if form is DatabaseForm.EMPTY:
            raise DatabaseMissingError(f"{path} is empty. Fill it with: ingest run")
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_writing(path: Path) -> tuple[Database, Path | None]:
    """The database, created or migrated to the current form, and the copy set aside if migrated.

    Raises DatabaseError as refuse_unusable does; the file is then as it was.
    """
    if path.exists() and path.stat().st_size > 0:
        with closing(connect_read_only(path)) as connection:
            form = database_form(connection)
            refuse_unusable(form, path)
            copy = _set_aside(connection, path) if form is DatabaseForm.OLDER else None
    else:
        copy = None
        if not path.parent.is_dir():
            raise DatabaseError(f"there is no folder {path.parent} for the database {path.name}")
    try:
        connection = sqlite3.connect(path, timeout=_READ_TIMEOUT_S)
    except sqlite3.Error as exc:
        raise DatabaseError(f"{path} cannot be opened for writing: {exc}") from exc
    try:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        update_schema(connection)
    except sqlite3.Error as exc:
        connection.close()
        raise DatabaseError(f"{path} cannot be opened for writing: {exc}") from exc
    return Database(connection), copy


def _set_aside(connection: sqlite3.Connection, path: Path) -> Path:
    """A copy of the database as it is, beside it."""
    copy = path.with_name(f"{path.name}.v{len(migrations.applied(connection))}.bak")
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    return copy


@contextmanager
def writer_lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the one writer's lock of a database; it ends with the process, however that ends.

    wait: wait for the other writer instead of refusing.
    Raises DatabaseBusyError with the pid of the process that holds it.
    """
    from filelock import FileLock, Timeout

    lock_path = path.with_name(path.name + ".lock")
    lock = FileLock(lock_path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout as exc:
        pid = _holder(lock_path)
        who = f"process {pid}" if pid else "another process"
        raise DatabaseBusyError(
            f"{who} is writing to {path} already; readers may go on. "
            "Try again when it has ended (ingest run --wait waits for it)",
            pid,
        ) from exc
    except OSError as exc:
        raise DatabaseError(f"{lock_path} cannot be written: {exc.strerror}") from exc
    try:
        lock_path.write_text(f"{os.getpid()}\n{platform.node()}\n")
        yield
    finally:
        lock.release()


def is_writer_gone(path: Path) -> bool:
    """Whether the process that last held a database's lock has ended; False where unknown.

    Unknown without a lock file, as beside a copy, and for a process on another machine.
    """
    lock_path = path.with_name(path.name + ".lock")
    pid = _holder(lock_path)
    if pid is None or _lines(lock_path)[1:] != [platform.node()]:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # of another user, so it is there
    return False


def _holder(lock_path: Path) -> int | None:
    try:
        return int(_lines(lock_path)[0])
    except (IndexError, ValueError):
        return None


def _lines(lock_path: Path) -> list[str]:
    """The pid of the process that last held a lock, and the name of its machine."""
    try:
        return lock_path.read_text().splitlines()
    except OSError:
        return []


def make_snapshot(path: Path, folder: Path) -> Path:
    """A copy of the database in a folder, under the same name, as copy_database makes it.

    Raises DatabaseError as open_for_reading does, or where the copy cannot be written.
    """
    copy = folder / path.name
    with closing(open_for_reading(path)) as source:
        copy_database(source, copy)
    return copy


def copy_database(source: sqlite3.Connection, copy: Path) -> None:
    """Write a copy of a database as it is at one moment; it needs no companion files.

    Raises DatabaseError where the copy cannot be written.
    """
    try:
        with closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as exc:
        raise DatabaseError(
            f"no copy of {database_file(source)} could be written to {copy}: {exc}"
        ) from exc


def has_lost_log(path: Path) -> bool:
    """Whether a database lacks the log and the lock that a run leaves beside it, as a copy may.

    Of use where a run in it has not ended, and before the file is opened: that makes a log anew.
    """
    log, lock = (path.with_name(path.name + end) for end in ("-wal", ".lock"))
    return path.exists() and not lock.exists() and not (log.exists() and log.stat().st_size > 0)
