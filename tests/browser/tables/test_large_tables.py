"""What would be slow with millions of numbers: counting them, and packets that wait."""

from __future__ import annotations

import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingest.browser.server.server import open_socket
from tests.browser.site import Site, start_site
from tests.conftest import StudyFolder


def counts(site: Site) -> dict[str, int]:
    tables = site.get(f"/{site.database.stem}.json").json()["tables"]
    return {table["name"]: table["count"] for table in tables}


def test_page_of_the_database_counts_every_table_rightly(site: Site) -> None:
    with closing(sqlite3.connect(site.database)) as connection:
        real = {
            name: connection.execute(f"SELECT count(*) FROM [{name}]").fetchone()[0]
            for name in counts(site)
        }
    assert real["metric_values"] > 0
    assert counts(site) == real


def test_numbers_are_counted_by_what_the_result_sets_say(
    served_study: StudyFolder, tmp_path: Path
) -> None:
    database = tmp_path / "copy.db"
    shutil.copy(served_study.database, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE result_sets SET row_count = 1000")
        sets = connection.execute("SELECT count(*) FROM result_sets").fetchone()[0]
    running = start_site(database)
    try:
        assert counts(running)["metric_values"] == 1000 * sets
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE result_sets SET row_count = 2000")
        assert counts(running)["metric_values"] == 2000 * sets
    finally:
        running.process.kill()
        running.process.wait()


def test_page_of_an_element_counts_nothing_among_the_numbers(site: Site) -> None:
    address = f"/{site.database.stem}/elements/1.json?_extras=foreign_key_tables"
    assert site.get(address).json()["foreign_key_tables"] == []
    assert "metric_values" not in site.get(f"/{site.database.stem}/elements/1").text


def test_page_of_a_result_set_still_counts_its_numbers_and_jobs(site: Site) -> None:
    address = f"/{site.database.stem}/result_sets/1.json?_extras=foreign_key_tables"
    found = site.get(address).json()["foreign_key_tables"]
    assert {table["other_table"] for table in found if table["count"]} == {
        "metric_values",
        "job_results",
    }


def test_parts_of_an_answer_do_not_wait_for_each_other() -> None:
    with (
        closing(open_socket("127.0.0.1", 0)) as listening,
        closing(socket.create_connection(listening.getsockname())),
        closing(listening.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("address", "is_offered"),
    [
        ("metrics", False),
        ("metrics?run_id=1", False),
        ("metrics?run_id=1&country=KEN", True),
        ("metrics?country__exact=KEN", True),
        ("latest_metrics", False),
        ("metric_values", False),
        ("metric_values?result_set_id=1", True),
        ("job_results", True),
    ],
)
def test_sorting_is_offered_where_it_does_not_take_forever(
    site: Site, address: str, is_offered: bool
) -> None:
    page = site.get(f"/{site.database.stem}/{address}").text
    assert ("_sort=" in page) is is_offered
    assert ('name="_sort"' in page) is is_offered
