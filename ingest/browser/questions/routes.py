"""Questions in Datasette: parameters get their defaults, wrong ones an answer that says why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ingest.browser.files.whole_csv import answer_csv, answer_view, is_csv, question_statement
from ingest.browser.links import static_version
from ingest.browser.memo import memo_of
from ingest.browser.own_database import has_results
from ingest.browser.questions.catalogue import questions_of
from ingest.browser.questions.page import QuestionPage, build_question_page
from ingest.charts.world_map import SHAPES_FILE, shapes_at
from ingest.errors import ConfigError
from ingest.questions.asked import AskedQuestion, describe_question, resolve_values
from ingest.questions.catalogue import depends_on_database, sql_for
from ingest.questions.files import CannedQuery

SCOPE_KEY = "ingest_question"


# --- which questions there are -------------------------------------------------------------------


async def datasette_queries(datasette: Any, database: str) -> dict[str, dict[str, Any]]:
    """The questions as Datasette's canned queries; none for a database that ingest did not make."""
    source = datasette.get_database(database)
    if not await source.execute_fn(has_results):
        return {}
    questions = questions_of(source)
    changing = [query for query in questions.values() if depends_on_database(query)]
    memo = memo_of(source)
    key = ("", tuple(query.sql for query in changing))
    if key not in memo:
        memo[key] = await source.execute_fn(
            lambda conn: {query.name: sql_for(conn, query) for query in changing}
        )
    return {
        query.name: {
            "sql": memo[key].get(query.name, query.sql),
            "title": query.title,
            "description": query.description,
            "params": [parameter.name for parameter in query.parameters],
            "hide_sql": True,
        }
        for query in questions.values()
    }


def question_pattern(datasette: Any) -> str:
    """The addresses of tables and queries, as in Datasette, with endings such as .vl.json, too."""
    return rf"{_database_pattern(datasette)}/(?P<table>[^/.]+)(\.(?P<format>\w+(?:\.\w+)*))?$"


def sql_csv_pattern(datasette: Any) -> str:
    """The address at which visitors' SQL gives CSV."""
    return rf"{_database_pattern(datasette)}\.(?P<format>csv)$"


def _database_pattern(datasette: Any) -> str:
    """The databases by name, for plugins are asked before Datasette: /static/x.js is none."""
    from datasette.utils import tilde_encode

    routes = [re.escape(tilde_encode(database.route)) for database in datasette.databases.values()]
    return f"/(?P<database>{'|'.join(routes) or '(?!)'})"


# --- asking one ----------------------------------------------------------------------------------


async def answer_question(datasette: Any, request: Any) -> Any:
    """Datasette's answer to a question, in any format, with a value for every parameter.

    A table is Datasette's alone. CSV of both is whole. 400 with what is wrong where a parameter is
    unknown or has a value that is not there.
    """
    from datasette.utils.asgi import Request
    from datasette.views.table import TableView

    view = TableView(datasette)
    database, name = _database(datasette, request), request.url_vars["table"]
    try:
        query = await _find_question(database, name)
        if query is None:
            return await answer_view(datasette, request, database, view, name)
        given, others = _split(request, query)
        memo = memo_of(database)
        values = await database.execute_fn(lambda conn: resolve_values(conn, query, given, memo))
        if is_csv(request):
            statement = await question_statement(datasette, request, database, name, values)
            return await answer_csv(datasette, request, database, statement, name)
    except ConfigError as exc:
        return await _bad_request(datasette, request, str(exc))
    query_string = urlencode([*values.items(), *others])
    scope = {
        **request.scope,
        "query_string": query_string.encode("latin-1"),
        SCOPE_KEY: (query, values),
    }
    return await view.dispatch_request(Request(scope, request.receive))


async def answer_database(datasette: Any, request: Any) -> Any:
    """CSV of visitors' SQL, which is whole, or an answer that says what is wrong."""
    from datasette.views.database import DatabaseView

    database, view = _database(datasette, request), DatabaseView(datasette)
    if not request.args.get("sql"):
        return await view.dispatch_request(request)
    try:
        return await answer_view(datasette, request, database, view, request.url_vars["database"])
    except ConfigError as exc:
        return await _bad_request(datasette, request, str(exc))


async def _find_question(database: Any, name: str) -> CannedQuery | None:
    """The question of a name; None for a table, and where ingest did not make the database."""
    if database is None or not await database.execute_fn(has_results):
        return None
    return questions_of(database).get(name)


def _database(datasette: Any, request: Any) -> Any:
    from datasette.utils import tilde_decode

    try:
        return datasette.get_database(route=tilde_decode(request.url_vars["database"]))
    except KeyError:
        return None


def _split(request: Any, query: CannedQuery) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The parameters of the URL, and Datasette's own arguments, which begin with a _.

    A parameter that stands there several times has all of its values, with commas between.
    """
    given: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for name in request.args:
        texts = request.args.getlist(name)
        if name.startswith("_"):
            others += [(name, text) for text in texts]
        else:
            many = any(p.many for p in query.parameters if p.name == name)
            given[name] = ",".join(filter(None, texts)) if many else texts[0]
    return given, others


async def _bad_request(datasette: Any, request: Any, message: str) -> Any:
    from datasette import Response
    from datasette.utils import add_cors_headers

    headers: dict[str, str] = {}
    if datasette.cors:
        add_cors_headers(headers)
    body = {"ok": False, "error": message, "status": 400, "title": None}
    if request.url_vars.get("format"):
        return Response.json(body, status=400, headers=headers)
    html = await datasette.render_template(["400.html", "error.html"], body, request=request)
    return Response.html(html, status=400, headers=headers)


# --- its page ------------------------------------------------------------------------------------


def question_of(request: Any) -> CannedQuery | None:
    """The question that a request asks; None for another page."""
    found = request.scope.get(SCOPE_KEY) if request else None
    return found[0] if found else None


async def asked_question(datasette: Any, request: Any) -> AskedQuestion | None:
    """The question that a request asks, with its names for people; None for another page."""
    found = request.scope.get(SCOPE_KEY) if request else None
    if found is None:
        return None
    query, values = found
    database = _database(datasette, request)
    memo = memo_of(database)
    asked: AskedQuestion = await database.execute_fn(
        lambda conn: describe_question(conn, query, values, memo)
    )
    return asked


async def question_page(
    datasette: Any, request: Any, columns: Any, rows: Any, truncated: bool
) -> QuestionPage | None:
    """What the template shows; None for a page that is no question."""
    asked = await asked_question(datasette, request)
    if asked is None:
        return None
    arguments: Mapping[str, str] = {name: request.args[name] for name in request.args}
    return build_question_page(
        asked,
        list(columns or ()),
        [tuple(row) for row in rows or ()],
        shapes=shapes_at(_shapes_url(datasette)),
        truncated=bool(truncated),
        arguments=arguments,
        questions=questions_of(_database(datasette, request)).values(),
    )


def _shapes_url(datasette: Any) -> str:
    base: str = datasette.setting("base_url")
    return f"{base}static/{SHAPES_FILE}?v={static_version(SHAPES_FILE)}"


# --- the script that draws -----------------------------------------------------------------------
