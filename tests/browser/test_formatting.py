"""Times, numbers, states, links and the matrix, without a server."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from ingest.browser.links import Links, decode, encode
from ingest.browser.own_database import LARGE, own_tables
from ingest.browser.pages.job import read_job_page
from ingest.browser.pages.matrix import Matrix, read_matrix
from ingest.browser.pages.routes import PAGES, PROGRESS
from ingest.browser.server.metadata import browser_metadata, merge_metadata, parse_metadata
from ingest.browser.server.shell import PLACES
from ingest.browser.states import state_mark, state_word
from ingest.database.files import open_for_reading
from ingest.errors import ConfigError
from ingest.resources import resource_path
from ingest.study.scenario_order import order_scenarios
from ingest.text.numbers import whole_number
from ingest.text.times import age_text, duration_text, moment_text
from tests.conftest import StudyFolder

pytest.importorskip("datasette", reason="pip install 'ingest[browser]'")
NOW = datetime(2026, 11, 24, 9, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "n/a"), (0.0, "0 ms"), (0.0123, "12 ms"), (0.9996, "1.0 s"), (4.26, "4.3 s"),
        (59.96, "1 min 00 s"), (125.4, "2 min 05 s"), (3 * 3600 + 7 * 60, "3 h 07 min"),
        (-0.01, "0 ms"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, words: str) -> None:
    assert duration_text(seconds) == words


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=45), "45 seconds ago"),
        (timedelta(seconds=91), "2 minutes ago"),
        (timedelta(minutes=95), "2 hours ago"),
        (timedelta(hours=37), "2 days ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=1000), "3 years ago"),
        (timedelta(seconds=-100), "just now"),
    ],
)
def test_ages(before: timedelta, words: str) -> None:
    assert age_text((NOW - before).isoformat(), NOW) == words


@pytest.mark.parametrize("timestamp", [None, "", "yesterday"])
def test_what_is_no_time_has_neither_age_nor_moment(timestamp: str | None) -> None:
    assert age_text(timestamp, NOW) == moment_text(timestamp) == ""


def test_moment_is_told_in_the_time_zone_of_this_machine() -> None:
    local = NOW.astimezone()
    assert moment_text("2026-11-24T09:14:00.000Z") == f"24 Nov 2026, {local:%H:%M}".replace(
        "24", str(local.day), 1
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "n/a"), (10_612_345.6, "10,612,346"), (-1234.5678, "−1,234.57"), (0.03125, "0.03125")],
)
def test_whole_numbers(value: float | None, text: str) -> None:
    assert whole_number(value) == text


def test_every_state_has_a_mark_and_a_word() -> None:
    assert (state_mark("success"), state_word("success")) == ("✓", "succeeded")
    assert (state_mark("timeout"), state_word("timeout")) == ("◷", "timed out")
    assert (state_mark("unheard-of"), state_word("unheard-of")) == ("?", "unheard-of")


# --- links ---------------------------------------------------------------------------------------


def test_links_escape_every_part() -> None:
    links = Links("my.results", "/x/")
    odd = 'a/b <"c"> & d?e#f'
    part = "a~2Fb+~3C~22c~22~3E+~26+d~3Fe~23f"
    assert links.job(7, "KEN", odd) == f"/x/my~2Eresults/-/job/7/KEN/{part}"
    assert links.country(odd, label=odd) == (
        f"/x/my~2Eresults/-/country/{part}?label=a%2Fb+%3C%22c%22%3E+%26+d%3Fe%23f"
    )
    assert links.question("q", country="KEN", run=None) == "/x/my~2Eresults/q?country=KEN"
    assert links.metrics(run_id=7) == "/x/my~2Eresults/metrics?run_id=7&_nocount=1"
    assert links.static("ingest.css", "1a") == "/x/static/ingest.css?v=1a"
    assert links.home() == "/x/"
    assert decode(encode(odd)) == odd


def test_every_own_page_has_a_route_that_takes_its_link() -> None:
    import re

    links = Links("db")
    paths = {
        "home": links.home(), "overview": links.overview(), "progress": links.progress(),
        "countries": links.countries(), "country": links.country("KEN"), "runs": links.runs(),
        "run": links.run(7), "changes": links.changes(7), "job": links.job(7, "KEN", "a/b.c"),
        "api": links.api(), "economics": links.economics(),
    }  # fmt: skip
    routes = {name: page.pattern for name, page in PAGES.items()} | {"progress": PROGRESS}
    assert set(paths) == set(routes)
    for name, path in paths.items():
        taken = [page for page, pattern in routes.items() if re.match(pattern, path)]
        assert taken == [name]


# --- the matrix ----------------------------------------------------------------------------------


def matrix_of(study: StudyFolder, *statements: str) -> Matrix:
    """The matrix after changes to the database of a study that ran once."""
    connection = sqlite3.connect(study.database)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    reading = open_for_reading(study.database)
    try:
        return read_matrix(reading)
    finally:
        reading.close()


RUN_2 = """INSERT INTO validation_runs (run_id, timestamp, git_commit, status)
           VALUES (2, '2026-11-24T09:00:00.000Z', 'unknown', 'running')"""
JOB_2 = """INSERT INTO job_results (run_id, country, scenario, ulid, job_status)
           VALUES (2, 'KEN', 'null', 'U', '{}')"""


@pytest.mark.parametrize(
    ("status", "kind"),
    [("success", "fresh"), ("failed", "stale"), ("timeout", "stale"), ("running", "running"),
     ("submitted", "submitted")],
)  # fmt: skip
def test_cell_after_a_later_job(study: StudyFolder, ingest: object, status: str, kind: str) -> None:
    assert callable(ingest)
    ingest("run", "--quiet")
    matrix = matrix_of(study, RUN_2, JOB_2.format(status))
    (row,) = [row for row in matrix.rows if row.iso3 == "KEN"]
    assert [(cell.scenario, cell.kind, cell.run_id) for cell in row.cells] == [
        ("null", kind, 2),
        ("scale_up", "recent", 1),
    ]


def test_cell_names_the_run_whose_numbers_hold_after_a_failure(
    study: StudyFolder, ingest: object
) -> None:
    assert callable(ingest)
    ingest("run", "--quiet")
    later = [statement.replace("(2,", "(3,") for statement in (RUN_2, JOB_2.format("failed"))]
    matrix = matrix_of(study, RUN_2, JOB_2.format("success"), *later)
    (row,) = [row for row in matrix.rows if row.iso3 == "KEN"]
    assert row.cells[0].words.endswith("failed in run 3; its numbers are those of run 2")
    assert row.failures == 1


def test_cells_that_never_succeeded_are_told_by_how_they_ended(
    study: StudyFolder, ingest: object
) -> None:
    assert callable(ingest)
    ingest("run", "--quiet", "--countries", "KEN")
    matrix = matrix_of(
        study,
        "UPDATE job_results SET job_status = 'cancelled' WHERE scenario = 'null'",
        "UPDATE job_results SET completed_at = '2020-01-01T00:00:00.000Z'",
        RUN_2,
        "UPDATE scenarios SET label = '' WHERE name = 'null'",
        "INSERT INTO job_results (run_id, country, scenario, ulid, job_status) "
        "VALUES (2, 'XKX', 'gone', 'U', 'failed')",
    )
    assert matrix.scenarios == ("null", "gone", "scale_up")
    kinds = {row.iso3: [cell.kind for cell in row.cells] for row in matrix.rows}
    assert kinds["KEN"] == ["cancelled", "missing", "older"]
    assert kinds["XKX"] == ["missing", "failed", "missing"]
    assert matrix.rows[-1].region == "Other countries"
    assert matrix.size == 15
    assert matrix.with_numbers == 1
    assert matrix.without_success == 14
    assert matrix.labels == {"scale_up": "Coverage 0.9"}


def test_baselines_come_first() -> None:
    names = ["b", "baseline", "a", "null"]
    assert order_scenarios(names) == ("null", "baseline", "a", "b")


def test_each_line_of_the_notes_is_a_note(study: StudyFolder, ingest: object) -> None:
    assert callable(ingest)
    ingest("run", "--quiet", "--countries", "KEN")
    connection = sqlite3.connect(study.database)
    page = read_job_page(connection, 1, "KEN", "null")
    assert page is not None
    assert page.notes == ()
    connection.execute("UPDATE job_results SET notes = '3 rows' || char(10) || '[\"twice\"]'")
    page = read_job_page(connection, 1, "KEN", "null")
    connection.close()
    assert page is not None
    assert page.notes == ("3 rows", '["twice"]')


# --- one table for what must agree ---------------------------------------------------------------


def test_every_page_has_its_place_in_the_menu_and_its_template() -> None:
    for page in PAGES.values():
        assert page.place in PLACES
        assert (resource_path("templates") / page.template).is_file()


def test_tables_that_are_treated_apart_are_described() -> None:
    assert {*LARGE, "validation_runs", "job_results"} < own_tables()
    assert not any(name.startswith("_") for name in own_tables())


# --- metadata ------------------------------------------------------------------------------------


def test_metadata_is_that_of_every_name() -> None:
    metadata = browser_metadata(["a", "b.c"])
    assert set(metadata["databases"]) == {"a", "b.c"}
    assert metadata["databases"]["a"]["tables"]["validation_runs"]["sort_desc"] == "run_id"
    assert browser_metadata([])["databases"] == {}


def test_metadata_tells_of_every_table_and_column(study: StudyFolder, ingest: object) -> None:
    assert callable(ingest)
    ingest("run", "--quiet")
    told = browser_metadata(["db"])["databases"]["db"]["tables"]
    connection = sqlite3.connect(study.database)
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
    )
    for (table,) in tables.fetchall():
        assert told[table]["description"]
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info([{table}])")}
        assert set(told[table].get("columns", {})) <= columns, table
        if table != "_sqlite_migrations":
            assert set(told[table]["columns"]) == columns
    connection.close()


def test_own_metadata_is_put_over_ours_mapping_by_mapping() -> None:
    base = {"title": "a", "databases": {"x": {"tables": {"t": {"description": "d"}}}}}
    more = {"license": "CC", "databases": {"x": {"tables": {"t": {"sort": "c"}}}}}
    assert merge_metadata(base, more) == {
        "title": "a",
        "license": "CC",
        "databases": {"x": {"tables": {"t": {"description": "d", "sort": "c"}}}},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a", "m.yml: metadata is a mapping of keys to values"), ("a: [", "m.yml: while parsing")],
)
def test_metadata_that_is_none_is_told(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_metadata(text, "m.yml")
    assert str(error.value).startswith(message)
