from __future__ import annotations

import csv
import io
import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from filelock import FileLock

from tests.conftest import Ingest, StudyFolder
from tests.odd_study import make_odd, metrics, run_study
from tests.recorded import make_original


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study with results; these tests only read it."""
    study = make_odd(StudyFolder(tmp_path_factory.mktemp("import") / "tiny"))
    run_study(study)
    return study


@pytest.fixture
def bundle(stored: StudyFolder, ingest: Ingest) -> str:
    """run.zip in the study's folder."""
    ingest("export", "--database", str(stored.database), "-o", "run.zip")
    return "run.zip"


def test_import_makes_a_database(
    study: StudyFolder, stored: StudyFolder, ingest: Ingest, bundle: str
) -> None:
    result = ingest("import", bundle)
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        "1 run added to validation_results.db (run 1 as 1), 8 new result sets\n",
    )
    assert metrics(study) == metrics(stored)


def test_import_twice_adds_nothing(study: StudyFolder, ingest: Ingest, bundle: str) -> None:
    ingest("import", bundle, "--database", "new.db")
    before = ingest("query", "SELECT * FROM metrics", "--csv", "-d", "new.db").stdout
    result = ingest("import", bundle, "--database", "new.db")
    assert (result.exit_code, result.stderr) == (
        0,
        "Nothing to do: new.db has 1 run of this bundle already\n",
    )
    assert ingest("query", "SELECT * FROM metrics", "--csv", "-d", "new.db").stdout == before


def test_an_imported_state_needs_no_run(study: StudyFolder, ingest: Ingest, bundle: str) -> None:
    make_odd(study)
    ingest("import", bundle)
    result = ingest("plan", "--detailed-exitcode")
    assert result.exit_code == 0, result.output


def test_an_exported_import_is_the_same_csv(
    stored: StudyFolder, ingest: Ingest, bundle: str
) -> None:
    ingest("import", bundle)
    here = ingest("export").stdout
    assert here == ingest("export", "--database", str(stored.database)).stdout
    assert len(list(csv.reader(io.StringIO(here)))) == 89


def test_runs_added_after_newer_ones_are_told(
    study: StudyFolder, ingest: Ingest, bundle: str
) -> None:
    run_study(study, "--countries", "NAM")
    result = ingest("import", bundle)
    assert result.exit_code == 0
    assert result.stderr == (
        "1 run added to validation_results.db (run 1 as 2), 8 new result sets\n"
        "Warning: 1 of the added runs began before the newest run that was there; in the state "
        "they count as newer\n"
    )


def test_a_tampered_or_cut_bundle_is_refused_in_one_line(
    study: StudyFolder, ingest: Ingest, bundle: str
) -> None:
    content = (study.root / bundle).read_bytes()
    (study.root / "cut.zip").write_bytes(content[:-100])
    result = ingest("import", "cut.zip")
    assert (result.exit_code, result.stdout, result.stderr) == (
        2,
        "",
        "Error: cut.zip is not an ingest bundle, or truncated; nothing was changed\n",
    )
    middle = len(content) // 2
    (study.root / "odd.zip").write_bytes(content[:middle] + b"tampered" + content[middle + 8 :])
    result = ingest("import", "odd.zip")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: odd.zip is not as it was written: ")
    assert result.stderr.endswith("; nothing was changed\n")
    assert len(result.stderr.splitlines()) == 1
    assert not study.database.exists()


def test_another_zip_file_is_refused(study: StudyFolder, ingest: Ingest) -> None:
    shutil.make_archive(str(study.root / "other"), "zip", study.root / "scenarios")
    result = ingest("import", "other.zip")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: other.zip is no bundle of ingest: it has no manifest.json\n",
    )


def test_files_of_another_kind_are_refused(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "text.txt").write_text("hello")
    with closing(sqlite3.connect(study.root / "other.db")) as connection:
        connection.execute("CREATE TABLE songs (name)")
    expected = {
        "text.txt": "text.txt is not an ingest bundle, or truncated; nothing was changed",
        "other.db": "other.db is a database that cannot be imported",
        "none.zip": "none.zip cannot be read: No such file or directory",
    }
    for name, message in expected.items():
        result = ingest("import", name, "--database", "new.db")
        assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")
    assert not (study.root / "new.db").exists()


def test_a_results_database_is_no_bundle(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("import", str(stored.database))
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {stored.database} is a results database, not a bundle. "
        f"Make a bundle of a run with: ingest export --database {stored.database} -o run.zip\n",
    )


def test_a_target_of_the_original_form_is_left_as_it_is(
    study: StudyFolder, ingest: Ingest, bundle: str
) -> None:
    make_original(study.root / "old.db")
    before = (study.root / "old.db").read_bytes()
    result = ingest("import", bundle, "--database", "old.db")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: old.db has the original three-table form")
    assert (study.root / "old.db").read_bytes() == before


def test_import_while_a_run_goes_on_is_refused(
    study: StudyFolder, ingest: Ingest, bundle: str
) -> None:
    lock = study.root / "validation_results.db.lock"
    with FileLock(lock):
        lock.write_text(f"{os.getpid()}\n")
        result = ingest("import", bundle)
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: process {os.getpid()} is writing to validation_results.db already; readers may go "
        "on. Try again when it has ended (ingest run --wait waits for it)\n"
    )
