"""The views are those of this version, whichever version made the database."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.database.files import open_for_writing
from ingest.database.schema import TABLES, migrations, update_schema
from ingest.database.views import VIEWS

STATES = ("success", "success", "failed", "cancelled", "submitted")
VERSIONS = migrations.names[1:]
# As earlier versions made them: latest_results looks at every job, and has fewer columns at first.
OLD_VIEWS = """
CREATE VIEW metrics AS
SELECT j.run_id, j.country, j.scenario, j.ulid, e.element_label, m.timestamp_year, m.value
  FROM job_results AS j JOIN metric_values AS m USING (result_set_id) JOIN elements AS e
    USING (element_id);
CREATE VIEW latest_results AS
SELECT * FROM job_results AS j WHERE job_status = 'success' AND run_id = (
    SELECT max(run_id) FROM job_results AS newest WHERE newest.job_status = 'success'
       AND newest.country = j.country AND newest.scenario = j.scenario);
CREATE VIEW latest_metrics AS
SELECT j.run_id, j.country, j.scenario, e.element_label, m.timestamp_year, m.value
  FROM latest_results AS j JOIN metric_values AS m USING (result_set_id) JOIN elements AS e
    USING (element_id);
"""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A history of 30 runs with gaps and failures, with the views of the first version."""
    chance = random.Random(6)
    with closing(sqlite3.connect(tmp_path / "results.db")) as opened:
        migrations.apply(opened, stop_before="m006_faster_latest_results")
        opened.executescript(OLD_VIEWS)
        opened.execute("INSERT INTO elements VALUES (1, 'Population')")
        for run_id in range(1, 31):
            opened.execute(
                "INSERT INTO validation_runs (run_id, timestamp, git_commit, status) "
                "VALUES (?, 't', 'c', 'failed')",
                [run_id],
            )
            opened.execute(
                "INSERT INTO result_sets VALUES (?, ?, 1, 2025, 2025)", [run_id, str(run_id)]
            )
            opened.execute("INSERT INTO metric_values VALUES (?, 1, 2025, ?)", [run_id, run_id])
            for country in ("KEN", "UGA", "TZA", "NAM"):
                for scenario in ("null", "scale_up", "other"):
                    state = chance.choice(STATES)
                    if country == "NAM" and scenario == "other" and state == "success":
                        continue  # one that never succeeds
                    if chance.random() < 0.7:
                        opened.execute(
                            "INSERT INTO job_results (run_id, country, scenario, ulid, job_status, "
                            "error, result_set_id) VALUES (?, ?, ?, ?, ?, 'e', ?)",
                            [run_id, country, scenario, f"{run_id}{country}{scenario}", state,
                             run_id if state == "success" else None],
                        )  # fmt: skip
        opened.commit()
        yield opened


def read(connection: sqlite3.Connection, view: str) -> list[tuple[object, ...]]:
    return sorted(connection.execute(f"SELECT * FROM {view}").fetchall(), key=repr)


def columns(connection: sqlite3.Connection, view: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({view})")]


@pytest.mark.parametrize("view", ["metrics", "latest_metrics", "latest_results"])
def test_new_views_have_the_rows_and_columns_of_the_old_ones(
    connection: sqlite3.Connection, view: str
) -> None:
    before, names = read(connection, view), columns(connection, view)
    update_schema(connection)
    assert len(before) >= 11
    assert columns(connection, view)[: len(names)] == names  # later ones add columns at the end
    rows = connection.execute(f"SELECT {', '.join(names)} FROM {view}").fetchall()
    assert sorted(rows, key=repr) == before


def test_older_successes_are_not_looked_at_one_by_one(connection: sqlite3.Connection) -> None:
    update_schema(connection)
    plan = [
        row[3]
        for row in connection.execute("EXPLAIN QUERY PLAN SELECT * FROM latest_results LIMIT 1")
    ]
    assert not any(step.startswith("SCAN job_results") and "COVERING" not in step for step in plan)


def definitions(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY rowid"
        ).fetchall()


def bring_up_to_date(path: Path) -> None:
    db, _ = open_for_writing(path)
    db.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_an_earlier_version_gets_the_views_of_a_new_one(
    tmp_path: Path, version: str
) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        migrations.apply(connection, stop_before=version)
        connection.executescript(OLD_VIEWS)
    bring_up_to_date(new)
    bring_up_to_date(old)
    assert [name for name, _ in definitions(new)] == list(VIEWS)
    assert definitions(old) == definitions(new)


def test_a_column_added_to_job_results_is_in_latest_results(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    bring_up_to_date(path)
    with closing(sqlite3.connect(path)) as connection:
        assert columns(connection, "latest_results") == columns(connection, "job_results")
        connection.execute("ALTER TABLE job_results ADD COLUMN added TEXT")
    bring_up_to_date(path)
    with closing(sqlite3.connect(path)) as connection:
        assert columns(connection, "latest_results")[-1] == "added"
        assert columns(connection, "latest_results") == columns(connection, "job_results")


def test_views_that_are_up_to_date_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    bring_up_to_date(path)
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA schema_version").fetchone()
        bring_up_to_date(path)
        assert connection.execute("PRAGMA schema_version").fetchone() == version


def test_an_update_that_fails_leaves_the_database_as_it_was(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = connection.execute("SELECT * FROM sqlite_master").fetchall()
    monkeypatch.setitem(VIEWS, "broken", "SELECT FROM WHERE")
    with pytest.raises(sqlite3.OperationalError):
        update_schema(connection)
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == before


def test_every_table_and_view_of_ours_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    bring_up_to_date(path)
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_sqlite%'"
        )
        assert sorted(name for (name,) in names) == sorted([*TABLES, *VIEWS])
