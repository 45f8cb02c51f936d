"""Cells in Datasette: which databases are ours, and the names that their cells need at hand.

Datasette asks for every cell separately. The names are read once per state of the database, by the
first cell that needs them; every further one is answered without waiting.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from markupsafe import Markup

from ingest.browser.links import Links
from ingest.browser.memo import remembered
from ingest.browser.own_database import has_results
from ingest.browser.protocols import Database, Datasette
from ingest.browser.tables.cells import CellContext, may_render, render_value

# Whether a database has changed is not looked up for each of a page's cells.
_TRUSTED_S = 0.1

_trusted: WeakKeyDictionary[Database, tuple[float, CellContext | None]] = WeakKeyDictionary()


def render_cell(
    datasette: Datasette, database: str, table: str | None, column: str, value: Any, row: Any
) -> Markup | Callable[[], Awaitable[Markup | None]] | None:
    """What Datasette's hook gives back: HTML, None for a cell that is left to Datasette, or what
    Datasette is to call and await, once the database has changed."""
    if not may_render(column, value, table):
        return None
    source = datasette.databases[database]
    if not source.path:
        return None
    found = _trusted.get(source)
    if found is not None and found[0] > time.monotonic():
        context = found[1]
        return render_value(context, column, value, row, table) if context else None

    async def read_and_render() -> Markup | None:
        context = await cell_context(datasette, source)
        return render_value(context, column, value, row, table) if context else None

    return read_and_render


async def cell_context(datasette: Datasette, source: Database) -> CellContext | None:
    """What the cells of a database need, as of now; None for one that ingest did not make."""
    links = Links(source.route, datasette.setting("base_url"))
    context = await remembered(source, "cells", lambda conn: _read_context(conn, links), links)
    _trusted[source] = (time.monotonic() + _TRUSTED_S, context)
    return context


def _read_context(connection: sqlite3.Connection, links: Links) -> CellContext | None:
    if not has_results(connection):
        return None
    codes = connection.execute("SELECT DISTINCT country FROM job_results")
    countries = {code: code for (code,) in codes}
    names = connection.execute("SELECT iso3, coalesce(nullif(name, ''), iso3) FROM countries")
    countries |= dict(names.fetchall())
    return CellContext(links, countries)
