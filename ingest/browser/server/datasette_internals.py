"""The private parts of Datasette that the browser relies on, all of them, one function for each.

Datasette may change them with any release. Each has a test in
tests/browser/server/test_datasette_internals.py that says which one another Datasette has changed.
"""

from __future__ import annotations

import importlib
import re
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import lru_cache, wraps
from typing import Any

from ingest.browser.protocols import Database, Datasette, Request, T

Counts = dict[str, int | None]

# SQLite does about so many of its steps in a millisecond.
_STEPS_OF_MS = 10_000
_MOST_STEPS = 50_000
_MOST_TABLES = 1_000

# How the SQL for a page of one row ends; it reads a row more to know if there are more.
_PAGE_END = re.compile(r" limit 2( offset \d+)?$")


def serve_command() -> Any:
    """Datasette's command line: a click command that gives the instance back where asked to.

    Raises ImportError: Datasette is not installed.
    """
    hook = sys.excepthook
    from datasette.cli import serve

    sys.excepthook = hook  # one of its plugins may replace it
    return serve


def hide_local_variables() -> None:
    """Where rich is there, Datasette prints the local variables of every error, of a 404 too.

    The module has rich in a variable, and None where it is not installed.
    """
    # this module can only be imported after Datasette's plugins
    importlib.import_module("datasette.handle_exception").__dict__["rich"] = None


@contextmanager
def own_connection(datasette: Datasette, database: Database) -> Iterator[sqlite3.Connection]:
    """A connection prepared as Datasette prepares its own, so that texts are the same."""
    private: Any = database
    connection: sqlite3.Connection = private.connect()
    try:
        prepare: Any = datasette
        prepare._prepare_connection(connection, database.name)
        yield connection
    finally:
        connection.close()


def prepare_connection(datasette: Datasette, connection: sqlite3.Connection, name: str) -> None:
    """What Datasette does to each of its connections: texts, rows, functions of plugins."""
    private: Any = datasette
    private._prepare_connection(connection, name)


def read_table_rules_once(datasette: Datasette) -> None:
    """Have the rules of metadata on who sees a table looked up once for each table.

    Datasette copies all metadata for each table of a page. Where a plugin gives metadata, they may
    change, and are looked up each time.
    """
    hooks: Any = importlib.import_module("datasette.plugins").pm.hook
    if not hooks.get_metadata.get_hookimpls():
        private: Any = datasette
        private._table_permission_allows = lru_cache(_MOST_TABLES)(private._table_permission_allows)


def is_immutable(database: Database) -> bool:
    """Whether a database was named with --immutable."""
    private: Any = database
    return not private.is_mutable


def sql_threads(datasette: Datasette) -> Executor | None:
    """The threads that SQL runs in; None where it runs in the only one."""
    private: Any = datasette
    threads: Executor | None = private.executor
    return threads


def replace_connections(
    database: Database,
    connect: Callable[[], sqlite3.Connection],
    execute_fn: Callable[[Callable[[sqlite3.Connection], T]], Awaitable[T]],
) -> None:
    """Have everything that reads a database do it over these connections."""
    private: Any = database
    private.connect, private.execute_fn = connect, execute_fn


@contextmanager
def work_limit(connection: sqlite3.Connection, ms: float) -> Iterator[None]:
    """Interrupts what a connection does once it has worked so long; waiting for others is free.

    Seldom looked at, for each look waits until no other thread runs Python.
    """
    deadline = time.thread_time() + ms / 1000
    steps = max(1, min(_MOST_STEPS, int(ms * _STEPS_OF_MS / 10)))
    connection.set_progress_handler(lambda: time.thread_time() > deadline, steps)
    try:
        yield
    finally:
        connection.set_progress_handler(None, steps)


def limit_work() -> None:
    """Have Datasette's own time limit of a statement be that."""
    importlib.import_module("datasette.database").__dict__["sqlite_timelimit"] = work_limit


def limit_statements(
    database: Database, turn: Callable[[], AbstractAsyncContextManager[float]]
) -> None:
    """Have each statement with a time limit wait for its turn, and end when that is over.

    turn(): a context that gives how many milliseconds there are, at least 1.
    """
    private: Any = database
    execute_plainly = private.execute

    async def execute(*args: Any, custom_time_limit: float | None = None, **more: Any) -> Any:
        async with turn() as left_ms:
            limit = min(left_ms, custom_time_limit or left_ms)
            return await execute_plainly(*args, custom_time_limit=limit, **more)

    private.execute = execute


def build_links_once() -> None:
    """Have links that begin with base_url already left as they are.

    Datasette puts it before the path of a request, but not before every link that it makes of one.
    """
    from datasette.url_builder import Urls
    from datasette.utils import PrefixedUrlString

    build: Any = Urls.path
    if hasattr(build, "__wrapped__"):
        return

    @wraps(build)
    def path(self: Any, path: str, format: str | None = None) -> str:
        is_built = path.startswith(self.ds.setting("base_url"))
        built: str = build(self, PrefixedUrlString(path) if is_built else path, format)
        return built

    Urls.path = path


def show_databases(datasette: Datasette, databases: Mapping[str, Database]) -> None:
    """Have Datasette serve these databases, and no other."""
    private: Any = datasette
    private.databases = databases


def table_view(datasette: Datasette) -> Any:
    """The view that answers tables and canned queries; dispatch_request(request) answers."""
    from datasette.views.table import TableView

    return TableView(datasette)


def database_view(datasette: Datasette) -> Any:
    """The view that answers visitors' SQL; dispatch_request(request) answers."""
    from datasette.views.database import DatabaseView

    return DatabaseView(datasette)


async def first_row(view: Any, request: Request) -> Any:
    """What a view knows for a page of one row: data with query.sql, columns, primary_keys, ...

    Another answer of Datasette, such as a redirect, where the view gives one.
    """
    found = await view.data(request, _size=1)
    return found[0] if isinstance(found, tuple) else found


def without_page_end(sql: str, limit: int) -> str:
    """The SQL of first_row() for a table with another limit; -1 is every row."""
    whole, count = _PAGE_END.subn(lambda end: f" limit {limit}{end[1] or ''}", sql)
    if not count:
        raise RuntimeError(f"Datasette's SQL of a page does not end as it did: {sql}")
    return whole


def filter_names() -> list[str]:
    """What may follow a column and two underscores: exact, contains, gt, ..."""
    from datasette.filters import Filters

    return [name for name, _, _ in Filters([]).lookups()]


def magic_values(datasette: Datasette, request: Request, values: Any) -> Mapping[str, Any]:
    """The values of an SQL statement and Datasette's magic ones, such as :_now_epoch."""
    from datasette.views.database import MagicParameters

    found: Mapping[str, Any] = MagicParameters(values, request, datasette)
    return found


def json_answer(args: Any, data: dict[str, Any], view_name: str) -> Any:
    """Datasette's own JSON; it takes rows out of data for some shapes."""
    from datasette.renderer import json_renderer

    return json_renderer(args, data, view_name)


def replace_counts(database: Database, count: Callable[[], Awaitable[Counts | None]]) -> None:
    """Have the pages show other counts of a database's tables; Datasette's own where it is None."""
    private: Any = database
    count_plainly = private.table_counts

    async def table_counts(limit: float = 10) -> Counts:
        counted: Counts | None = await count()
        return await count_plainly(limit) if counted is None else counted

    private.table_counts = table_counts


def leave_reference_out(database: Database, table: str, other: tuple[str, str]) -> None:
    """Have the page of a table's row not count the rows that refer to it by (table, column)."""
    private: Any = database
    find_foreign_keys = private.get_all_foreign_keys

    async def get_all_foreign_keys() -> Any:
        found = await find_foreign_keys()
        if table in found:
            incoming = found[table]["incoming"]
            found[table]["incoming"] = [
                key for key in incoming if (key["other_table"], key["other_column"]) != other
            ]
        return found

    private.get_all_foreign_keys = get_all_foreign_keys
