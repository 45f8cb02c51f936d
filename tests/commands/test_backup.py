from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from ingest.database import ValidationDatabase
from tests.conftest import Ingest, StudyFolder
from tests.recorded import query

RUNS = "SELECT run_id, status FROM validation_runs"
METRICS = "SELECT * FROM metrics ORDER BY 1, 2, 3, 4, 5, 6"


def test_a_backup_has_what_is_in_the_log(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet")
    with ValidationDatabase(study.database).writing() as database:
        database.db.conn.execute("INSERT INTO run_tags VALUES ('late', 1)")
        database.db.conn.commit()
        assert (study.root / "validation_results.db-wal").stat().st_size > 0
        shutil.copy(study.database, study.root / "plain.db")
        result = ingest("backup", "copy.db")
    size = (study.root / "copy.db").stat().st_size
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        f"validation_results.db copied to copy.db: {size / 1e6:,.1f} MB\n",
    )
    tags = "SELECT tag FROM run_tags"
    assert query(study.root / "plain.db", tags) == []
    assert query(study.root / "copy.db", tags) == [("late",)]
    assert query(study.root / "copy.db", METRICS) == query(study.database, METRICS)
    assert not (study.root / "copy.db-wal").exists()
    assert ingest("plan", "--database", "copy.db", "--json").exit_code == 0


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("validation_results.db", "is part of the results database, which no output replaces"),
        ("model.json", "model.json is a file of the study"),
        ("there.db", "there.db exists; overwrite it with --force"),
        ("copy.txt", "copy.txt: the name must end in .db"),
        ("nowhere/copy.db", "there is no folder nowhere"),
    ],
)
def test_a_backup_replaces_nothing_that_is_needed(
    study: StudyFolder, ingest: Ingest, file: str, message: str
) -> None:
    ingest("run", "--quiet")
    (study.root / "there.db").write_text("mine")
    before = study.database.read_bytes()
    result = ingest("backup", file)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert study.database.read_bytes() == before
    assert (study.root / "there.db").read_text() == "mine"
    assert ingest("backup", "there.db", "--force").exit_code == 0
    assert query(study.root / "there.db", RUNS) == [(1, "completed")]


def test_there_is_no_database_yet(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("backup", "copy.db")
    assert result.exit_code == 2
    assert "Make one with: ingest run" in result.stderr
    assert not (study.root / "copy.db").exists()


def test_status_says_that_a_copy_lacks_its_log(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet")
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute("UPDATE validation_runs SET status = 'running'")
    shutil.copy(study.database, study.root / "copy.db")
    warning = "Warning: run 1 has not ended, and copy.db has no log beside it (copy.db-wal): "
    for form in ((), ("--json",)):
        assert warning in ingest("status", "--database", "copy.db", *form).stderr
    assert "no log beside it" not in ingest("status").stderr  # its lock says who wrote it
    ingest("backup", "whole.db")
    with closing(sqlite3.connect(study.root / "whole.db")) as connection, connection:
        connection.execute("UPDATE validation_runs SET status = 'completed'")
    assert "no log beside it" not in ingest("status", "--database", "whole.db").stderr


@pytest.mark.parametrize(
    "route",
    [("--database", "there.db"), ("-d", "there.db"), ("--set", "database.path=there.db")],
)
def test_the_database_named_is_the_one_copied(
    study: StudyFolder, ingest: Ingest, route: tuple[str, str]
) -> None:
    ingest("run", "--quiet", "--database", "there.db")
    assert ingest("backup", "copy.db", *route).exit_code == 0
    assert query(study.root / "copy.db", RUNS) == [(1, "completed")]
    assert not study.database.exists()


@pytest.mark.parametrize("name", ["INGEST_DATABASE", "INGEST_STUDY"])
def test_variables_name_it_too(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ingest("run", "--quiet")
    monkeypatch.setenv(name, str(study.database if name == "INGEST_DATABASE" else study.root))
    (study.root / "elsewhere").mkdir()
    monkeypatch.chdir(study.root / "elsewhere")
    assert ingest("backup", "copy.db").exit_code == 0
    assert query(study.root / "elsewhere" / "copy.db", RUNS) == [(1, "completed")]
