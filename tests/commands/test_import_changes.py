from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Ingest, StudyFolder
from tests.recorded import insert, insert_run, make_original, query, ulid

HEADER = "country,scenario,element_label,timestamp_year,value\n"
MOVED = "SELECT run_id, country, before_value, after_value FROM series_changes ORDER BY 1, 2"


def told(ingest: Ingest) -> tuple[int, str]:
    """How many series `diff` says have moved, and what `explain` says of Kenya's newest run."""
    diff = json.loads(ingest("diff", "--json").stdout)
    explained = ingest("explain", "KEN", "null").stdout
    return len(diff["series"]), explained


@pytest.mark.parametrize("after", [5.0, 100.5, -1.0])
def test_two_files_of_one_combination(study: StudyFolder, ingest: Ingest, after: float) -> None:
    for value in (100.0, after):
        (study.root / "m.csv").write_text(f"{HEADER}KEN,null,Deaths,2025,{value}\n")
        assert ingest("import", "--metrics", "m.csv").exit_code == 0
    assert query(study.database, MOVED) == [(2, "KEN", 100.0, after)]
    assert query(study.database, "SELECT changed_series FROM validation_runs") == [(0,), (1,)]
    moved, explained = told(ingest)
    assert moved == 1
    assert "1 label moved" in explained
    assert "within the tolerance" not in explained


def make_two_runs(path: Path) -> None:
    make_original(path)
    for run_id, value in ((1, 100.0), (2, 5.0)):
        insert_run(path, run_id)
        job = (run_id, "KEN", "null", ulid(run_id))
        insert(path, "job_results", (*job, "success", None, None))
        insert(path, "metrics", (*job, "Deaths", 2025, value))


def test_a_database_of_the_original_form_with_two_runs(study: StudyFolder, ingest: Ingest) -> None:
    make_two_runs(study.root / "old.db")
    ingest("import", "old.db")
    assert query(study.database, MOVED) == [(2, "KEN", 100.0, 5.0)]
    assert "1 label moved" in told(ingest)[1]


def test_a_job_list_whose_metrics_come_later(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "list.csv").write_text(
        "ulid,timestamp,country,scenario\n"
        f"{ulid(1)},2026-01-01T10:00:00,KEN,null\n{ulid(2)},2026-01-02T10:00:00,KEN,null\n"
    )
    ingest("import", "list.csv")
    # the later run first: what it moved is known only when the earlier one has numbers
    for number, value in ((2, 5.0), (1, 100.0)):
        text = f"element_label,timestamp_year,value\nDeaths,2025,{value}\n"
        (study.root / f"{ulid(number)}.csv").write_text(text)
        ingest("import", "--metrics", f"{ulid(number)}.csv")
    assert query(study.database, MOVED) == [(2, "KEN", 100.0, 5.0)]
    assert "1 label moved" in told(ingest)[1]


def test_a_bundle_after_other_runs(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "m.csv").write_text(f"{HEADER}KEN,null,Deaths,2025,5\n")
    ingest("import", "--metrics", "m.csv", "--database", "other.db")
    ingest("export", "-o", "run.zip", "--database", "other.db")
    (study.root / "m.csv").write_text(f"{HEADER}KEN,null,Deaths,2025,100\n")
    ingest("import", "--metrics", "m.csv")
    assert ingest("import", "run.zip").exit_code == 0
    assert query(study.database, MOVED) == [(2, "KEN", 100.0, 5.0)]


def test_nothing_is_stored_of_an_import_whose_changes_fail(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (100, 5):
        (study.root / "m.csv").write_text(f"{HEADER}KEN,null,Deaths,2025,{value}\n")
        if value == 5:
            monkeypatch.setattr("ingest.changes.stored.diff_states", _fail)
            assert ingest("import", "--metrics", "m.csv").exit_code == 70
        else:
            ingest("import", "--metrics", "m.csv")
    assert query(study.database, "SELECT count(*) FROM validation_runs") == [(1,)]


def _fail(*_: object, **__: object) -> None:
    raise KeyError
