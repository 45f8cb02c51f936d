"""Databases with damaged pages, disks without room, and errors that nobody foresaw."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingest.commands import status
from tests.conftest import Ingest, StudyFolder
from tests.odd_study import run_study

READING = {
    "status": ["status", "--jobs"],
    "diff": ["diff"],
    "explain": ["explain", "KEN", "null"],
    "export": ["export"],
    "query": ["query", "SELECT * FROM metrics"],
    "compare": ["compare", "null", "scale_up", "--label", "Population"],
    "chart": ["chart", "scenario_impact", "-p", "label=Population"],
    "plan": ["plan"],
    "tag": ["tag"],
    "gc": ["gc", "--keep", "1"],
    "reference": ["reference", "list"],
    "check": ["check", "--results"],
}
WRITING = {
    "run": ["run", "--force"],
    "gc": ["gc", "--keep", "1", "--yes"],
    "import": ["import", "--metrics", "numbers.csv"],
    "tag": ["tag", "latest", "mine"],
    "rename-study": ["rename-study", "other", "--reason", "why"],
}
_LINE = re.compile(
    r"Error: \S*validation_results\.db (is damaged: |cannot be read as a database: )\w.+\. "
    r"Copies, the newest first: \S+\.db\.v11\.bak, \S+\.db\.v10\.bak\n"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = StudyFolder(tmp_path_factory.mktemp("damaged") / "tiny")
    study.write_settings('[[rules]]\nkind = "bounds"\nlabel = "Population"\nminimum = 0\n')
    (study.root / "numbers.csv").write_text(
        "country,scenario,element_label,timestamp_year,value\nKEN,by_hand,Population,2025,1.5\n"
    )
    run_study(study)
    run_study(study, "--force")
    for number in (10, 11):
        copy = study.database.with_name(f"validation_results.db.v{number}.bak")
        shutil.copy(study.database, copy)
        os.utime(copy, (number, number))
    return study.root


@pytest.fixture(params=["all but the schema", "one table", "first page", "cut in half"])
def damaged(request: pytest.FixtureRequest, built: Path, study: StudyFolder) -> str:
    """The study's database, damaged in some way."""
    shutil.rmtree(study.root)
    shutil.copytree(built, study.root)
    with closing(sqlite3.connect(study.database)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        roots = [row[0] for row in connection.execute("SELECT rootpage FROM sqlite_master")]
        (jobs,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'job_results'"
        ).fetchone()
    with study.database.open("r+b") as file:
        if request.param == "first page":
            file.write(b"\xff" * size)
        elif request.param == "cut in half":
            file.truncate(size * (pages // 2))
        else:
            for page in [root for root in roots if root] if "all" in request.param else [jobs]:
                file.seek((page - 1) * size)
                file.write(b"\xff" * size)
    return str(request.param)


def test_every_command_says_in_one_line_what_is_damaged_and_where_copies_are(
    damaged: str, ingest: Ingest
) -> None:
    seen = 0
    for arguments in [*READING.values(), *WRITING.values()]:
        result = ingest(*arguments)
        assert "Traceback" not in result.stderr, (arguments, result.stderr)
        if result.exit_code in (0, 3):  # it does not need what is damaged
            assert damaged in ("one table", "cut in half"), (arguments, result.output)
            continue
        assert result.exit_code == 2, (arguments, result.output)
        line = result.stderr.splitlines(keepends=True)[-1]
        assert _LINE.fullmatch(line), (arguments, result.stderr)
        seen += 1
    assert seen >= 9
    assert damaged


def test_without_a_copy_the_way_out_is_told(
    built: Path, study: StudyFolder, ingest: Ingest
) -> None:
    study.database.write_bytes(b"\xff" * 8192)
    result = ingest("status")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "There is no copy beside it: restore one, or move the file away and run again. What can "
        "still be read: sqlite3 validation_results.db .recover\n"
    )


@pytest.mark.parametrize(
    "error", [OverflowError("int too large"), ValueError("no"), ExceptionGroup("e", [OSError(5)])]
)
def test_what_nobody_foresaw_has_an_exit_code_of_its_own(
    built: Path,
    study: StudyFolder,
    ingest: Ingest,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    shutil.copy(built / "validation_results.db", study.database)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(status, "read_runs", fail)
    result = ingest("status")
    assert (result.exit_code, result.stdout) == (70, "")
    assert "Traceback" in result.stderr
    assert str(error) in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: this is a fault of ingest ")
    assert last.endswith("Please report it with the lines above and the command")


def test_a_disk_without_room_is_no_fault_of_ingest(
    built: Path, study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(built / "validation_results.db", study.database)

    def fail(*_: object) -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("PRAGMA max_page_count = 1")
            connection.execute("CREATE TABLE t (x)")

    monkeypatch.setattr(status, "read_runs", fail)
    result = ingest("status")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: validation_results.db cannot be used: database or disk is full\n",
    )
