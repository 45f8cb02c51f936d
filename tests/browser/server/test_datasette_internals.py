"""What the browser relies on inside Datasette: each test names what another version changed."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.browser.files.whole_csv import changed_request
from ingest.browser.protocols import Database, Datasette
from ingest.browser.server import datasette_internals as internals
from ingest.browser.server.server import ServeOptions, make_site
from tests.conftest import StudyFolder

asgi = pytest.importorskip("datasette.utils.asgi")
DB = "validation_results"


@pytest.fixture(scope="module")
def datasette(served_study: StudyFolder) -> Datasette:
    return make_site(ServeOptions(served_study.database)).datasette


@pytest.fixture
def database(datasette: Datasette) -> Database:
    return datasette.get_database(DB)


def request(name: str, query_string: str = "") -> Any:
    """A request as Datasette's router hands it to a view."""
    parts = {"database": DB, "table": name, "format": None}
    asked = asgi.Request.fake(f"/{DB}/{name}", url_vars=parts)
    asked.scope |= {"query_string": query_string.encode(), "csrftoken": lambda: ""}
    return asked


def test_serve_is_a_click_command_with_the_parameters_that_are_set() -> None:
    hook = sys.excepthook
    command = internals.serve_command()
    assert sys.excepthook is hook
    names = {parameter.name for parameter in command.params}
    assert {"files", "immutable", "metadata", "ssl_keyfile", "ssl_certfile"} <= names
    assert "return_instance" in inspect.signature(inspect.unwrap(command.callback)).parameters


def test_rules_of_a_table_are_those_of_metadata_and_read_once(
    served_study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = importlib.import_module("datasette.app")
    found = app.Datasette._table_permission_allows
    asked = []
    monkeypatch.setattr(
        app.Datasette,
        "_table_permission_allows",
        lambda self, database, table: asked.append(table) or found(self, database, table),
    )
    rules = tmp_path / "rules.json"
    tables = {"metrics": {"allow": False}, "countries": {"allow": {"id": "*"}}, "elements": {}}
    rules.write_text(json.dumps({"databases": {DB: {"tables": tables}}}))
    extra = ("--metadata", str(rules))
    limited: Any = make_site(ServeOptions(served_study.database, extra=extra)).datasette
    expected = {"metrics": [False], "countries": [{"id": "*"}], "elements": [], "METRICS": [False]}
    for _ in range(2):
        for table, rule in expected.items():
            assert limited._table_permission_allows(DB, table) == rule
    assert sorted(asked) == sorted(expected)


def test_errors_are_printed_by_rich_from_a_variable_of_the_module(
    datasette: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Rich:
        printed = 0

        def get_console(self) -> Rich:
            return self

        def print_exception(self, **_: Any) -> None:
            self.printed += 1

    handler = importlib.import_module("datasette.handle_exception")
    rich = Rich()
    monkeypatch.setattr(handler, "rich", rich)
    asyncio.run(datasette.client.get("/nowhere"))
    assert rich.printed == 1
    internals.hide_local_variables()
    asyncio.run(datasette.client.get("/nowhere"))
    assert rich.printed == 1


def test_links_are_built_once_and_by_the_method_path(served_study: StudyFolder) -> None:
    options = ServeOptions(served_study.database, extra=("--setting", "base_url", "results"))
    datasette = make_site(options).datasette
    datasette.app()
    assert datasette.urls.path("/x") == "/results/x"
    assert datasette.urls.path("/results/x", "json") == "/results/x.json"
    assert datasette.urls.table(DB, "run_tags") == f"/results/{DB}/run_tags"


def test_own_connection_is_prepared_like_those_of_pages_and_closed(
    datasette: Datasette, database: Any
) -> None:
    with internals.own_connection(datasette, database) as connection:
        assert connection.row_factory is sqlite3.Row
        (text,) = connection.execute("SELECT CAST(x'61ff' AS TEXT)").fetchone()
        assert text == "a\N{REPLACEMENT CHARACTER}"
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_views_answer_requests(datasette: Datasette) -> None:
    answer = asyncio.run(internals.table_view(datasette).dispatch_request(request("countries")))
    assert answer.status == 200
    view = internals.database_view(datasette)
    answer = asyncio.run(view.dispatch_request(request("countries")))
    assert (answer.status, "job_results" in answer.body) == (200, True)


def test_view_of_a_table_gives_the_sql_of_its_page(datasette: Datasette, database: Any) -> None:
    view = internals.table_view(datasette)
    data = asyncio.run(internals.first_row(view, request("countries", "iso3__gt=KEN&_sort=iso3")))
    assert data["query"]["params"] == {"p0": "KEN"}
    assert (data["primary_keys"], data["is_view"], data["table"]) == (["iso3"], False, "countries")
    sql = internals.without_page_end(data["query"]["sql"], -1)

    def read(connection: sqlite3.Connection) -> list[str]:
        return [row["iso3"] for row in connection.execute(sql, data["query"]["params"])]

    assert asyncio.run(database.execute_fn(read)) == ["NAM", "TZA", "UGA"]


def test_view_may_answer_otherwise(datasette: Datasette) -> None:
    view = internals.table_view(datasette)
    asked = request("countries", "_filter_column=iso3&_filter_op=exact&_filter_value=KEN")
    assert asyncio.run(internals.first_row(view, asked)).status == 302


def test_page_of_one_row_is_recognised_by_its_end_and_nothing_else() -> None:
    assert internals.without_page_end("select 1 limit 2", 50) == "select 1 limit 50"
    assert internals.without_page_end("select 1 limit 2 offset 7", -1) == (
        "select 1 limit -1 offset 7"
    )
    for sql in ("select 1 limit 3", "select 1 limit 2 ", "select 1"):
        with pytest.raises(RuntimeError, match="does not end as it did"):
            internals.without_page_end(sql, -1)


def test_magic_values_are_given_beside_others(datasette: Datasette) -> None:
    values = internals.magic_values(datasette, request("countries"), {"a": "b"})
    connection = sqlite3.connect(":memory:")
    text, now = connection.execute("SELECT :a, :_now_epoch", values).fetchone()
    connection.close()
    assert text == "b"
    assert now > 1_600_000_000


def test_json_has_rows_in_the_shape_that_is_asked() -> None:
    asked = changed_request(request("countries"), [("_shape", "array")])
    data = {"rows": [(1,)], "columns": ["n"], "ok": True, "error": None, "truncated": False}
    answer = internals.json_answer(asked.args, data, "table")
    assert (answer.body, answer.headers) == ('[{"n": 1}]', {})


def test_counts_of_the_pages_are_those_that_are_given(served_study: StudyFolder) -> None:
    datasette: Any = make_site(ServeOptions(served_study.database)).datasette
    given: dict[str, int | None] | None = {}

    async def count() -> dict[str, int | None] | None:
        return given

    database = datasette.get_database(DB)
    names = asyncio.run(database.table_names())
    internals.replace_counts(database, count)
    for given in (dict.fromkeys(names, 1_234_567), None):
        shown = asyncio.run(datasette.client.get(f"/{DB}")).text
        assert ("1,234,567 rows" in shown) is (given is not None)


def test_references_to_a_row_are_those_that_are_left(served_study: StudyFolder) -> None:
    datasette: Any = make_site(ServeOptions(served_study.database)).datasette
    address = f"/{DB}/result_sets/1.json?_extras=foreign_key_tables"

    def tables() -> set[str]:
        found = asyncio.run(datasette.client.get(address)).json()["foreign_key_tables"]
        return {table["other_table"] for table in found}

    before = tables()
    internals.leave_reference_out(
        datasette.get_database(DB), "result_sets", ("job_results", "result_set_id")
    )
    assert before - tables() == {"job_results"}


def test_time_limit_of_statements_counts_work_and_no_waiting() -> None:
    internals.limit_work()
    limit = importlib.import_module("datasette.database").__dict__["sqlite_timelimit"]
    endless = (
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT max(n) FROM n"
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("wait", 0, lambda: time.sleep(0.3))
        with limit(connection, 200):
            connection.execute("SELECT wait()").fetchall()
            connection.execute("SELECT * FROM sqlite_master").fetchall()
        begin = time.thread_time()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"), limit(connection, 50):
            connection.execute(endless).fetchall()
        assert time.thread_time() - begin < 0.5
