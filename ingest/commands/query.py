"""`ingest query`: SQL on the results, read-only."""

from __future__ import annotations

import sqlite3
import sys
from itertools import islice

import click

from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import Count, csv_option, json_option, raw_option
from ingest.commands.common.output import print_csv, table
from ingest.database.damage import is_damage
from ingest.errors import QueryError
from ingest.text.json_text import json_text

_TABLE_ROWS = 200


@click.command()
@click.argument("sql")
@study_options
@csv_option
@raw_option
@json_option
@click.option(
    "--limit",
    type=Count(),
    default=_TABLE_ROWS,
    show_default=True,
    help="At most this many rows in a table; CSV and JSON have all",
)
def query(
    sql: str,
    choice: StudyChoice,
    as_csv: bool,
    as_json: bool,
    limit: int,
) -> None:
    """Run an SQL query on the results, read-only.

    `-` instead of SQL reads it from standard input.

    Tables: metrics (run_id, country, scenario, ulid, element_label, timestamp_year, value),
    latest_metrics, job_results, validation_runs, countries, scenarios.

    \b
    Examples:
      ingest query "SELECT * FROM latest_metrics WHERE country = 'KEN' LIMIT 5"
      ingest query "SELECT scenario, sum(value) FROM latest_metrics
                    WHERE element_label = 'Healthy Years Lived' GROUP BY scenario" --csv
    """
    if sql == "-":
        sql = sys.stdin.read()
    with choice.reading() as connection:
        try:
            _print(connection.execute(sql), as_csv, as_json, limit)
        except (sqlite3.Error, sqlite3.Warning) as exc:
            if is_damage(exc):
                raise
            raise QueryError(_explain(exc)) from exc


def _print(cursor: sqlite3.Cursor, as_csv: bool, as_json: bool, limit: int) -> None:
    columns = [column[0] for column in cursor.description or ()]
    if as_json:
        rows = (dict(zip(columns, row, strict=True)) for row in cursor)
        click.echo("[" + ",\n ".join(json_text(row, default=_blob) for row in rows) + "]")
    elif as_csv:
        print_csv(columns, cursor)
    else:
        shown = [[_cell(value) for value in row] for row in islice(cursor, limit)]
        numbers = [
            name
            for position, name in enumerate(columns)
            if shown and all(_looks_numeric(row[position]) for row in shown)
        ]
        if columns:
            click.echo(table(shown, columns, right=numbers))
        if cursor.fetchone() is not None:
            message = f"(the first {limit:,} rows; all of them: --csv, --json or --limit)"
            click.echo(message, err=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _looks_numeric(cell: str) -> bool:
    try:
        float(cell or "0")
    except ValueError:
        return False
    return True


def _blob(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _explain(error: Exception) -> str:
    """One line for an error of SQLite."""
    text = " ".join(str(error).split())
    if "readonly database" in text or "authoriz" in text:
        return "this connection is read-only; nothing was changed."
    return f"SQL: {text}"
