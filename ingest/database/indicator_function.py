"""indicator_rows() in SQL: a study's indicators, for questions in the browser and for queries."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from ingest.errors import ConfigError

NAME = "indicator_rows"


def add_indicator_function(
    connection: sqlite3.Connection, remember: Callable[[], dict[Any, Any]] = dict
) -> None:
    """Let a connection's SQL call indicator_rows(run, baseline, indicator, by, countries, until).

    It gives a JSON array of objects, as `ingest indicators --json` has them, by the definitions
    that the newest run kept. indicator, countries: comma lists, all where empty; by: columns of the
    countries, "country", or nothing for all together; until: a year, or the indicators' own.
    What is wrong is told in the `note` of a row that has nothing else. remember: gives what was
    read before of the same data, to be added to; nothing by default.
    """

    def rows(
        run: object,
        baseline: object,
        indicator: object,
        by: object,
        countries: object,
        until: object,
    ) -> str:
        try:
            values = map(_text, (run, baseline, indicator, by, countries, until))
            return _rows(connection, remember(), *values)
        except ConfigError as exc:
            return json.dumps([{"note": str(exc)}])

    connection.create_function(NAME, 6, rows)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _rows(
    connection: sqlite3.Connection,
    memo: dict[Any, Any],
    run: str,
    baseline: str,
    indicator: str,
    by: str,
    countries: str,
    until: str,
) -> str:
    # where they are needed: every command that reads would wait for them
    from ingest.database.indicators import TOTAL, IndicatorRequest, read_shown_rows
    from ingest.database.states import newest_run
    from ingest.database.study_settings import read_definitions
    from ingest.text.names import split_names

    newest = newest_run(connection, ended=True)
    if not run and newest is None:
        return "[]"
    definitions = read_definitions(connection, None)
    names = [one.name for one in definitions.indicators]
    wanted = split_names(indicator, names) if indicator else names
    request = IndicatorRequest(
        run_id=int(run) if run else newest.run_id if newest else 0,
        baseline=baseline or definitions.baseline,
        countries=tuple(split_names(countries)),
        by=tuple(split_names(by)) or (TOTAL,),
        until=(int(until),) if until else (),
    )
    if not wanted:
        return "[]"
    states = memo.setdefault(("indicator states", ()), {})
    found = read_shown_rows(connection, definitions.indicators, request, wanted, states)
    return json.dumps(
        [{**row._asdict(), "until_year": row.until, "group": ", ".join(row.group)} for row in found]
    )
