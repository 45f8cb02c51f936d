"""Whoever wrote the SQL, and whatever a file is called: one database, read and never written."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from ingest.database.files import connect_read_only
from tests.browser.site import Site, start_site
from tests.conftest import StudyFolder

OWN_SQL = {
    "attaches": "ATTACH '{other}' AS other",
    "copies": "VACUUM INTO '{folder}/stolen.db'",
    "makes": "CREATE TABLE other.mine (a)",
    "shadows": "CREATE TEMP TABLE run_tags AS SELECT 'shadow' AS tag, 1 AS run_id",
    "views": "CREATE TEMP VIEW run_tags AS SELECT 'shadow' AS tag, 1 AS run_id",
    "holds": "BEGIN",
    "sets": "PRAGMA case_sensitive_like = 1",
    "deletes": "DELETE FROM run_tags",
    "swells": "SELECT length(hex(zeroblob(450000000)))",
    "grows": "SELECT length(group_concat(hex(zeroblob(20000000)))) FROM json_each('[1, 2, 3]')",
}
WORDED = "SELECT json('x'), \"file is not a database\".y"
READING = "SELECT value, (SELECT count(*) FROM pragma_table_info('run_tags')) FROM json_each('[7]')"


@pytest.fixture(scope="module")
def asked(
    served_study: StudyFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Path]]:
    """A server with questions of its own that would do more than read, and another database."""
    folder = tmp_path_factory.mktemp("asked")
    other = tmp_path_factory.mktemp("private") / "other.db"
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE secret AS SELECT 'planted' AS word")
    shutil.copy(served_study.database, folder / "validation_results.db")
    (folder / "canned_queries").mkdir()
    for name, sql in {**OWN_SQL, "reads": READING, "as_json": WORDED}.items():
        head = f"/*\n---\ntitle: {name}\ndescription: x\n---\n*/\n"
        text = head + sql.format(other=other, folder=folder)
        (folder / "canned_queries" / f"{name}.sql").write_text(text)
    site = start_site(folder / "validation_results.db")
    yield site, other
    site.process.kill()
    site.process.wait()


@pytest.mark.parametrize("ending", ["", ".json", ".csv"])
@pytest.mark.parametrize("name", OWN_SQL)
def test_question_that_does_more_than_read_is_refused(
    asked: tuple[Site, Path], name: str, ending: str
) -> None:
    site, other = asked
    before = site.checksum(), other.read_bytes(), sorted(site.database.parent.iterdir())
    answer = site.request(f"/validation_results/{name}{ending}")
    assert answer.status == 400
    assert "planted" not in answer.text
    assert "shadow" not in site.get("/validation_results/run_tags.csv").text
    assert (site.checksum(), other.read_bytes(), sorted(site.database.parent.iterdir())) == before


def test_question_with_table_valued_functions_is_answered(asked: tuple[Site, Path]) -> None:
    answer = asked[0].get("/validation_results/reads.json?_shape=arrays")
    assert answer.json()["rows"] == [[7, 2]]


@pytest.mark.parametrize("name", ["plan#2", "is it?", "50%41"])
def test_folder_of_any_name_is_served(served_study: StudyFolder, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    database = tmp_path / name / "r?mode=rwc&x.db"
    shutil.copy(served_study.database, database)
    site = start_site(database)
    try:
        assert "Run 3" in site.get("/").text
        assert site.get(f"/{quote('r~3Fmode~3Drwc~26x')}/run_tags.csv").text.count("\n") > 1
    finally:
        site.process.kill()
        site.process.wait()
    beside = {file.name for file in (tmp_path / name).iterdir()}
    assert {one for one in beside if not one.startswith(database.name)} == set()
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_second_database_that_cannot_be_read_is_a_card(
    served_study: StudyFolder, tmp_path: Path
) -> None:
    damaged, cut = tmp_path / "damaged.db", tmp_path / "cut.db"
    damaged.write_text("no database " * 500)
    shutil.copy(served_study.database, cut)
    os.truncate(cut, 9000)
    older = tmp_path / "older.db"
    shutil.copy(served_study.database, older)
    with closing(sqlite3.connect(older)) as connection, connection:
        last = "(SELECT max(rowid) FROM _sqlite_migrations)"
        connection.execute(f"DELETE FROM _sqlite_migrations WHERE rowid = {last}")
    site = start_site(served_study.database, extra=[str(damaged), str(cut), str(older)])
    try:
        home = site.get("/").text
        for name in ("damaged", "cut", "older"):
            assert f"<strong><bdi>{name}</bdi></strong> cannot be shown: " in home
            assert site.request(f"/{name}/-/runs").status == 503
            assert f"{name}.db" in site.request(f"/{name}.json").json()["error"]
        assert site.get("/validation_results/-/runs").status == 200
        assert site.get("/validation_results/run_tags.json").status == 200
        assert not any("Traceback" in line for line in site.read_lines())
    finally:
        site.process.kill()
        site.process.wait()


def test_where_nothing_can_be_written_a_file_without_log_is_read(
    served_study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "results.db"
    shutil.copy(served_study.database, database)
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    with closing(connect_read_only(database)) as connection:
        assert connection.execute("SELECT count(*) FROM run_tags").fetchone() == (1,)
    assert [file.name for file in tmp_path.iterdir()] == ["results.db"]


WORDS_OF_DAMAGE = (
    "job_results?country__arraycontains=x",
    "job_results.json?_sort=run_id&country__arraycontains=x",
    "as_json",
    "as_json.json",
)


@pytest.mark.parametrize("address", WORDS_OF_DAMAGE)
def test_visitors_words_are_not_taken_for_damage(asked: tuple[Site, Path], address: str) -> None:
    site, _ = asked
    assert site.request(f"/validation_results/{address}").status == 400
    assert site.request("/").status == 200
