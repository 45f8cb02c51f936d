from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Ingest, StudyFolder
from tests.recorded import COMMIT, ENDED, insert, insert_run, job_name, make_original, query, ulid
from tests.recorded import write_list as write

MONDAY, TUESDAY = "2025-08-18T15:00:05.044633", "2025-08-19T09:10:00"
JOBS = """SELECT run_id, country, scenario, ulid, job_status, completed_at FROM job_results
           ORDER BY run_id, country, scenario"""


def test_a_pair_that_stands_again_begins_a_further_run(study: StudyFolder, ingest: Ingest) -> None:
    write(
        study.root / "list.csv",
        [
            (ulid(1), MONDAY, "KEN", "null"),
            (ulid(2), MONDAY, "UGA", "null"),
            (ulid(3), TUESDAY, "KEN", "null"),
            (ulid(4), TUESDAY, "TZA", "null"),
        ],
    )
    result = ingest("import", "list.csv")
    assert (result.exit_code, result.stderr) == (
        0,
        "2 runs added to validation_results.db (run 1, 2), 4 new jobs\n"
        "4 successes have no metrics yet. Fetch them with: ingest backfill\n",
    )
    assert query(study.database, JOBS) == [
        (1, "KEN", "null", ulid(1), "success", MONDAY),
        (1, "UGA", "null", ulid(2), "success", MONDAY),
        (2, "KEN", "null", ulid(3), "success", TUESDAY),
        (2, "TZA", "null", ulid(4), "success", TUESDAY),
    ]
    assert query(study.database, "SELECT timestamp, git_commit, status FROM validation_runs") == [
        (MONDAY, "unknown", "completed"),
        (TUESDAY, "unknown", "completed"),
    ]
    again = ingest("import", "list.csv")
    assert again.stderr == (
        "Nothing to do: validation_results.db has what list.csv records (4 jobs) already\n"
    )


def test_the_newest_attempt_is_the_newest_run_whatever_the_order_of_rows(
    study: StudyFolder, ingest: Ingest
) -> None:
    write(
        study.root / "list.csv",
        [(ulid(3), TUESDAY, "KEN", "null"), (ulid(1), MONDAY, "KEN", "null")],
    )
    ingest("import", "list.csv")
    latest = query(study.database, "SELECT run_id, ulid FROM latest_results")
    assert latest == [(2, ulid(3))]


def test_rows_without_comparable_times_stay_in_their_order(
    study: StudyFolder, ingest: Ingest
) -> None:
    write(
        study.root / "list.csv",
        [(ulid(3), "2025-08-20T10:00:00+02:00", "KEN", "null"), (ulid(1), MONDAY, "KEN", "null")],
    )
    ingest("import", "list.csv")
    assert query(study.database, "SELECT ulid FROM latest_results") == [(ulid(1),)]


def test_a_list_that_has_grown_adds_what_is_new_to_its_runs(
    study: StudyFolder, ingest: Ingest
) -> None:
    rows = [(ulid(1), MONDAY, "KEN", "null")]
    write(study.root / "list.csv", rows)
    ingest("import", "list.csv")
    rows += [(ulid(2), MONDAY, "UGA", "null"), (ulid(3), TUESDAY, "KEN", "null")]
    rows += [rows[0]]  # a row that stands twice is one job
    write(study.root / "list.csv", rows)
    result = ingest("import", "list.csv")
    assert result.stderr.splitlines()[0] == (
        "1 run added to validation_results.db (run 2), run 1 of validation_results.db has grown, "
        "2 new jobs, 1 job there already"
    )
    assert [row[:4] for row in query(study.database, JOBS)] == [
        (1, "KEN", "null", ulid(1)),
        (1, "UGA", "null", ulid(2)),
        (2, "KEN", "null", ulid(3)),
    ]


def test_a_database_gives_the_jobs_of_a_list_their_commit_and_names(
    study: StudyFolder, ingest: Ingest
) -> None:
    write(study.root / "list.csv", [(ulid(1), MONDAY, "KEN", "null")])
    ingest("import", "list.csv")
    old = make_original(study.root / "old.db")
    insert_run(old)
    insert(
        old,
        "job_results",
        (1, "KEN", "null", job_name(1), "success", None, ENDED),
        (1, "UGA", "null", job_name(2), "success", None, ENDED),
    )
    ingest("import", "old.db")
    assert query(study.database, "SELECT run_id, git_commit, total_jobs FROM validation_runs") == [
        (1, COMMIT, 2)
    ]
    names = query(study.database, "SELECT job_name, completed_at FROM job_results ORDER BY ulid")
    assert names == [(job_name(1), MONDAY), (job_name(2), ENDED)]


def test_job_names_and_texts_in_place_of_a_ulid(study: StudyFolder, ingest: Ingest) -> None:
    write(
        study.root / "list.csv",
        [(job_name(1), MONDAY, "KEN", "null"), ("17", MONDAY, "UGA", "null")],
    )
    result = ingest("import", "list.csv")
    assert result.stderr.splitlines()[-1] == (
        "Warning: 1 job without a ULID, kept as found: UGA / null ('17')"
    )
    rows = query(study.database, "SELECT ulid, job_name FROM job_results ORDER BY country")
    assert rows == [(ulid(1), job_name(1)), ("17", None)]
    assert ingest("import", "list.csv").stderr.startswith("Nothing to do: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ulid,country,scenario\n",
            "list.csv has no column timestamp: a list of jobs has ulid,timestamp,country,scenario; "
            "nothing was changed",
        ),
        (
            "element_label,timestamp_year,value\n",
            "list.csv holds metrics. Bring them in with: ingest import --metrics list.csv",
        ),
        (
            f"ulid,timestamp,country,scenario\n{ulid(1)},{MONDAY},KEN,null\n01K2XZ",
            "list.csv has rows that are cut off or have blank cells: line 3: '01K2XZ'; "
            "nothing was changed",
        ),
        (
            f'ulid,timestamp,country,scenario\n{ulid(1)},{MONDAY},"KEN',
            "list.csv is broken or cut-off CSV: unexpected end of data (line 2)",
        ),
    ],
)
def test_a_list_that_cannot_be_used_changes_nothing(
    study: StudyFolder, ingest: Ingest, text: str, message: str
) -> None:
    (study.root / "list.csv").write_text(text)
    result = ingest("import", "list.csv")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")
    assert not study.database.exists()


def test_a_list_of_the_run_option_save_csv_is_known(
    study: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    ingest("run", "--quiet", "--set", "run.save_csv=true")
    listed = study.root / "validation_results.csv"
    assert len(listed.read_text().splitlines()) == 9
    result = ingest("import", "validation_results.csv")
    assert result.stderr == (
        "Nothing to do: validation_results.db has what validation_results.csv records (8 jobs) "
        "already\n"
    )
