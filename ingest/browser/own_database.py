"""Which databases are results of ingest, and which tables are its own."""

from __future__ import annotations

import sqlite3
from functools import lru_cache

from ingest.browser.links import decode
from ingest.browser.memo import remembered
from ingest.browser.protocols import Database, Datasette, Request
from ingest.browser.server.metadata import described_tables

# Without one of these there is nothing that the pages could show.
_NEEDED = {"validation_runs", "job_results", "result_sets", "series_changes"}
# Tables and views with millions of rows, and filters that leave some hundred thousand at most.
LARGE = ("metrics", "latest_metrics", "metric_values")
NARROW_FILTERS = ("country", "ulid", "result_set_id")


@lru_cache(maxsize=1)
def own_tables() -> frozenset[str]:
    """The tables and views whose columns mean what metadata.yml says."""
    return frozenset(described_tables())


def has_results(connection: sqlite3.Connection) -> bool:
    """Whether a database has the tables of ingest."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows} >= _NEEDED


async def holds_results(database: Database) -> bool:
    """Whether a served database has the tables of ingest."""
    return await remembered(database, "results", has_results)


async def results_databases(datasette: Datasette) -> list[Database]:
    """The databases that hold results, in the order of the command line."""
    given = [base for name, base in datasette.databases.items() if not name.startswith("_")]
    return [database for database in given if await holds_results(database)]


def find_database(datasette: Datasette, request: Request) -> Database | None:
    """The database that an address names, None where there is none of that name."""
    try:
        return datasette.get_database(route=decode(request.url_vars["database"]))
    except KeyError:
        return None
