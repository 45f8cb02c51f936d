"""Tables with millions of rows: they are shown without being counted row by row."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Any

from ingest.browser.asgi import App, Message, Receive, Send
from ingest.browser.file_state import State, settled_state

_LARGE = re.compile(r"/(metrics|latest_metrics|metric_values)(\.\w+)?$")
_ARGUMENT = b"_nocount"
# Filters that leave at most some hundred thousand rows of them.
_NARROW = ("country", "ulid", "result_set_id")


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


def can_be_sorted(request: Any, table: str) -> bool:
    """Whether a table is sorted within moments: of a large one that is so where a filter is narrow.

    Sorting tens of millions of rows ends at the time limit, so pages should not offer it.
    """
    if not _LARGE.search(f"/{table}"):
        return True
    return any(name in request.args or f"{name}__exact" in request.args for name in _NARROW)


# Datasette counts what refers to a row, without an index on this for seconds.
_UNCOUNTED_REFERENCE = ("metric_values", "element_id")

Counts = dict[str, int | None]
_NUMBERS = "SELECT coalesce(sum(row_count), 0) FROM result_sets"


def count_without_scan(database: Any) -> None:
    """Have Datasette count the tables of a database by what is known of them.

    Datasette gives each count(*) some milliseconds, but SQLite cannot be interrupted in one: the
    page of a database would read all of its file. metric_values has as many rows as the result sets
    say. What was counted holds until the file changes.
    """
    known: dict[State, Counts] = {}
    count_plainly = database.table_counts

    async def table_counts(limit: float = 10) -> Counts:
        names = await database.table_names()
        if not {"metric_values", "result_sets"} <= set(names):
            counted: Counts = await count_plainly(limit)
            return counted
        state = settled_state(database.path) if database.path else None
        if state is None or state not in known:
            counted = await database.execute_fn(lambda conn: _count(conn, names))
            known.clear()
            if state is not None:
                known[state] = counted
            return counted
        return known[state]

    database.table_counts = table_counts


def leave_large_references_out(database: Any) -> None:
    """Have the page of an element not count its numbers among millions: they have no such index."""
    find_foreign_keys = database.get_all_foreign_keys

    async def get_all_foreign_keys() -> Any:
        found = await find_foreign_keys()
        if "elements" in found:
            found["elements"]["incoming"] = [
                key
                for key in found["elements"]["incoming"]
                if (key["other_table"], key["other_column"]) != _UNCOUNTED_REFERENCE
            ]
        return found

    database.get_all_foreign_keys = get_all_foreign_keys


def _count(connection: sqlite3.Connection, names: Iterable[str]) -> Counts:
    """The number of rows of each table."""
    counts: Counts = {}
    for name in names:
        quoted = name.replace('"', '""')
        sql = _NUMBERS if name == "metric_values" else f'SELECT count(*) FROM "{quoted}"'
        counts[name] = connection.execute(sql).fetchone()[0]
    return counts
