from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ingest.executors.job_name import is_ulid
from tests.conftest import Ingest, StudyFolder
from tests.recorded import (
    COMMIT,
    ENDED,
    STARTED,
    insert,
    insert_run,
    job_name,
    make_original,
    make_small,
    query,
    ulid,
    write_list,
)

RUNS = """SELECT run_id, timestamp, git_commit, status, total_jobs, successful_jobs, failed_jobs,
                 executor, study, finished_at FROM validation_runs"""
JOBS = """SELECT run_id, country, scenario, ulid, job_status, submitted_at, completed_at, job_name
            FROM job_results ORDER BY run_id, country, scenario"""


@pytest.fixture
def old(study: StudyFolder) -> Path:
    """old.db of the original form in the study's folder: two successes and a failure."""
    return make_small(study.root / "old.db")


def test_every_fact_is_kept_and_counters_are_counted(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    before = old.read_bytes()
    result = ingest("import", "old.db")
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        "1 run added to validation_results.db (run 1), 3 new jobs, 1 new result set\n"
        "1 success has no metrics yet. Fetch them with: ingest backfill\n",
    )
    assert query(study.database, RUNS) == [
        (1, STARTED, COMMIT, "failed", 3, 2, 1, "import", "tiny", None)
    ]
    assert query(study.database, JOBS) == [
        (1, "KEN", "null", ulid(1), "success", None, ENDED, job_name(1)),
        (1, "KEN", "scale_up", ulid(3), "failed", None, None, job_name(3)),
        (1, "UGA", "null", ulid(2), "success", STARTED, ENDED, job_name(2)),
    ]
    assert query(study.database, "SELECT * FROM metrics") == [
        (1, "KEN", "null", ulid(1), "Population", 2025, 10.5),
        (1, "KEN", "null", ulid(1), "Population", 2026, 11.0),
    ]
    assert {reason for (reason,) in query(study.database, "SELECT reason FROM job_results")} == {
        "imported from old.db, run 1"
    }
    names = query(study.database, "SELECT name FROM countries WHERE iso3 = 'KEN'")
    assert names == [("Land of KEN",)]
    assert len(query(study.database, "SELECT source FROM validation_runs")[0][0]) == 64
    assert old.read_bytes() == before
    assert sorted(path.name for path in study.root.glob("old.db*")) == ["old.db"]


def test_importing_twice_adds_nothing(study: StudyFolder, ingest: Ingest, old: Path) -> None:
    ingest("import", "old.db")
    before = query(study.database, JOBS)
    result = ingest("import", "old.db")
    assert (result.exit_code, result.stderr) == (
        0,
        "Nothing to do: validation_results.db has what old.db records (3 jobs) already\n",
    )
    assert query(study.database, JOBS) == before


def test_only_what_is_new_comes_from_an_original_that_has_grown(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    ingest("import", "old.db")
    insert(old, "job_results", (1, "TZA", "null", job_name(4), "success", None, ENDED))
    insert(old, "metrics", (1, "UGA", "null", job_name(2), "Population", 2025, 7.0))
    insert_run(old, 2)
    insert(old, "job_results", (2, "KEN", "null", job_name(5), "success", None, ENDED))
    result = ingest("import", "old.db")
    assert result.stderr.splitlines()[0] == (
        "1 run added to validation_results.db (run 2), run 1 of validation_results.db has grown, "
        "2 new jobs, 1 new result set, 3 jobs there already, 1 of them got what they lacked"
    )
    assert [row[:4] for row in query(study.database, JOBS)] == [
        (1, "KEN", "null", ulid(1)),
        (1, "KEN", "scale_up", ulid(3)),
        (1, "TZA", "null", ulid(4)),
        (1, "UGA", "null", ulid(2)),
        (2, "KEN", "null", ulid(5)),
    ]
    assert query(study.database, "SELECT total_jobs, successful_jobs FROM validation_runs") == [
        (4, 3),
        (1, 1),
    ]
    assert query(study.database, "SELECT count(*) FROM metrics") == [(3,)]


def test_a_job_that_was_on_its_way_gets_its_end_later(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    insert(old, "job_results", (1, "NAM", "null", job_name(9), "running", STARTED, None))
    result = ingest("import", "old.db")
    assert result.stderr.splitlines()[2:] == [
        "Warning: run 1 says 3 jobs and has 4; the jobs were counted",
        "Warning: 1 job whose end was not recorded, kept as cancelled: NAM / null (running)",
    ]
    facts = "SELECT job_status, error_kind, completed_at FROM job_results WHERE country = 'NAM'"
    assert query(study.database, facts) == [("cancelled", "end not recorded", None)]
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute(
            "UPDATE job_results SET job_status = 'success', completed_at = ? WHERE country = 'NAM'",
            [ENDED],
        )
    ingest("import", "old.db")
    assert query(study.database, facts) == [("success", None, ENDED)]
    assert query(study.database, "SELECT successful_jobs FROM validation_runs") == [(3,)]


def test_a_replaced_attempt_comes_into_a_run_more(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    ingest("import", "old.db")
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute(
            "UPDATE job_results SET ulid = ?, job_status = 'success' WHERE scenario = 'scale_up'",
            [job_name(30)],
        )
    ingest("import", "old.db")
    again = ingest("import", "old.db")
    assert again.stderr.startswith("Nothing to do")
    rows = query(study.database, "SELECT run_id, ulid FROM job_results WHERE scenario = 'scale_up'")
    assert rows == [(1, ulid(3)), (2, ulid(30))]
    reasons = query(study.database, "SELECT reason FROM job_results WHERE run_id = 2")
    assert reasons == [("imported from old.db, run 1, further attempts",)]


def test_odd_rows_are_told_and_kept(study: StudyFolder, ingest: Ingest) -> None:
    old = make_original(study.root / "old.db")
    insert_run(old)
    insert(
        old,
        "job_results",
        (1, "KEN", "null", "job-17", "success", None, ENDED),
        (1, "UGA", "null", job_name(2), "done", None, ENDED),
        (7, "TZA", "null", job_name(3), "success", None, ENDED),
    )
    insert(
        old,
        "metrics",
        (1, "NAM", "null", job_name(4), "Population", 2025, 1.0),
        (1, "UGA", "null", job_name(2), "Population", 2025, 1.0),
        (1, "KEN", "null", "job-17", "Population", 2025, 1.0),
        (1, "KEN", "null", "job-17", "Population", 99, 1.0),
    )
    result = ingest("import", "old.db")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[2:] == [
        "Warning: 1 job of run 1 with only metrics, kept as success: NAM / null",
        "Warning: 1 job of a run 7 that the file does not have, kept in a run of their own: "
        "TZA / null",
        "Warning: 1 job with an unknown status, kept as failed: UGA / null ('done')",
        "Warning: 1 metric row with a bad year or value, left out: KEN / null Population",
        "Warning: 1 job without success but with metrics, left out: UGA / null",
        "Warning: 1 job without a ULID, kept as found: KEN / null ('job-17')",
    ]
    rows = query(
        study.database,
        "SELECT run_id, country, ulid, job_status, error_kind, error, notes FROM job_results "
        "ORDER BY run_id, country",
    )
    assert rows == [
        (1, "KEN", "job-17", "success", None, None,
         "1 bad row dropped: row 2: timestamp_year 99 is not within 1900-2300 ('Population' 99)"),
        (1, "NAM", ulid(4), "success", None, None, None),
        (1, "UGA", ulid(2), "failed", "unknown status", "recorded with the status 'done'", None),
        (2, "TZA", ulid(3), "success", None, None, None),
    ]  # fmt: skip
    assert query(study.database, "SELECT timestamp, git_commit FROM validation_runs") == [
        (STARTED, COMMIT),
        (ENDED, "unknown"),
    ]
    assert ingest("import", "old.db").stderr.startswith("Nothing to do")


def test_metrics_of_another_attempt_are_left_out(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    insert(old, "metrics", (1, "UGA", "null", ulid(77), "Population", 2025, 1.0))
    result = ingest("import", "old.db")
    assert result.stderr.splitlines()[-1] == (
        f"Warning: 1 job whose metrics have another ULID, left out: UGA / null ({ulid(77)})"
    )
    assert query(study.database, "SELECT count(*) FROM metrics") == [(2,)]


def test_a_ulid_of_another_combination_is_told_and_left_out(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    insert(old, "job_results", (1, "TZA", "null", job_name(1), "success", None, ENDED))
    ingest("import", "old.db", "--database", "new.db")
    write_list(study.root / "list.csv", [(ulid(2), "2025-08-18T15:00:05", "NAM", "null")])
    result = ingest("import", "list.csv", "--database", "new.db")
    assert result.stderr.splitlines()[-1] == (
        f"Warning: NAM / null was left out: its ULID {ulid(2)} is that of UGA / null in run 1"
    )
    assert query(study.root / "new.db", "SELECT 1 FROM job_results WHERE country = 'NAM'") == []


def test_a_run_that_is_older_than_one_here_is_told(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    ingest("run", "--quiet", "--countries", "NAM")
    result = ingest("import", "old.db")
    assert result.stderr.splitlines()[-1] == (
        "Warning: 1 of the added runs began before the newest run that was there; in the state "
        "they count as newer"
    )


def test_recorded_jobs_never_take_the_place_of_own_results(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    """The file has KEN and UGA under null."""
    ingest("run", "--quiet", "--countries", "UGA")
    before = query(study.database, "SELECT * FROM job_results ORDER BY 1, 2, 3")
    write_list(study.root / "list.csv", [(ulid(9), "2099-08-18T15:00:05", "UGA", "null")])
    for file in ("old.db", "list.csv"):
        result = ingest("import", file)
        assert result.exit_code == 2
        assert "the model has results of 1 combination already" in result.stderr
        assert "UGA / null (run 1)" in result.stderr
        assert "--as-study NAME" in result.stderr
        assert query(study.database, "SELECT * FROM job_results ORDER BY 1, 2, 3") == before
    assert ingest("import", "old.db", "--as-study", "Scripts").exit_code == 0


def test_what_a_run_of_ingest_recorded_stays_as_it_is(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    ingest("run", "--quiet", "--countries", "KEN", "--scenarios", "null")
    own = query(study.database, "SELECT * FROM job_results")
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute("UPDATE job_results SET result_set_id = NULL, job_name = NULL")
    changed = query(study.database, "SELECT * FROM job_results")
    insert_run(old, 5)
    insert(old, "job_results", (5, "KEN", "null", own[0][3], "success", STARTED, ENDED))
    insert(old, "metrics", (5, "KEN", "null", own[0][3], "Population", 2025, 1.0))
    ingest("import", "old.db")
    assert query(study.database, "SELECT * FROM job_results WHERE run_id = 1") == changed


def test_a_failed_job_gets_no_metrics_later(study: StudyFolder, ingest: Ingest, old: Path) -> None:
    ingest("import", "old.db")
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE job_results SET job_status = 'success'")
    insert(old, "metrics", (1, "KEN", "scale_up", job_name(3), "Population", 2025, 1.0))
    ingest("import", "old.db")
    facts = "SELECT job_status, result_set_id FROM job_results WHERE scenario = 'scale_up'"
    assert query(study.database, facts) == [("failed", None)]


def test_a_database_that_lacks_a_column_is_refused(study: StudyFolder, ingest: Ingest) -> None:
    old = make_original(study.root / "old.db")
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ALTER TABLE job_results DROP COLUMN completed_at")
    result = ingest("import", "old.db")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: old.db: the table job_results has no column completed_at; nothing was changed\n",
    )
    assert not study.database.exists()


def test_a_damaged_database_is_refused_and_nothing_is_kept(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    content = bytearray(old.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    old.write_bytes(content)
    result = ingest("import", "old.db")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: old.db cannot be read: database disk image is malformed; nothing was changed\n",
    )
    assert not study.database.exists()


def test_an_original_without_runs_is_told(study: StudyFolder, ingest: Ingest) -> None:
    make_original(study.root / "old.db")
    result = ingest("import", "old.db")
    assert (result.exit_code, result.stderr) == (0, "Nothing to do: old.db records no job\n")
    assert not study.database.exists()


def test_a_plan_says_that_the_metrics_are_missing(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    ingest("import", "old.db")
    result = ingest("plan")
    assert result.exit_code == 0
    assert "success without metrics in run 1" in result.output
    assert "inputs of run 1 were not recorded" in result.output
    for command in (["status", "1"], ["diff", "1", "1"], ["explain", "KEN", "null"], ["export"]):
        assert ingest(*command).exit_code in (0, 2), command


def test_a_broken_study_does_not_hinder_an_import(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    study.write_json("countries.json", {})
    result = ingest("import", "old.db")
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "Warning: names of countries and scenarios are left out, the study has an error: "
    )
    assert query(study.database, "SELECT count(*) FROM job_results") == [(3,)]


# A process that is killed while it writes: it stops within the transaction, after some jobs.
STOPPING = """
import sys, time
from ingest.database import imports
insert_job, count = imports.JobImporter._insert_job, 0

def insert_and_stop(*arguments):
    global count
    insert_job(*arguments)
    count += 1
    if count == 2:
        print("inside", flush=True)
        time.sleep(600)

imports.JobImporter._insert_job = insert_and_stop
from ingest.cli import main
main()
"""


def test_killed_while_it_writes_an_import_leaves_nothing_behind(
    study: StudyFolder, ingest: Ingest, old: Path
) -> None:
    command = [sys.executable, "-c", STOPPING, "import", "old.db"]
    with subprocess.Popen(command, cwd=study.root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        os.kill(process.pid, signal.SIGKILL)
    assert query(study.database, "SELECT count(*) FROM validation_runs") == [(0,)]
    assert ingest("import", "old.db").exit_code == 0
    assert query(study.database, "SELECT count(*) FROM job_results") == [(3,)]


def test_the_real_study_gives_every_job_with_its_ulid(
    study: StudyFolder, ingest: Ingest, real_study: Path
) -> None:
    result = ingest("import", str(real_study / "validation_results.db"))
    assert result.exit_code == 0
    assert query(study.database, RUNS.replace(", study", "")) == [
        (1, "2025-08-18 06:55:25", COMMIT, "completed", 1376, 1376, 0, "import", None)
    ]
    ulids = [row[0] for row in query(study.database, "SELECT DISTINCT ulid FROM job_results")]
    assert len(ulids) == 1376
    assert all(is_ulid(text) for text in ulids)
    listed = ingest("import", str(real_study / "validation_results.csv"))
    assert listed.stderr.startswith("Nothing to do: ")
    assert query(study.database, "SELECT count(*) FROM job_results") == [(1376,)]


def test_the_real_list_and_then_the_real_database_are_one_run(
    study: StudyFolder, ingest: Ingest, real_study: Path
) -> None:
    ingest("import", str(real_study / "validation_results.csv"))
    assert query(study.database, "SELECT git_commit FROM validation_runs") == [("unknown",)]
    result = ingest("import", str(real_study / "validation_results.db"))
    assert result.stderr == (
        "1,376 jobs there already, 1,376 of them got what they lacked in validation_results.db\n"
    )
    assert query(study.database, "SELECT git_commit, total_jobs FROM validation_runs") == [
        (COMMIT, 1376)
    ]
    names = "SELECT count(*) FROM job_results WHERE job_name LIKE 'botech-sim-appendix_3-%'"
    assert query(study.database, names) == [(1376,)]
    again = ingest("import", str(real_study / "validation_results.db"))
    assert again.stderr.startswith("Nothing to do: ")
