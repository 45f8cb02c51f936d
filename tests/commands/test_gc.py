from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest

from ingest.database.files import writer_lock
from ingest.database.validation_database import ValidationDatabase
from tests.conftest import MODEL_CODE, Ingest, StudyFolder, scenario


def rows(study: StudyFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(sql).fetchall()


def latest(study: StudyFolder) -> list[tuple[Any, ...]]:
    return rows(study, "SELECT * FROM latest_metrics ORDER BY 2, 3, 4, 5")


@pytest.fixture
def three_runs(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """8 jobs, then 4 of one scenario, then all 8 with other numbers."""
    ingest("run")
    study.write_json("scenarios/scale_up.json", scenario(0.8))
    ingest("run")
    study.write_model(MODEL_CODE.replace("/ 7", "/ 9"))
    ingest("run")
    return study


def test_without_yes_it_only_shows(three_runs: StudyFolder, ingest: Ingest) -> None:
    before = three_runs.database.read_bytes()
    result = ingest("gc", "--keep", "1")
    assert result.exit_code == 0
    assert result.stdout == (
        "Would remove, about 0.0 MB:\n"
        "  2 runs  (1, 2)\n"
        "  12 jobs\n"
        "  12 result sets  (72 values)\n"
        "  1 kept file\n"
        "  3 inputs  (3 input sets)\n"
        "  4 series changes\n"
        "Nothing was removed. Do it with: ingest gc --keep 1 --yes\n"
    )
    assert ingest("gc", "--keep", "1", "--dry-run").stdout == result.stdout
    assert three_runs.database.read_bytes() == before


def test_with_yes_old_runs_go_and_the_newest_numbers_stay(
    three_runs: StudyFolder, ingest: Ingest
) -> None:
    numbers = latest(three_runs)
    result = ingest("gc", "--keep", "1", "--yes")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == ["Removed:", "  2 runs  (1, 2)"]
    assert lines[-1].startswith("Gave back ")
    assert rows(three_runs, "SELECT run_id FROM validation_runs") == [(3,)]
    assert latest(three_runs) == numbers
    assert rows(three_runs, "PRAGMA integrity_check") == [("ok",)]
    assert rows(three_runs, "PRAGMA foreign_key_check") == []
    assert rows(three_runs, "PRAGMA freelist_count") == [(0,)]
    assert "Nothing to do" in ingest("run").stdout
    assert ingest("gc", "--keep", "1").stdout == "Nothing to remove.\n"


MANY_YEARS = """
    for label in "ABCDEFGH":
        for past in range(1900, 2200):
            yield label, past, people * past
"""


def test_the_file_shrinks(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(MODEL_CODE + MANY_YEARS)
    ingest("run")
    study.write_model((MODEL_CODE + MANY_YEARS).replace("/ 7", "/ 9"))
    ingest("run")
    before = study.database.stat().st_size
    freed = json.loads(ingest("gc", "--keep", "1", "--yes", "--json").stdout)["freed_bytes"]
    assert study.database.stat().st_size == before - freed
    assert freed > before * 0.4


def test_a_reader_that_does_not_end_holds_nothing_up(
    three_runs: StudyFolder, ingest: Ingest
) -> None:
    with closing(sqlite3.connect(three_runs.database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        seen = reader.execute("SELECT count(*) FROM metrics").fetchone()
        assert ingest("run", "--force").exit_code == 0
        result = ingest("gc", "--keep", "1", "--yes")
        assert result.exit_code == 0
        assert (
            f"{three_runs.database.name} keeps its size for now: another program" in result.stderr
        )
        assert reader.execute("SELECT count(*) FROM metrics").fetchone() == seen
    again = json.loads(ingest("gc", "--yes", "--json").stdout)
    assert (again["in_use"], again["freed_bytes"] > 0) == (False, True)
    assert rows(three_runs, "PRAGMA freelist_count") == [(0,)]


def test_readers_are_waited_for_a_moment_only(three_runs: StudyFolder) -> None:
    with closing(ValidationDatabase(three_runs.database)) as database, database.writing():
        waits = database.db.conn.execute("PRAGMA busy_timeout").fetchone()
        assert database.db.fold_log()
        with closing(sqlite3.connect(three_runs.database, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM metrics").fetchone()
            database.db.conn.execute("ANALYZE")
            assert not database.db.fold_log()
        assert database.db.conn.execute("PRAGMA busy_timeout").fetchone() == waits


def test_a_tagged_run_stays_and_is_named(three_runs: StudyFolder, ingest: Ingest) -> None:
    ingest("tag", "1", "paper")
    result = ingest("gc", "--keep", "1", "--yes")
    assert "  1 run  (2)\n" in result.stdout
    assert rows(three_runs, "SELECT run_id FROM validation_runs") == [(1,), (3,)]
    nothing = ingest("gc", "--keep", "1")
    assert nothing.stdout == "Nothing to remove.\n"
    assert nothing.stderr == "Pinned by a tag: 1 run (1)\n"


def test_by_age(three_runs: StudyFolder, ingest: Ingest) -> None:
    assert ingest("gc", "--older-than", "1d", "--yes").stdout == "Nothing to remove.\n"
    with closing(sqlite3.connect(three_runs.database)) as connection:
        connection.execute("UPDATE validation_runs SET timestamp = '2020-01-01T00:00:00.000Z'")
        connection.commit()
    shown = ingest("gc", "--older-than", "12w")
    assert shown.stdout.endswith("Do it with: ingest gc --older-than 12w --yes\n")
    assert "  2 runs  (1, 2)\n" in ingest("gc", "--older-than", "1y", "--keep", "1").stdout


@pytest.mark.usefixtures("three_runs")
def test_json(ingest: Ingest) -> None:
    planned = json.loads(ingest("gc", "--keep", "1", "--json").stdout)
    assert (planned["removed"], planned["runs"], planned["freed_bytes"]) == (False, [1, 2], None)
    done = json.loads(ingest("gc", "--keep", "1", "--json", "--yes").stdout)
    assert done["removed"] is True
    assert {**done, "removed": False, "freed_bytes": None} == planned


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--older-than", "soon"],
            "Error: --older-than 'soon' is not an age; write hours, days, weeks or "
            "years: 36h 90d 12w 1y\n",
        ),
        (
            ["--older-than", "999999y"],
            "Error: --older-than '999999y' is before the calendar begins\n",
        ),
        (["--dry-run", "--yes"], "Error: --dry-run shows and --yes removes; give one of them\n"),
    ],
)
@pytest.mark.usefixtures("three_runs")
def test_wrong_options_are_told(ingest: Ingest, options: list[str], message: str) -> None:
    result = ingest("gc", *options)
    assert (result.exit_code, result.stderr) == (2, message)


@pytest.mark.usefixtures("three_runs")
def test_keep_is_one_at_least(ingest: Ingest) -> None:
    result = ingest("gc", "--keep", "0")
    assert result.exit_code == 2
    assert "0 is not in the range x>=1" in result.stderr


def test_without_a_database(study: StudyFolder, ingest: Ingest) -> None:
    for options in ([], ["--yes"]):
        result = ingest("gc", *options)
        assert result.exit_code == 2
        assert result.stderr.endswith("Make one with: ingest run\n")
        assert not study.database.exists()


def test_while_a_run_goes_on_nothing_is_removed(three_runs: StudyFolder, ingest: Ingest) -> None:
    with writer_lock(three_runs.database):
        result = ingest("gc", "--keep", "1", "--yes")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: process {os.getpid()} is writing to {three_runs.database.name} already; readers "
        "may go on. Try again when it has ended (ingest run --wait waits for it)\n"
    )
    assert len(rows(three_runs, "SELECT * FROM validation_runs")) == 3


KILLED = """
import os, signal
from ingest.cli import main
from ingest.database import cleanup
{patch}
main(["gc", "--keep", "1", "--yes"])
"""
DURING = "cleanup._DELETIONS = (*cleanup._DELETIONS[:{number}], 'SELECT die()')"
AFTER = "cleanup.give_space_back = lambda db: os.kill(os.getpid(), signal.SIGKILL)"
DIE = """
original = cleanup._choose
def choose(connection, rule):
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    original(connection, rule)
cleanup._choose = choose
"""


@pytest.mark.parametrize("number", [1, 4, 7, 9])
def test_kill_9_in_the_middle_removes_nothing(three_runs: StudyFolder, number: int) -> None:
    dump = everything(three_runs)
    killed(three_runs, DIE + DURING.format(number=number))
    assert everything(three_runs) == dump
    assert rows(three_runs, "PRAGMA integrity_check") == [("ok",)]


def test_kill_9_before_the_space_is_given_back_loses_nothing(
    three_runs: StudyFolder, ingest: Ingest
) -> None:
    numbers = latest(three_runs)
    killed(three_runs, AFTER)
    assert rows(three_runs, "SELECT run_id FROM validation_runs") == [(3,)]
    assert latest(three_runs) == numbers
    assert rows(three_runs, "PRAGMA integrity_check") == [("ok",)]
    assert rows(three_runs, "PRAGMA freelist_count") != [(0,)]
    again = ingest("gc", "--keep", "1", "--yes").stdout
    assert again.startswith("Nothing to remove.\nGave back ")
    assert rows(three_runs, "PRAGMA freelist_count") == [(0,)]


def everything(study: StudyFolder) -> list[str]:
    with closing(sqlite3.connect(study.database)) as connection:
        return list(connection.iterdump())


def killed(study: StudyFolder, patch: str) -> None:
    code = KILLED.format(patch=patch)
    result = subprocess.run([sys.executable, "-c", code], cwd=study.root, check=False)
    assert result.returncode == -signal.SIGKILL
