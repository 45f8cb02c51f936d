"""Tables with millions of rows: they are shown without being counted row by row."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from ingest.browser.file_state import State, settled_state
from ingest.browser.own_database import LARGE, NARROW_FILTERS
from ingest.browser.protocols import App, Database, Message, Receive, Request, Send
from ingest.browser.server.datasette_internals import (
    Counts,
    leave_reference_out,
    replace_counts,
)

_LARGE = re.compile(rf"/({'|'.join(LARGE)})(\.\w+)?$")
_ARGUMENT = b"_nocount"


def uncounted(app: App) -> App:
    """The application, asked not to count large tables unless a request says _nocount itself.

    Datasette would count every row of a view until its time limit, for each page of it.
    """

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _LARGE.search(scope["path"]):
            scope = _without_count(scope)
        await app(scope, receive, send)

    return answer


def _without_count(scope: Message) -> Message:
    given = scope.get("query_string") or b""
    if _ARGUMENT + b"=" in given:
        return scope
    return {**scope, "query_string": b"&".join(filter(None, (given, _ARGUMENT + b"=1")))}


def can_be_sorted(request: Request, table: str) -> bool:
    """Whether a table is sorted within moments: of a large one that is so where a filter is narrow.

    Sorting tens of millions of rows ends at the time limit, so pages should not offer it.
    """
    if table not in LARGE:
        return True
    return any(name in request.args or f"{name}__exact" in request.args for name in NARROW_FILTERS)


_NUMBERS = "SELECT coalesce(sum(row_count), 0) FROM result_sets"


def count_without_scan(database: Database) -> None:
    """Have Datasette count the tables of a database by what is known of them.

    Datasette gives each count(*) some milliseconds, but SQLite cannot be interrupted in one: the
    page of a database would read all of its file. metric_values has as many rows as the result sets
    say. What was counted holds until the file changes. The page of an element does not count its
    numbers: they have no index for it.
    """
    known: dict[State, Counts] = {}

    async def table_counts() -> Counts | None:
        names = await database.table_names()
        if not {"metric_values", "result_sets"} <= set(names):
            return None
        state = settled_state(database.path) if database.path else None
        if state is not None and state in known:
            return known[state]
        counted = await database.execute_fn(lambda conn: _count(conn, names))
        known.clear()
        if state is not None:
            known[state] = counted
        return counted

    replace_counts(database, table_counts)
    leave_reference_out(database, "elements", ("metric_values", "element_id"))


def _count(connection: sqlite3.Connection, names: Iterable[str]) -> Counts:
    """The number of rows of each table."""
    counts: Counts = {}
    for name in names:
        quoted = name.replace('"', '""')
        sql = _NUMBERS if name == "metric_values" else f'SELECT count(*) FROM "{quoted}"'
        counts[name] = connection.execute(sql).fetchone()[0]
    return counts
