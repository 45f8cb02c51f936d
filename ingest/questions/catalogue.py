"""Canned queries: the questions that are there, and their answers from a database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.database.damage import is_damage
from ingest.errors import ConfigError
from ingest.questions.discount import Bare, parse_rate
from ingest.questions.files import (
    CannedQuery,
    ParameterType,
    QueryParameter,
    is_sql,
    parse_canned_query,
    used_parameters,
)
from ingest.questions.shared import read_text
from ingest.resources import resource_path
from ingest.text.suggest import did_you_mean

OWN_QUERIES = "canned_queries"
"""The folder beside a database that holds questions of its own."""

Rows = list[tuple[Any, ...]]
Memo = dict[tuple[str, tuple[object, ...]], Any]
"""Rows of options and defaults, by their SQL and its values; good until the data change."""

_GROUPS = re.compile(r"/\* groups \*/.*?/\* end groups \*/", re.DOTALL)
_YEARS = re.compile(r"/\* years \*/.*?/\* end years \*/", re.DOTALL)


def load_canned_queries(folder: Path | None = None) -> dict[str, CannedQuery]:
    """The queries of a folder (default: those of this installation) by name, sorted.

    Raises ConfigError that names the file and what is wrong with it.
    """
    files = sorted((folder or resource_path("canned_queries")).glob("*.sql"))
    return {file.stem: parse_canned_query(file.stem, read_text(file)) for file in files}


@dataclass(frozen=True)
class OwnQueries:
    """The queries beside a database by name, and of the other files there what is wrong."""

    usable: Mapping[str, CannedQuery]
    problems: Mapping[str, str]


def load_own_queries(
    database: Path, bundled: Mapping[str, CannedQuery], tables: Collection[str] = ()
) -> OwnQueries:
    """What the folder `canned_queries` beside a database holds; a wrong file spoils no other.

    tables: names that have an address already.
    """
    usable: dict[str, CannedQuery] = {}
    problems: dict[str, str] = {}
    for file in sorted((database.parent / OWN_QUERIES).glob("*.sql")):
        name = file.stem
        try:
            query = parse_canned_query(name, read_text(file))
        except ConfigError as exc:
            problems[name] = str(exc)
            continue
        if name in tables:
            problems[name] = f"{file.name} has the name of a table; rename it"
        elif name not in bundled:
            usable[name] = query
        elif query != bundled[name]:  # a copy of it does no harm
            problems[name] = f"{file.name} has the name of a bundled question; rename it"
    return OwnQueries(usable, problems)


def run_canned_query(
    connection: sqlite3.Connection, query: CannedQuery, values: Mapping[str, Any]
) -> tuple[list[str], Rows]:
    """The column names and rows of a query; a value missing or None falls back to its default.

    Raises ConfigError: an unknown parameter, a missing one without a default, or SQL that fails.
    """
    bound = bind_values(connection, query, values)
    return _execute(connection, query, sql_for(connection, query), bound)


def bind_values(
    connection: sqlite3.Connection, query: CannedQuery, values: Mapping[str, Any]
) -> dict[str, Any]:
    """The value of every parameter, in their order: as given, or its default.

    A rate as a text becomes the fraction that SQL gets; a number is one. Raises ConfigError as
    run_canned_query does.
    """
    check_names(query, values)
    bound: dict[str, Any] = {}
    for parameter in query.parameters:
        value = values.get(parameter.name)
        if value is None:
            value = default_value(connection, query, parameter, bound)
        bound |= sql_values(query, {parameter.name: value})
    return bound


def sql_values(query: CannedQuery, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as SQL gets them: a rate that is a text (3%) as a fraction (0.03)."""
    rates = {p.name for p in query.parameters if p.type is ParameterType.RATE}
    return {
        name: parse_rate(value or "0", name, Bare.PERCENT)
        if name in rates and isinstance(value, str)
        else value
        for name, value in values.items()
    }


def check_names(query: CannedQuery, values: Mapping[str, Any]) -> None:
    """Raises ConfigError: a name that is none of the query's parameters."""
    known = [parameter.name for parameter in query.parameters]
    for name in values:
        if name not in known:
            hint = did_you_mean(name, known) or f" It has {', '.join(known)}"
            raise ConfigError(f"canned query {query.name} has no parameter {name!r}.{hint}")


def default_value(
    connection: sqlite3.Connection,
    query: CannedQuery,
    parameter: QueryParameter,
    values: Mapping[str, Any],
    memo: Memo | None = None,
) -> Any:
    """The default of a parameter in this database; None where its SQL gives no row.

    values: those of the parameters before it. memo: what was read before of the same data. Raises
    ConfigError: it has none, or its SQL fails.
    """
    default = parameter.default
    if default is None:
        raise ConfigError(f"canned query {query.name} needs a value for {parameter.name}")
    if not isinstance(default, str) or not is_sql(default):
        return default
    rows = _read(connection, query, default, values, memo)
    return rows[0][0] if rows else None


def parameter_options(
    connection: sqlite3.Connection,
    query: CannedQuery,
    parameter: QueryParameter,
    values: Mapping[str, Any],
    memo: Memo | None = None,
) -> list[tuple[Any, str]]:
    """The choices of a parameter in this database, (value, label); empty for free text."""
    if parameter.options is None:
        return []
    rows = _read(connection, query, parameter.options, values, memo)
    return [(row[0], str(row[-1])) for row in rows]


def _read(
    connection: sqlite3.Connection,
    query: CannedQuery,
    sql: str,
    values: Mapping[str, Any],
    memo: Memo | None,
) -> Rows:
    """The rows of a parameter's SQL; a parameter without a value is NULL in it."""
    memo = {} if memo is None else memo
    used = {name: values.get(name) for name in sorted(used_parameters(sql))}
    key = (sql, tuple(used.values()))
    if key not in memo:
        memo[key] = _execute(connection, query, sql, used)[1]
    rows: Rows = memo[key]
    return rows


def sql_for(connection: sqlite3.Connection, query: CannedQuery) -> str:
    """The query's SQL with every grouping and every year that this database has.

    The file itself has only region and income_group, which every database has, and one year.
    """
    sql = query.sql
    if _GROUPS.search(sql):
        selects = [
            f"SELECT iso3 AS country, '{column}', \"{column}\" FROM countries"
            for column in group_columns(connection)
        ]
        sql = _GROUPS.sub(lambda _: "\n    UNION ALL ".join(selects), sql)
    if _YEARS.search(sql):
        columns = [
            f'max(CASE timestamp_year WHEN {year} THEN value END) AS "{year}"'
            for year in result_years(connection)
        ]
        sql = _YEARS.sub(lambda found: ",\n       ".join(columns) or found[0], sql)
    return sql


def depends_on_database(query: CannedQuery) -> bool:
    """Whether sql_for() may give other SQL than the file has."""
    return bool(_GROUPS.search(query.sql) or _YEARS.search(query.sql))


def group_columns(connection: sqlite3.Connection) -> list[str]:
    """The columns of the countries table that put countries into groups."""
    rows = connection.execute(
        """SELECT name FROM pragma_table_info('countries')
            WHERE name NOT IN ('iso3', 'name') ORDER BY cid"""
    )
    return [row[0] for row in rows]


def result_years(connection: sqlite3.Connection) -> range:
    """The years from the first to the last one of all results; empty where there are none."""
    first, last = connection.execute(
        "SELECT (SELECT min(first_year) FROM result_sets), (SELECT max(last_year) FROM result_sets)"
    ).fetchone()
    return range(first, last + 1) if first is not None else range(0)


def _execute(
    connection: sqlite3.Connection, query: CannedQuery, sql: str, values: Mapping[str, Any]
) -> tuple[list[str], Rows]:
    try:
        cursor = connection.execute(sql, values)
        columns = [column[0] for column in cursor.description or ()]
        return columns, [tuple(row) for row in cursor]
    except (sqlite3.Error, sqlite3.Warning) as exc:
        if is_damage(exc):
            raise
        raise ConfigError(f"{query.name}.sql: SQL: {exc}") from exc
