"""SQL of visitors, where `--allow-sql` lets them write some: it reads and never writes."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.browser.site import Answer, Site, start_site
from tests.conftest import StudyFolder

WRITING = (
    "INSERT INTO run_tags VALUES ('x', 1)",
    "UPDATE job_results SET job_status = 'success'",
    "DELETE FROM metric_values",
    "DROP TABLE run_tags",
    "CREATE TABLE mine (a)",
    "PRAGMA user_version = 7",
    "PRAGMA journal_mode = DELETE",
    "ATTACH 'other.db' AS other",
    "VACUUM INTO 'copy.db'",
    "VACUUM",
    "REINDEX",
    "BEGIN IMMEDIATE",
    "WITH a AS (SELECT 1) INSERT INTO run_tags SELECT 'x', 1 FROM a",
    "WITH a AS (SELECT 1) DELETE FROM run_tags",
    "SELECT 1; DELETE FROM run_tags",
    "EXPLAIN DELETE FROM run_tags; DELETE FROM run_tags",
    "SELECT writefile('x', 'y')",
    "SELECT load_extension('x')",
)


@pytest.fixture(scope="module")
def open_site(served_study: StudyFolder) -> Iterator[Site]:
    """`ingest serve --allow-sql`."""
    running = start_site(served_study.database, "--allow-sql")
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_sql_that_reads_is_answered(open_site: Site) -> None:
    sql = urlencode({"sql": "SELECT count(*) AS jobs FROM job_results", "_shape": "array"})
    [row] = open_site.get(f"/validation_results.json?{sql}").json()
    assert row["jobs"] > 0


@pytest.mark.parametrize("ending", ["", ".json", ".csv"])
@pytest.mark.parametrize("sql", WRITING)
def test_sql_that_writes_is_refused_and_changes_nothing(
    open_site: Site, sql: str, ending: str
) -> None:
    before, files = open_site.checksum(), sorted(open_site.database.parent.iterdir())
    answer = open_site.request(f"/validation_results{ending}?{urlencode({'sql': sql})}")
    assert answer.status == 400
    assert open_site.checksum() == before
    assert sorted(open_site.database.parent.iterdir()) == files


SWELLING = (
    "SELECT printf('%.*c', 300000000, 'x')",
    "SELECT length(format('%300000000d', 1))",
    "SELECT hex(zeroblob(450000000))",
    "SELECT randomblob(16000000) FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]')",
    "WITH RECURSIVE n (s) AS (SELECT 'x' UNION ALL SELECT s || s FROM n) SELECT length(s) FROM n",
)


@pytest.mark.parametrize("sql", SWELLING)
def test_sql_that_swells_is_refused_and_others_are_answered(open_site: Site, sql: str) -> None:
    refused: list[Answer] = []
    path = f"/validation_results.json?{urlencode({'sql': sql})}"
    visitor = threading.Thread(target=lambda: refused.append(open_site.request(path)))
    begin = time.monotonic()
    visitor.start()
    open_site.get("/validation_results/-/runs")
    answered_s = time.monotonic() - begin
    visitor.join()
    assert refused[0].status == 400
    assert "too big" in refused[0].text or "larger than 64 MB" in refused[0].text
    assert answered_s < 3
    assert peak_mb(open_site) < 500


def peak_mb(site: Site) -> float:
    """The most memory that a server had so far."""
    told = Path(f"/proc/{site.process.pid}/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def test_formats_give_what_sqlite_gives(open_site: Site) -> None:
    sql = (
        "SELECT printf('%d%% %s|%-*.*s|%,d', 3, 'a', 6, 2, 'bcd', 1234567), format('%s'), printf()"
    )
    asked = urlencode({"sql": sql, "_shape": "arrays"})
    with closing(sqlite3.connect(":memory:")) as connection:
        expected = list(connection.execute(sql).fetchone())
    assert open_site.get(f"/validation_results.json?{asked}").json()["rows"] == [expected]


TELLING = (
    "SELECT sql FROM sqlite_stmt",
    "SELECT file FROM pragma_database_list",
    "SELECT * FROM pragma_database_list()",
    "SELECT fts3_tokenizer('simple')",
    "SELECT (SELECT group_concat(sql) FROM main.sqlite_stmt)",
)


@pytest.mark.parametrize("ending", ["", ".json", ".csv"])
@pytest.mark.parametrize("sql", TELLING)
def test_what_others_ask_and_where_files_are_is_not_told(
    open_site: Site, sql: str, ending: str
) -> None:
    planted = urlencode({"sql": "SELECT 'planted'"})
    open_site.get(f"/validation_results.json?{planted}")
    answer = open_site.request(f"/validation_results{ending}?{urlencode({'sql': sql})}")
    assert str(open_site.database.parent) not in answer.text
    assert "planted" not in answer.text
    assert answer.status == (200 if "pragma" in sql else 400)


LIMIT_S = 1.0
COUNTING = """(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT {})
    SELECT count(*) FROM n) > 0"""


@pytest.fixture(scope="module")
def slow_rows() -> str:
    """A condition that takes a statement 0.4 of the time limit here."""
    with closing(sqlite3.connect(":memory:")) as connection:
        begin = time.thread_time()
        connection.execute(f"SELECT {COUNTING.format(300_000)}").fetchall()
        return COUNTING.format(int(300_000 * 0.4 * LIMIT_S / (time.thread_time() - begin)))


def test_all_statements_of_a_request_have_one_time_limit(
    served_study: StudyFolder, slow_rows: str
) -> None:
    limit = ["--setting", "sql_time_limit_ms", str(int(LIMIT_S * 1000))]
    site = start_site(served_study.database, "--allow-sql", extra=limit)
    table = "/validation_results/job_results"
    facets = [("_facet", name) for name in ("country", "scenario", "run_id", "ulid", "job_status")]
    try:
        for ending in (".json", ""):
            asked = urlencode([("_where", slow_rows), ("_size", "1"), *facets])
            answer = site.request(f"{table}{ending}?{asked}")
            if answer.status == 200 and ending:
                assert len(answer.json()["facet_results"]) <= 2
            else:
                assert "These facets timed out" in answer.text or "too long" in answer.text
        quick = site.get(f"{table}.json?{urlencode([('_where', '1'), *facets])}").json()
        assert len(quick["facet_results"]) == 5
    finally:
        site.process.kill()
        site.process.wait()
