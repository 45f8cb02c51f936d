"""latest_results holds the newest success of each combination, the same before and since m006."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.database.schema import migrations

STATES = ("success", "success", "failed", "cancelled", "submitted")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A history of 30 runs with gaps and failures, in the schema before m006."""
    chance = random.Random(6)
    with closing(sqlite3.connect(tmp_path / "results.db")) as opened:
        migrations.apply(opened, stop_before="m006_faster_latest_results")
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


@pytest.mark.parametrize("view", ["latest_results", "latest_metrics"])
def test_migration_changes_no_row_and_no_column(connection: sqlite3.Connection, view: str) -> None:
    before, names = read(connection, view), columns(connection, view)
    migrations.apply(connection)
    assert len(before) == 11
    assert read(connection, view) == before
    assert columns(connection, view) == names


def test_older_successes_are_not_looked_at_one_by_one(connection: sqlite3.Connection) -> None:
    migrations.apply(connection)
    plan = [
        row[3]
        for row in connection.execute("EXPLAIN QUERY PLAN SELECT * FROM latest_results LIMIT 1")
    ]
    assert not any(step.startswith("SCAN job_results") and "COVERING" not in step for step in plan)
