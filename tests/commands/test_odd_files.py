from __future__ import annotations

import gzip
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Ingest, StudyFolder
from tests.recorded import insert, make_original, query, ulid, write_list

GZIPPED = gzip.compress(b"x" * 600, mtime=0)

HEADER = "country,scenario,element_label,timestamp_year,value\n"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 1234\n"


def store_metrics(study: StudyFolder, ingest: Ingest, *values: float) -> None:
    for value in values:
        (study.root / "m.csv").write_text(f"{HEADER}KEN,null,Deaths,2025,{value}\n")
        assert ingest("import", "--metrics", "m.csv").exit_code == 0


# --- what a file really is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (LFS, "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
        (GZIPPED, "is compressed with gzip: unpack it first, with gunzip"),
        (b"<html><body>Sign in</body></html>",
         "is a web page (HTML), such as a sign-in or error page: download the file again"),
        (bytes(range(256)) * 16, "is not SQLite: encrypted, overwritten, or of another program"),
    ],
)  # fmt: skip
def test_a_database_that_is_none(
    study: StudyFolder, ingest: Ingest, content: bytes, kind: str
) -> None:
    study.database.write_bytes(content)
    for command in (("status",), ("query", "SELECT 1"), ("run", "--quiet"), ("diff",)):
        result = ingest(*command)
        assert result.exit_code == 2
        assert result.stderr.startswith(
            f"Error: validation_results.db cannot be read as a database: it {kind}"
        )
    assert study.database.read_bytes() == content
    refused = ingest("import", str(study.database), "--database", "new.db")
    assert refused.exit_code == 2
    assert kind in refused.stderr or "is not an ingest bundle" in refused.stderr


def test_a_database_that_is_cut_off(study: StudyFolder, ingest: Ingest) -> None:
    store_metrics(study, ingest, 1.0)
    whole = study.database.read_bytes()
    study.database.write_bytes(whole[:40_000])
    result = ingest("status")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: validation_results.db cannot be read as a database: it is cut off: 40,000 of "
        f"{len(whole):,} bytes. There is no copy beside it: restore one, or move the file away and "
        "run again. What can still be read: sqlite3 validation_results.db .recover\n",
    )


def test_a_folder_in_place_of_a_database(study: StudyFolder, ingest: Ingest) -> None:
    assert "it is a folder" in ingest("status", "--database", "scenarios").stderr


@pytest.mark.parametrize("name", ["model.json", "countries.json", "scenarios/null.json"])
def test_json_files_that_are_something_else(study: StudyFolder, ingest: Ingest, name: str) -> None:
    for content, kind in ((LFS, "Git LFS pointer"), (b"", "is empty"),
                          (b"<!doctype html><p>Sign in", "web page")):  # fmt: skip
        (study.root / name).write_bytes(content)
        result = ingest("check")
        assert result.exit_code == 2
        assert f"{name}: it is" in result.stderr, result.stderr
        assert kind in result.stderr


# --- limits ---------------------------------------------------------------------------------------


def test_a_bundle_that_unpacks_to_gigabytes_is_not_unpacked(
    study: StudyFolder, ingest: Ingest
) -> None:
    store_metrics(study, ingest, 1.0)
    ingest("export", "-o", "run.zip")
    with zipfile.ZipFile(study.root / "run.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.bin", bytes(150_000_000))
    result = ingest("import", "run.zip", "--database", "new.db")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: run.zip is not unpacked: 0.2 MB would unpack to 150 MB")
    assert not (study.root / "new.db").exists()


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("x" * 1001, "has 1,001 characters, 1,000 at most"),
        ("a\nb", "holds a line break"),
        ("a\x00b", "holds a control character"),
    ],
)
def test_labels_that_nobody_can_read(
    study: StudyFolder, ingest: Ingest, label: str, problem: str
) -> None:
    (study.root / "m.csv").write_text(f'{HEADER}KEN,null,"{label}",2025,1\n')
    result = ingest("import", "--metrics", "m.csv")
    assert result.exit_code == 2
    assert "line 2: element_label" in result.stderr
    assert problem in result.stderr
    assert len(result.stderr) < 600


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE elements SET element_label = 'a' || char(10) || 'b'", "holds a line break"),
        ("UPDATE elements SET element_label = printf('%.2000c', 'x')", "2,000 characters"),
        ("UPDATE job_results SET country = 'Kenya'", "Kenya: write KEN"),
        ("UPDATE metric_values SET value = 'many'", "run.zip is not as it was written"),
    ],
)
def test_a_bundle_with_what_no_model_gives(
    study: StudyFolder,
    ingest: Ingest,
    monkeypatch: pytest.MonkeyPatch,
    sql: str,
    message: str,
) -> None:
    store_metrics(study, ingest, 1.0)
    change(study.database, sql)
    monkeypatch.setattr("ingest.exchange.bundle.check_contents", lambda _: {})
    assert ingest("export", "-o", "run.zip").exit_code == 0
    monkeypatch.undo()
    monkeypatch.chdir(study.root)
    result = ingest("import", "run.zip", "--database", "new.db")
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert not (study.root / "new.db").exists()


# --- odd countries and times ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((ulid(1), "22.11.2026 10:00", "KEN", "null"),
         "line 2: '22.11.2026 10:00' is no time; write it as 2026-11-22 10:00"),
        ((ulid(1), "11/22/2026", "KEN", "null"),
         "line 2: '11/22/2026' is no time; write it as 2026-11-22 10:00"),
        ((ulid(1), "2026-11-22T10:00:00", "NA", "null"), "line 2: NA: write NAM"),
        ((ulid(1), "2026-11-22T10:00:00", "ROM", "null"), "line 2: ROM: write ROU"),
    ],
)  # fmt: skip
def test_a_job_list_with_odd_cells_is_refused(
    study: StudyFolder, ingest: Ingest, row: tuple[str, str, str, str], message: str
) -> None:
    write_list(study.root / "list.csv", [row])
    result = ingest("import", "list.csv")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: list.csv: {message}; nothing was changed\n",
    )


READERS = (("status",), ("status", "1"), ("status", "--json"), ("diff",), ("diff", "--md"),
           ("explain", "KEN", "null"), ("export",), ("plan",), ("gc", "--keep", "1"))  # fmt: skip


def test_an_original_database_with_odd_times_and_countries(
    study: StudyFolder, ingest: Ingest
) -> None:
    old = make_original(study.root / "old.db")
    insert(old, "validation_runs", (1, None, "abc1234", "completed", 2, 0, 0))
    insert(old, "validation_runs", (2, "22.11.2026", "abc1234", "completed", 2, 0, 0))
    for run_id, time in ((1, 1755500000), (2, "yesterday")):
        insert(
            old,
            "job_results",
            (run_id, "KEN", "null", ulid(run_id), "success", time, None),
            (run_id, "Kenya", "null", ulid(run_id + 5), "success", None, None),
            (run_id, "UGA", " ", ulid(run_id + 7), "success", None, None),
        )
        metric = (run_id, "KEN", "null", ulid(run_id), "Deaths", 2025, float(run_id))
        insert(old, "metrics", metric)
    result = ingest("import", "old.db")
    assert result.exit_code == 0, result.stderr
    assert (
        "Warning: 3 times that cannot be read, left out: KEN / null ('1755500000'), KEN / null "
        "('yesterday'), run 2 ('22.11.2026')\n"
    ) in result.stderr
    assert "of no country or scenario, left out: 'Kenya' / 'null' (Kenya: write KEN)" in (
        result.stderr
    )
    assert query(study.database, "SELECT country, submitted_at FROM job_results") == [
        ("KEN", None), ("KEN", None)
    ]  # fmt: skip
    assert query(study.database, "SELECT timestamp FROM validation_runs") == [("",), ("",)]
    for command in READERS:
        assert ingest(*command).exit_code in (0, 1), command
    assert "Run 2 (abc1234, time unknown)" in ingest("diff").stdout


@pytest.mark.parametrize("time", ["22.11.2026 10:00", "", "0000-00-00", "1755500000"])
def test_readers_survive_odd_times_that_are_there(
    study: StudyFolder, ingest: Ingest, time: str
) -> None:
    store_metrics(study, ingest, 1.0, 2.0)
    change(study.database, "UPDATE validation_runs SET timestamp = ?, finished_at = ?", time, time)
    change(study.database, "UPDATE job_results SET completed_at = ?, submitted_at = ?", time, time)
    for command in READERS:
        assert ingest(*command).exit_code in (0, 1), command


# --- one run can be removed -----------------------------------------------------------------------


def test_an_imported_run_can_be_removed_whole(study: StudyFolder, ingest: Ingest) -> None:
    store_metrics(study, ingest, 1.0, 2.0, 4.0)
    change(study.database, "UPDATE job_results SET country = 'NA' WHERE run_id = 1")
    assert ingest("gc", "--keep", "1", "--yes").exit_code == 0
    assert "Do it with: ingest gc --run 1 --yes" in ingest("gc", "--run", "1").stdout
    assert ingest("gc", "--run", "1", "--yes").exit_code == 0
    assert query(study.database, "SELECT DISTINCT country FROM job_results") == [("KEN",)]


def test_what_the_next_run_moved_is_found_anew(study: StudyFolder, ingest: Ingest) -> None:
    store_metrics(study, ingest, 1.0, 2.0, 4.0)
    moved = "SELECT run_id, before_value, after_value FROM series_changes ORDER BY 1"
    assert query(study.database, moved) == [(2, 1.0, 2.0), (3, 2.0, 4.0)]
    ingest("gc", "--run", "2", "--yes")
    assert query(study.database, moved) == [(3, 1.0, 4.0)]
    ingest("gc", "--run", "1", "--yes")
    assert query(study.database, moved) == []
    assert query(study.database, "SELECT changed_series FROM validation_runs") == [(0,)]


def test_a_run_that_something_depends_on_stays(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet")
    refused = ingest("gc", "--run", "1", "--yes")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "Error: run 1 stays: 8 results of it are in the state as of later runs, or the newest "
        "there are. Old runs that are not needed: ingest gc --keep N\n",
    )
    study.write_model("def simulate(document):\n    raise ValueError\n")
    ingest("run", "--quiet")
    ingest("tag", "2", "bad")
    assert "ingest tag --delete bad" in ingest("gc", "--run", "2", "--yes").stderr
    ingest("tag", "--delete", "bad")
    assert ingest("gc", "--run", "2", "--yes").exit_code == 0
    assert query(study.database, "SELECT run_id FROM validation_runs") == [(1,)]
    assert "leave out --keep" in ingest("gc", "--run", "1", "--keep", "2").stderr
    assert "no run '99'" in ingest("gc", "--run", "99").stderr
