"""Questions in Datasette: parameters get their defaults, wrong ones an answer that says why."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ingest.browser.files.whole_csv import (
    answer_csv,
    answer_view,
    changed_request,
    is_csv,
    question_statement,
)
from ingest.browser.links import Links, decode, encode, static_version
from ingest.browser.memo import memo_of, remembered
from ingest.browser.own_database import find_database, holds_results, own_tables
from ingest.browser.protocols import Database, Datasette, Request, T
from ingest.browser.questions.catalogue import question_problems, questions_of
from ingest.browser.questions.page import QuestionPage, build_question_page
from ingest.browser.server.datasette_internals import database_view, table_view
from ingest.browser.server.errors import error_answer
from ingest.browser.tables.arguments import (
    check_own_arguments,
    check_table_arguments,
    once_each,
)
from ingest.charts.world_map import SHAPES_FILE, shapes_at
from ingest.database.consistency import Consistency
from ingest.errors import ConfigError
from ingest.questions.asked import (
    AskedQuestion,
    describe_question,
    read_question_consistency,
    resolve_values,
)
from ingest.questions.catalogue import depends_on_database, sql_for, sql_values
from ingest.questions.files import CannedQuery

SCOPE_KEY = "ingest_question"
ASKED_KEY = "ingest_asked_question"


# --- which questions there are -------------------------------------------------------------------


async def datasette_queries(datasette: Datasette, database: str) -> dict[str, dict[str, Any]]:
    """The questions as Datasette's canned queries; none for a database that ingest did not make."""
    source = datasette.get_database(database)
    if not await holds_results(source):
        return {}
    questions = questions_of(source.path)
    changing = [query for query in questions.values() if depends_on_database(query)]
    changed = await remembered(
        source,
        "changing",
        lambda conn: {query.name: sql_for(conn, query) for query in changing},
        *(query.sql for query in changing),
    )
    return {
        query.name: {
            "sql": changed.get(query.name, query.sql),
            "title": query.title,
            "description": query.description,
            "params": [parameter.name for parameter in query.parameters],
            "hide_sql": True,
        }
        for query in questions.values()
    }


def routes(datasette: Datasette) -> list[tuple[str, Any]]:
    """Addresses and views: tables and queries, with endings such as .vl.json, too; SQL as CSV.

    Databases are named, for plugins are asked before Datasette: /static/x.js is none.
    """
    names = [re.escape(encode(database.route)) for database in datasette.databases.values()]
    database = f"/(?P<database>{'|'.join(names) or '(?!)'})"
    return [
        (rf"{database}/(?P<table>[^/.]+)(\.(?P<format>\w+(?:\.\w+)*))?$", answer_question),
        (rf"{database}\.(?P<format>csv)$", answer_database),
    ]


# --- asking one ----------------------------------------------------------------------------------


async def answer_question(datasette: Datasette, request: Request) -> Any:
    """Datasette's answer to a question, in any format, with a value for every parameter.

    Datasette answers for tables. CSV of both is whole. 400 with what is wrong where a parameter is
    unknown or has a value that is not there.
    """
    view = table_view(datasette)
    database, name = find_database(datasette, request), request.url_vars["table"]
    try:
        query = await _find_question(database, name)
        if database is None or query is None:
            if database is not None:
                await check_table_arguments(datasette, request, database, decode(name))
                request = changed_request(request, once_each(request))
            return await answer_view(datasette, request, database, view, name)
        check_own_arguments(request)
        given, others = _split(request, query)
        memo = memo_of(database.path)
        values = await database.execute_fn(lambda conn: resolve_values(conn, query, given, memo))
        bound = sql_values(query, values)
        if is_csv(request):
            statement = await question_statement(datasette, request, database, name, bound)
            return await answer_csv(datasette, request, database, statement, name)
    except ConfigError as exc:
        return await error_answer(datasette, request, 400, str(exc))
    arguments = [*((name, str(value)) for name, value in bound.items()), *others]
    asked = changed_request(request, arguments, **{SCOPE_KEY: (query, values)})
    return await view.dispatch_request(asked)


async def answer_database(datasette: Datasette, request: Request) -> Any:
    """CSV of visitors' SQL, which is whole, or an answer that says what is wrong."""
    database, view = find_database(datasette, request), database_view(datasette)
    try:
        if not request.args.get("sql"):
            raise ConfigError("a database is no list of rows; name one of its tables")
        return await answer_view(datasette, request, database, view, request.url_vars["database"])
    except ConfigError as exc:
        return await error_answer(datasette, request, 400, str(exc))


async def _find_question(database: Database | None, name: str) -> CannedQuery | None:
    """The question of a name; None for a table, and where ingest did not make the database.

    Raises ConfigError: its file is wrong.
    """
    if database is None or not await holds_results(database):
        return None
    query = questions_of(database.path).get(decode(name))
    problem = question_problems(database.path).get(decode(name))
    if query is None and problem and decode(name) not in own_tables():
        raise ConfigError(problem)
    return query


def _split(request: Request, query: CannedQuery) -> tuple[dict[str, str], list[tuple[str, str]]]:
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


# --- its page ------------------------------------------------------------------------------------


def question_of(request: Request) -> CannedQuery | None:
    """The question that a request asks; None for another page."""
    found = request.scope.get(SCOPE_KEY) if request else None
    return found[0] if found else None


async def asked_question(datasette: Datasette, request: Request) -> AskedQuestion | None:
    """The question that a request asks, with its names for people; None for another page."""
    if request and ASKED_KEY not in request.scope:
        found = await _read_of_question(datasette, request, describe_question)
        request.scope[ASKED_KEY] = found
    asked: AskedQuestion | None = request.scope[ASKED_KEY] if request else None
    return asked


async def question_consistency(datasette: Datasette, request: Request) -> Consistency | None:
    """Whether the results that a question is about belong together; None of any other page."""
    return await _read_of_question(datasette, request, read_question_consistency)


async def _read_of_question(
    datasette: Datasette, request: Request, read: Callable[..., T | None]
) -> T | None:
    """What a reader says of the question that a request asks; None for another page."""
    found = request.scope.get(SCOPE_KEY) if request else None
    if found is None:
        return None
    query, values = found
    database = find_database(datasette, request)
    assert database is not None, "a question was asked of it"
    memo = memo_of(database.path)
    return await database.execute_fn(lambda conn: read(conn, query, values, memo))


async def question_page(
    datasette: Datasette, request: Request, columns: Any, rows: Any, truncated: bool
) -> QuestionPage | None:
    """What the template shows; None for a page that is no question."""
    asked = await asked_question(datasette, request)
    if asked is None:
        return None
    database = find_database(datasette, request)
    links = Links("", datasette.setting("base_url"))
    return build_question_page(
        asked,
        list(columns or ()),
        [tuple(row) for row in rows or ()],
        shapes=shapes_at(links.static(SHAPES_FILE, static_version(SHAPES_FILE))),
        truncated=bool(truncated),
        questions=questions_of(database.path).values() if database else (),
    )
