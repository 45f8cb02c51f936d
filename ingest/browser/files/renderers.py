"""Charts of questions as files: the specification, and pictures of it, at the question's address.

A file is of every row, also where a page or JSON ends at max_returned_rows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from ingest.browser.files.drawing import BusyError, Drawings
from ingest.browser.files.whole_csv import file_name
from ingest.browser.protocols import Datasette, Request
from ingest.browser.questions.routes import asked_question, question_of
from ingest.browser.server.datasette_internals import work_limit
from ingest.charts.question_charts import standalone_chart
from ingest.charts.style import Spec
from ingest.errors import ConfigError
from ingest.questions.catalogue import sql_values
from ingest.questions.files import CannedQuery, Chart
from ingest.text.json_text import json_text
from ingest.text.suggest import did_you_mean

Rows = Sequence[Sequence[Any]]

CHART_TYPES = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "vl.json": "application/json; charset=utf-8",
}
_CHOSEN = "_chart"
# 100,000 points are drawn in about five seconds, and nobody sees more.
_MOST_DRAWN = 100_000
_BUSY_S = "10"
# A picture opened in its own tab is a page: it gets no scripts and loads nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def renderers() -> list[dict[str, Any]]:
    """The formats, as Datasette registers them."""
    can_draw = find_spec("vl_convert") is not None
    drawings = Drawings()
    return [
        {
            "extension": kind,
            "render": partial(_render, drawings, kind),
            "can_render": partial(_can_render, can_draw or kind == "vl.json"),
        }
        for kind in CHART_TYPES
    ]


def _can_render(can_draw: bool, request: Request) -> bool:
    """Whether a request asks a question that has a chart, and it can be drawn here."""
    query = question_of(request)
    return can_draw and query is not None and query.chart is not None


async def _render(
    drawings: Drawings,
    kind: str,
    datasette: Datasette,
    request: Request,
    database: str,
    columns: Any,
    rows: Any,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    """The answer to a request for a chart, or why there is none."""
    asked = await asked_question(datasette, request)
    if asked is None or asked.query.chart is None:
        return _refusal(404, f"there is no .{kind} of this; charts are of questions that have one")
    body = b""
    try:
        chart = _chosen_chart(asked.query, request.args.get(_CHOSEN) or "")
        if data.get("error"):
            raise ConfigError(f"SQL: {data['error']}")
        if request.method != "HEAD":
            if data.get("truncated"):
                bound = sql_values(asked.query, asked.values)
                rows = await _all_rows(datasette, database, data["query"]["sql"], bound)
            spec = await asyncio.to_thread(standalone_chart, asked, chart, columns, rows)
            body = await _draw(drawings, kind, spec, request)
    except BusyError as exc:
        return _refusal(503, str(exc), {"retry-after": _BUSY_S, "cache-control": "no-store"})
    except ConfigError as exc:
        return _refusal(400, str(exc))
    return _answer(kind, body, asked.query, chart)


async def _draw(drawings: Drawings, kind: str, spec: Spec, request: Request) -> bytes:
    if kind == "vl.json":
        return (json_text(spec, indent=2, ensure_ascii=False) + "\n").encode()
    return await drawings.picture(kind, spec, request.receive)


def _chosen_chart(query: CannedQuery, anchor: str) -> Chart:
    chart = query.find_chart(anchor)
    if chart is None:
        anchors = [chart.anchor for chart in query.charts]
        hint = did_you_mean(anchor, anchors) or f" It has {', '.join(anchors)}"
        raise ConfigError(f"{_CHOSEN}: {query.name} has no chart {anchor!r}.{hint}")
    return chart


async def _all_rows(
    datasette: Datasette, database: str, sql: str, values: Mapping[str, Any]
) -> Rows:
    """Every row of a query. Raises ConfigError: there are too many, or it takes too long."""
    from datasette.utils import sqlite3

    limit_ms = datasette.sql_time_limit_ms

    def read(connection: Any) -> Any:
        with work_limit(connection, limit_ms):
            return connection.execute(sql, values).fetchmany(_MOST_DRAWN + 1)

    try:
        rows: Rows = await datasette.get_database(database).execute_fn(read)
    except sqlite3.OperationalError as exc:
        raise ConfigError(f"the rows take more than {limit_ms / 1000:g} s; choose less") from exc
    if len(rows) > _MOST_DRAWN:
        message = f"there are more than {_MOST_DRAWN:,} rows, too many for a chart; choose less"
        raise ConfigError(message)
    return rows


def _answer(kind: str, body: bytes, query: CannedQuery, chart: Chart) -> dict[str, Any]:
    name = query.name if chart == query.chart else f"{query.name}-{chart.anchor}"
    headers = {"content-disposition": f'inline; filename="{file_name(name)}.{kind}"'}
    if kind == "svg":
        headers["content-security-policy"] = _POLICY
    return {"body": body, "content_type": CHART_TYPES[kind], "headers": headers}


def _refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    body = {"ok": False, "error": message, "status": status, "title": None}
    return {
        "body": json.dumps(body),
        "content_type": "application/json; charset=utf-8",
        "headers": dict(headers or {}),
        "status_code": status,
    }
