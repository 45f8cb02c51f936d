"""A question of the study's own reads one database, whatever its SQL says."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.browser.site import Site, start_site
from tests.conftest import StudyFolder

DB = "/validation_results"
REFUSALS = ("not authorized", "prohibited", "authorization denied")
SQL = {
    "attach": "ATTACH '{other}' AS other",
    "vacuum_into": "VACUUM INTO '{copy}'",
    "temporary": "CREATE TEMP VIEW job_results AS SELECT 1 AS country",
    "setting": "PRAGMA case_sensitive_like = 1",
    "transaction": "BEGIN",
    "writing": "UPDATE job_results SET country = 'XXX' RETURNING country",
}


@pytest.fixture(scope="module")
def own(served_study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`ingest serve` beside questions that do what they should not."""
    folder = tmp_path_factory.mktemp("own")
    database = Path(shutil.copy(served_study.database, folder))
    with closing(sqlite3.connect(folder / "other.db")) as other:
        other.execute("CREATE TABLE secret (text)")
    (folder / "canned_queries").mkdir()
    for name, sql in SQL.items():
        text = sql.format(other=folder / "other.db", copy=folder / "copy.db")
        head = f"/*\n---\ntitle: {name}\ndescription: d\nunit: u\ntopic: Data\n---\n*/\n"
        (folder / "canned_queries" / f"own_{name}.sql").write_text(head + text + "\n")
    site = start_site(database)
    try:
        yield site
    finally:
        site.process.kill()
        site.process.wait()


@pytest.mark.parametrize("ending", ["", ".json", ".csv"])
@pytest.mark.parametrize("name", SQL)
def test_own_question_cannot_do_more_than_read(own: Site, name: str, ending: str) -> None:
    before, files = own.checksum(), sorted(own.database.parent.iterdir())
    answer = own.request(f"{DB}/own_{name}{ending}")
    assert answer.status == 400, answer.text[-800:]
    assert any(word in answer.text for word in REFUSALS), answer.text[-800:]
    assert own.checksum() == before
    assert sorted(own.database.parent.iterdir()) == files
    assert "KEN" in own.get(f"{DB}/job_results.csv").text
