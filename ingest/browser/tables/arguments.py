"""What may stand after the question mark of a table's address: a typing mistake is no filter.

Datasette leaves out what it does not know, so that every row would come; and fails for some values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from ingest.browser.protocols import Database, Datasette, Request
from ingest.browser.server.datasette_internals import filter_names
from ingest.errors import ConfigError
from ingest.text.suggest import did_you_mean

# Datasette's own arguments, and those of ingest.
_FACETS = ("_facet", "_facet_array", "_facet_date")
_MOST_FACETS = 5
_COLUMNS = (
    "_sort", "_sort_desc", *_FACETS, "_col", "_nocol", "_label", "_json",
)  # fmt: skip
_NUMBERS = ("_timelimit", "_facet_size", "_ttl")
_SWITCHES = ("_labels", "_json_infinity")
_OF_TABLES = ("_where", "_through", "_search", "_searchmode", "_fts_table", "_fts_pk")
_OF_ALL = (
    *_COLUMNS, *_NUMBERS, *_SWITCHES, "_size", "_next", "_sort_by_desc", "_nofacet", "_nosuggest",
    "_nocount", "_shape", "_nl", "_trace", "_dl", "_header", "_stream", "_hide_sql", "_show_sql",
    "_context", "_blob_column", "_blob_hash", "_raw", "_chart", "_editor",
)  # fmt: skip
_OF_FORMS = re.compile(r"_filter_(column|op|value)(_\d+)?|_search_.+")
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_COMPARED = ("gt", "gte", "lt", "lte")


def once_each(request: Request) -> list[tuple[str, str]]:
    """The arguments of a table, each facet once, since each is counted anew wherever it stands.

    Raises ConfigError: there are more than five facets.
    """
    given = parse_qsl(request.query_string, keep_blank_values=True)
    kept = [pair for i, pair in enumerate(given) if pair[0] not in _FACETS or pair not in given[:i]]
    facets = [text for name, text in kept if name in _FACETS]
    if len(facets) > _MOST_FACETS:
        raise ConfigError(
            f"there are {len(facets)} facets; at most {_MOST_FACETS} are counted at once"
        )
    return kept


def check_own_arguments(request: Request, *, is_table: bool = False) -> None:
    """Raises ConfigError: a name that begins with _ is not known, or its value is no number.

    A name _ alone is let through: scripts add it so that an answer is not a kept one.
    """
    known = (*_OF_ALL, *_OF_TABLES) if is_table else _OF_ALL
    for name in request.args:
        is_own = name.startswith("_") and not (is_table and "__" in name)
        is_known = name in known or name == "_" or (is_table and _OF_FORMS.fullmatch(name))
        if is_own and not is_known:
            raise ConfigError(f"there is no argument {name}.{did_you_mean(name, known)}")
    check_values(request)


def check_values(request: Request) -> None:
    """Raises ConfigError: an argument that is a number or a switch has another value."""
    for name in _NUMBERS:
        text = request.args.get(name) or "0"
        if not _NUMBER.fullmatch(text) and (name, text) != ("_facet_size", "max"):
            raise ConfigError(f"{name}={text} is no whole number")
    for name in _SWITCHES:
        text = request.args.get(name) or "on"
        if text.lower() not in ("on", "off", "true", "false", "1", "0"):
            raise ConfigError(f"{name}={text} is neither on nor off")


async def check_table_arguments(
    datasette: Datasette, request: Request, database: Database, table: str
) -> None:
    """Raises ConfigError: a name or value that would not choose rows as its reader means it.

    It has the nearest known name. A table that is not there is left to Datasette.
    """
    columns = await database.table_columns(table)
    if not columns:
        return
    check_own_arguments(request, is_table=True)
    is_view = bool(await database.get_view_definition(table))
    keys = await database.primary_keys(table)
    known = columns if is_view else [*columns, "rowid"]
    for name in request.args:
        for text in request.args.getlist(name):
            if name in _COLUMNS and text:
                _check_column(f"{name}: ", text, table, known)
            elif not name.startswith("_") or "__" in name:
                _check_filter(name, text, table, known)
    _check_sort(request)
    _check_next(request, 0 if is_view else len(keys) or 1)
    for text in request.args.getlist("_through"):
        await _check_through(database, text)
    await _check_search(datasette, request, database, table)


def _check_column(before: str, name: str, table: str, columns: Iterable[str]) -> None:
    if name not in columns:
        hint = did_you_mean(name, columns) or f" It has {', '.join(columns)}"
        raise ConfigError(f"{before}{table} has no column {name!r}.{hint}")


def _check_filter(name: str, text: str, table: str, columns: Iterable[str]) -> None:
    """A filter COLUMN or COLUMN__HOW."""
    column, _, how = name.rpartition("__") if "__" in name else (name, "", "exact")
    _check_column("", column, table, columns)
    if how not in filter_names():
        hint = did_you_mean(how, filter_names()) or f" There are {', '.join(filter_names())}"
        raise ConfigError(f"{name}: there is no filter {how!r}.{hint}")
    if how in _COMPARED and text.isdigit() and not _NUMBER.fullmatch(text[-9:]):
        raise ConfigError(f"{name}={text} is no number")
    if how in ("in", "notin") and text.startswith("["):
        values = _parsed(name, text)
        if any(isinstance(value, dict | list) for value in values):
            raise ConfigError(f"{name}={text}: a list in a list cannot be looked for")


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise ConfigError(f"{name}={text} is no JSON: {exc}") from exc


def _check_sort(request: Request) -> None:
    if request.args.get("_sort") and request.args.get("_sort_desc"):
        raise ConfigError("_sort and _sort_desc: only one of them can be")


def _check_next(request: Request, keys: int) -> None:
    """keys: how many values name a row of the table; 0 for a view, which counts rows."""
    text = request.args.get("_next")
    if not text:
        return
    is_sorted = bool(request.args.get("_sort") or request.args.get("_sort_desc"))
    parts = len(text.split(","))
    is_fine = parts in (keys, keys + is_sorted) if keys else _NUMBER.fullmatch(text)
    if not is_fine or "\0" in text:
        raise ConfigError(f"_next={text} is not the end of a page; take it from the page before")


async def _check_through(database: Database, text: str) -> None:
    given = _parsed("_through", text)
    if not isinstance(given, dict) or not {"table", "column", "value"} <= set(given):
        raise ConfigError(f"_through={text} has no table, column and value")
    table, columns = str(given["table"]), await database.table_columns(str(given["table"]))
    if not columns:
        raise ConfigError(f"_through: there is no table {table!r}")
    _check_column("_through: ", str(given["column"]), table, columns)
    if isinstance(given["value"], dict | list):
        raise ConfigError(f"_through={text}: its value is neither a text nor a number")


async def _check_search(
    datasette: Datasette, request: Request, database: Database, table: str
) -> None:
    if not any(name.startswith("_search") and name != "_searchmode" for name in request.args):
        return
    described = datasette.table_metadata(database.name, table).get("fts_table")
    found = request.args.get("_fts_table") or described or await database.fts_table(table)
    if not found:
        raise ConfigError(f"{table} cannot be searched; choose rows by COLUMN__contains=WORD")
