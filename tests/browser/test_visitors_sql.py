"""SQL of visitors, where `--allow-sql` lets them write some: it reads and never writes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.browser.site import Site, start_site
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
