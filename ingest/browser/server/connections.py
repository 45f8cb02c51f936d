"""The connections of the pages to one file: to the one that is there now, and only for reading."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ingest.browser.file_state import file_key
from ingest.browser.protocols import Database, Datasette, T
from ingest.browser.server.datasette_internals import (
    is_immutable,
    limit_statements,
    limit_work,
    prepare_connection,
    replace_connections,
    sql_threads,
)
from ingest.database.files import DatabaseForm, connect_read_only, database_form, refuse_unusable
from ingest.database.sql_limits import LONGEST_VALUE, LimitedConnection
from ingest.errors import DatabaseError
from ingest.questions.catalogue import Memo

_LOCK_TIMEOUT_S = 5.0
# What only reads. A temporary table or an open transaction would stay for the next visitor.
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_TELLING = ("_info", "_xinfo", "_list", "cache_size")
# By SQLite's code, not by its words: those can be a visitor's ("no such column", "malformed JSON").
_DAMAGED = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
# A file with a readable beginning may be damaged further on; it is tried again after this time.
_TRIED_AGAIN_AFTER_S = 5.0

Identity = tuple[int, ...]


@dataclass
class Reading:
    """What one request reads: which file of each path, and which databases cannot be read, why.

    is_outdated: a file was another one, or could not be read, so the answer must not be sent.
    sql_s: processor time of its statements so far that have a time limit; they take turns.
    memos: what it has read of each path, see memo.py.
    """

    files: dict[str, Identity] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    is_outdated: bool = False
    sql_s: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    memos: dict[str, Memo] = field(default_factory=dict)


reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


class ServedFile:
    """One database file, which may be replaced, removed or overwritten at any time.

    problem: why it cannot be read, empty where it can. identity: which file it is.
    """

    def __init__(self, datasette: Datasette, database: Database, path: str) -> None:
        self.database = database
        self.path = path
        self.problem = ""
        self._datasette = datasette
        self._immutable = is_immutable(database)
        self._key: tuple[int, ...] | None = None
        self._damaged_until = 0.0
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        replace_connections(database, self._connect_once, self._execute)
        limit_statements(database, self._turn)
        limit_work()

    @property
    def identity(self) -> Identity:
        """Device and inode; empty where there is no readable file."""
        return (self._key or ())[:2]

    def has_changed(self) -> bool:
        """Whether look() has anything to find out."""
        return bool(self.problem) or file_key(self.path) != self._key

    def look(self) -> None:
        """Find out which file is there; on another one all connections are made anew."""
        with self._lock:
            key = file_key(self.path)
            if key == self._key and time.monotonic() < self._damaged_until:
                return
            if key != self._key or self.problem:
                self._forget()
                self._key, self._damaged_until = key, 0.0
                self.problem = self._find_problem()

    def _find_problem(self) -> str:
        """Told to visitors, who need not know in which folder the file is."""
        return self._problem_here().replace(f"{Path(self.path).parent}/", "")

    def _problem_here(self) -> str:
        path = Path(self.path)
        try:
            connection = self._connect()
        except (DatabaseError, sqlite3.Error) as exc:
            return str(exc)
        try:
            form = database_form(connection)
            if form in (DatabaseForm.NEWER, DatabaseForm.EMPTY, DatabaseForm.OLDER):
                refuse_unusable(form, path)
                state = "is empty" if form is DatabaseForm.EMPTY else "has an older schema"
                return f"{path} {state}. Bring it up to date with: ingest run"
            connection.execute("SELECT count(sql) FROM sqlite_master").fetchone()
        except (DatabaseError, sqlite3.Error) as exc:
            return str(exc)
        finally:
            connection.close()
        return ""

    def _forget(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> sqlite3.Connection:
        path = Path(self.path)
        connection = connect_read_only(
            path,
            immutable=self._immutable,
            timeout_s=_LOCK_TIMEOUT_S,
            factory=LimitedConnection if self._has_visitors_sql() else sqlite3.Connection,
        )
        connection.set_authorizer(_only_reading)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        return connection

    def _has_visitors_sql(self) -> bool:
        """Whether any visitor may write SQL: by --allow-sql, or by metadata of the user's own."""
        by_metadata = self._datasette.metadata("allow_sql", database=self.database.name)
        return bool(self._datasette.setting("default_allow_sql") or by_metadata)

    def _connect_once(self) -> sqlite3.Connection:
        """Datasette's connect(): for one use, to the file that the request has read before."""
        connection = self._connect()
        self._require_same(reading.get(), file_key(self.path))
        return connection

    def _require_same(self, request: Reading | None, key: tuple[int, ...]) -> None:
        if request and request.files.get(self.path, key[:2]) != key[:2]:
            raise _outdated(request, f"{self.path} was replaced")

    async def _execute(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Datasette's execute_fn()."""
        request = reading.get()

        def read() -> T:
            begin = time.thread_time()
            try:
                with self._connection(request) as connection:
                    return fn(connection)
            finally:
                if request and request.turn.locked():
                    request.sql_s += time.thread_time() - begin

        threads = sql_threads(self._datasette)
        return read() if threads is None else await _in(threads, read)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[float]:
        """What a request has left of the time limit, in ms, which is one for all its statements.

        They come one after the other, so that one request never takes the threads of all.
        """
        request = reading.get() or Reading()
        async with request.turn:
            yield max(1, self._datasette.sql_time_limit_ms - request.sql_s * 1000)

    @contextmanager
    def _connection(self, request: Reading | None) -> Iterator[sqlite3.Connection]:
        """A connection to the file that the request has read before."""
        key, connection = self._take()
        try:
            self._require_same(request, key)
            yield connection
        except sqlite3.DatabaseError as exc:
            if _primary_code(exc) in _DAMAGED:
                self._note_damage(key, exc)
                raise _outdated(request, str(exc)) from exc
            if "not authorized" in str(exc) or "prohibited" in str(exc):
                raise sqlite3.OperationalError(f"{exc}: SQL here can only read") from exc
            raise
        finally:
            self._give_back(key, connection)

    def _take(self) -> tuple[tuple[int, ...], sqlite3.Connection]:
        if file_key(self.path) != self._key:
            self.look()
        with self._lock:
            key = self._key or ()
            if self._idle:
                return key, self._idle.pop()
        connection = self._connect()
        prepare_connection(self._datasette, connection, self.database.name)
        return key, connection

    def _give_back(self, key: tuple[int, ...], connection: sqlite3.Connection) -> None:
        with self._lock:
            if key == self._key and not self.problem:
                self._idle.append(connection)
            else:
                connection.close()

    def _note_damage(self, key: tuple[int, ...], exc: sqlite3.Error) -> None:
        with self._lock:
            if key == self._key:
                self._forget()
                self.problem = f"{Path(self.path).name} cannot be read as a database: {exc}"
                self._damaged_until = time.monotonic() + _TRIED_AGAIN_AFTER_S


def _primary_code(exc: sqlite3.Error) -> int:
    """SQLite's code without its details; 0 for an error of Python's own."""
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF


def _outdated(request: Reading | None, message: str) -> Exception:
    """An error that Datasette answers without a traceback; the answer is not sent."""
    from datasette.views.base import DatasetteError

    if request:
        request.is_outdated = True
    error: Exception = DatasetteError(message, status=503)
    return error


async def _in(threads: object, read: Callable[[], T]) -> T:
    """What is read in a thread, which knows its request."""
    known = partial(copy_context().run, read)
    return await asyncio.get_running_loop().run_in_executor(threads, known)  # type: ignore[arg-type]


def _only_reading(action: int, name: str | None, value: str | None, *_: str | None) -> int:
    if "sqlite_stmt" in (name, value) or value == "fts3_tokenizer":  # others' SQL, an address
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and (name, value) == ("pragma_database_list", "file"):
        return sqlite3.SQLITE_IGNORE  # a path of this machine is NULL
    tells = action == sqlite3.SQLITE_PRAGMA and (value is None or str(name).endswith(_TELLING))
    # how a table-valued function such as json_each() tells its columns
    declares = action == sqlite3.SQLITE_UPDATE and name == "sqlite_master"
    may = tells or declares or action in _ALLOWED
    return sqlite3.SQLITE_OK if may else sqlite3.SQLITE_DENY
