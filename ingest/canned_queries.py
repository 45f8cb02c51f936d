"""Canned queries: one question a file of SQL, with its title, parameters and chart in a comment."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingest.errors import ConfigError
from ingest.resources import resource_path
from ingest.suggest import did_you_mean

Rows = list[tuple[Any, ...]]

_FRONT_MATTER = re.compile(r"\A\s*/\*\s*^---\s*$(.*?)^---\s*\*/\s*", re.DOTALL | re.MULTILINE)
_IS_SQL = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_GROUPS = re.compile(r"/\* groups \*/.*?/\* end groups \*/", re.DOTALL)
_KEYS = {"title", "description", "unit", "parameters", "columns", "chart"}
_PARAMETER_KEYS = {"title", "options", "default"}


@dataclass(frozen=True)
class QueryParameter:
    """One :named parameter.

    options: SQL that gives value[, label] of each choice, None for free text. default: SQL that
    gives one value, or a literal; None where a value has to be given.
    """

    name: str
    title: str
    options: str | None
    default: str | int | float | None


@dataclass(frozen=True)
class Chart:
    """How to draw the rows: a mark, and for each channel (x, y, color) a column or a list of them.

    A list of columns on one channel means one series for each.
    """

    mark: str
    encoding: Mapping[str, Any]


@dataclass(frozen=True)
class CannedQuery:
    """One question in plain SQLite. columns: each published column and what it means, in order."""

    name: str
    title: str
    description: str
    unit: str
    parameters: tuple[QueryParameter, ...]
    columns: Mapping[str, str]
    chart: Chart | None
    sql: str


def load_canned_queries(folder: Path | None = None) -> dict[str, CannedQuery]:
    """The queries of a folder (default: those of this installation) by name, sorted.

    Raises ConfigError that names the file and what is wrong with it.
    """
    folder = folder or resource_path("canned_queries")
    return {path.stem: _load_file(path) for path in sorted(folder.glob("*.sql"))}


def _load_file(path: Path) -> CannedQuery:
    try:
        return parse_canned_query(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path.name} cannot be read: {exc}") from exc


def parse_canned_query(name: str, text: str) -> CannedQuery:
    """The query that a file NAME.sql holds: a comment with YAML between lines of ---, then SQL.

    Raises ConfigError.
    """
    file = f"{name}.sql"
    found = _FRONT_MATTER.match(text)
    if found is None:
        raise ConfigError(f"{file} does not begin with a comment /* --- (YAML) --- */")
    try:
        head = yaml.safe_load(found[1])
    except yaml.YAMLError as exc:
        reason = " ".join(str(exc).split())
        raise ConfigError(f"{file}: the YAML in its comment: {reason}") from exc
    head = _mapping(file, "the comment", head, _KEYS)
    sql = text[found.end() :].strip()
    if not sql:
        raise ConfigError(f"{file} has no SQL after its comment")
    parameters = tuple(
        _parse_parameter(file, str(key), value)
        for key, value in _mapping(file, "parameters", head.get("parameters") or {}).items()
    )
    _check_parameters(file, sql, [parameter.name for parameter in parameters])
    columns = _mapping(file, "columns", head.get("columns") or {})
    return CannedQuery(
        name=name,
        title=_text(file, head, "title"),
        description=_text(file, head, "description"),
        unit=str(head.get("unit") or ""),
        parameters=parameters,
        columns={str(column): str(meaning) for column, meaning in columns.items()},
        chart=_parse_chart(file, head.get("chart"), columns),
        sql=sql,
    )


def _mapping(file: str, what: str, value: Any, known: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: {what} is no mapping of keys to values")
    for key in value:
        if known is not None and key not in known:
            hint = did_you_mean(str(key), known)
            raise ConfigError(f"{file}: {what} has an unknown key {key!r}.{hint}")
    return value


def _text(file: str, head: Mapping[str, Any], key: str) -> str:
    value = head.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{file}: the comment has no {key}")
    return value.strip()


def _parse_parameter(file: str, name: str, value: Any) -> QueryParameter:
    what = f"parameter {name}"
    entry = _mapping(file, what, value, _PARAMETER_KEYS)
    options, default = entry.get("options"), entry.get("default")
    if options is not None and not (isinstance(options, str) and _IS_SQL.match(options)):
        raise ConfigError(f"{file}: {what}: options has to be a SELECT of value[, label]")
    if isinstance(default, bool) or not isinstance(default, str | int | float | None):
        raise ConfigError(f"{file}: {what}: default has to be a SELECT of one value, or a literal")
    return QueryParameter(name, str(entry.get("title") or name), options, default)


def _check_parameters(file: str, sql: str, declared: Sequence[str]) -> None:
    used = used_parameters(sql)
    for name in sorted(used - set(declared)):
        raise ConfigError(f"{file}: :{name} is not among the parameters of its comment")
    for name in declared:
        if name not in used:
            raise ConfigError(f"{file}: parameter {name} is not used in the SQL")


def used_parameters(sql: str) -> set[str]:
    """Names of the :named parameters, found as Datasette finds them."""
    return set(re.findall(r":([a-zA-Z0-9_]+)", sql))


def _parse_chart(file: str, value: Any, columns: Mapping[str, Any]) -> Chart | None:
    if value is None:
        return None
    encoding = dict(_mapping(file, "chart", value))
    mark = encoding.pop("mark", None)
    if not isinstance(mark, str):
        raise ConfigError(f"{file}: chart has no mark (bar, line, point, ...)")
    for channel, named in encoding.items():
        for column in named if isinstance(named, list) else [named]:
            if column not in columns:
                hint = did_you_mean(str(column), columns)
                raise ConfigError(f"{file}: chart: {channel}: no column {column!r}.{hint}")
    return Chart(mark, encoding)


def run_canned_query(
    connection: sqlite3.Connection, query: CannedQuery, values: Mapping[str, Any]
) -> tuple[list[str], Rows]:
    """The column names and rows of a query; a value missing or None falls back to its default.

    Raises ConfigError: an unknown parameter, a missing one without a default, or SQL that fails.
    """
    known = [parameter.name for parameter in query.parameters]
    for name in values:
        if name not in known:
            hint = did_you_mean(name, known) or f" It has {', '.join(known)}"
            raise ConfigError(f"canned query {query.name} has no parameter {name!r}.{hint}")
    bound = {}
    for parameter in query.parameters:
        value = values.get(parameter.name)
        bound[parameter.name] = (
            default_value(connection, query, parameter) if value is None else value
        )
    return _execute(connection, query, sql_for(connection, query), bound)


def default_value(
    connection: sqlite3.Connection, query: CannedQuery, parameter: QueryParameter
) -> Any:
    """The default of a parameter in this database; None where its SQL gives no row.

    Raises ConfigError: it has none, or its SQL fails.
    """
    default = parameter.default
    if default is None:
        raise ConfigError(f"canned query {query.name} needs a value for {parameter.name}")
    if not isinstance(default, str) or not _IS_SQL.match(default):
        return default
    _, rows = _execute(connection, query, default, {})
    return rows[0][0] if rows else None


def parameter_options(
    connection: sqlite3.Connection, query: CannedQuery, parameter: QueryParameter
) -> list[tuple[Any, str]]:
    """The choices of a parameter in this database, (value, label); empty for free text."""
    if parameter.options is None:
        return []
    _, rows = _execute(connection, query, parameter.options, {})
    return [(row[0], str(row[-1])) for row in rows]


def sql_for(connection: sqlite3.Connection, query: CannedQuery) -> str:
    """The query's SQL with every grouping that the countries table of this database has.

    The file itself knows region and income_group alone, which every database has.
    """
    if not _GROUPS.search(query.sql):
        return query.sql
    selects = [
        f"SELECT iso3, '{column}', \"{column}\" FROM countries"
        for column in group_columns(connection)
    ]
    return _GROUPS.sub(lambda _: "\n    UNION ALL ".join(selects), query.sql)


def group_columns(connection: sqlite3.Connection) -> list[str]:
    """The columns of the countries table that put countries into groups."""
    rows = connection.execute(
        """SELECT name FROM pragma_table_info('countries')
            WHERE name NOT IN ('iso3', 'name') ORDER BY cid"""
    )
    return [name for (name,) in rows]


def _execute(
    connection: sqlite3.Connection, query: CannedQuery, sql: str, values: Mapping[str, Any]
) -> tuple[list[str], Rows]:
    try:
        cursor = connection.execute(sql, values)
        columns = [column[0] for column in cursor.description or ()]
        return columns, [tuple(row) for row in cursor]
    except (sqlite3.Error, sqlite3.Warning) as exc:
        raise ConfigError(f"{query.name}.sql: SQL: {exc}") from exc
