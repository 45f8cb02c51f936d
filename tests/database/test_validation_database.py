from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ingest.database import ValidationDatabase
from ingest.database.read import ReadConnections, read_failure_causes, read_open_run
from ingest.database.records import (
    AcceptedJob,
    JobOutcome,
    JobRecord,
    JobStatus,
    RunRecord,
    RunStatus,
    read_notes,
)
from ingest.database.write import (
    close_open_run,
    insert_result_set,
    keep_study,
    mark_running,
    mark_submitted,
    update_ulids,
)
from ingest.errors import DatabaseError
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import Reason, ReasonKind
from ingest.study.combination import Combination
from ingest.study.country import Country
from ingest.study.label import Label

KEN = Combination("KEN", "null")
UGA = Combination("UGA", "null")
NOW = "2026-11-23T09:00:00.000Z"
RECORD = RunRecord(NOW, "c" * 40, "main", ("model.json",), "tiny", "local", "0.1.0", 3)
INPUTS = Inputs(InputSet("null", "m1", "s1", "c1", "standard", "q1"), "d1")


def result_set(*values: float) -> ResultSet:
    return ResultSet([Metric("Population", 2025 + i, value) for i, value in enumerate(values)])


def job(combination: Combination, number: int = 0, inputs: Inputs = INPUTS) -> JobRecord:
    reason = Reason(ReasonKind.NEVER_RUN, "never run")
    return JobRecord(combination, f"{number:026d}", f"job-{number}", inputs, reason)


def success(combination: Combination, results: ResultSet) -> JobOutcome:
    return JobOutcome(combination, JobStatus.SUCCESS, NOW, 1, 0.5, results)


def failure(combination: Combination, error: str = "ValueError: no") -> JobOutcome:
    return JobOutcome(combination, JobStatus.FAILED, NOW, 1, error_kind="model error", error=error)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def database(path: Path) -> Iterator[ValidationDatabase]:
    opened = ValidationDatabase(path)
    with opened.writing():
        yield opened


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def start(database: ValidationDatabase, *combinations: Combination) -> int:
    jobs = [job(combination, number) for number, combination in enumerate(combinations)]
    return database.start_validation_run(RECORD, jobs, {"m1": ("model", "{}")})


def test_read_contract_has_exactly_the_named_columns_first(
    database: ValidationDatabase, path: Path
) -> None:
    columns = {
        table: [row[1] for row in rows(path, f"PRAGMA table_info({table})")]
        for table in ("validation_runs", "job_results", "metrics")
    }
    assert columns["validation_runs"][:7] == [
        "run_id", "timestamp", "git_commit", "status", "total_jobs", "successful_jobs",
        "failed_jobs",
    ]  # fmt: skip
    assert columns["job_results"][:7] == [
        "run_id", "country", "scenario", "ulid", "job_status", "submitted_at", "completed_at",
    ]  # fmt: skip
    assert columns["metrics"] == [
        "run_id", "country", "scenario", "ulid", "element_label", "timestamp_year", "value",
    ]  # fmt: skip
    keys = [row[1] for row in rows(path, "PRAGMA table_info(job_results)") if row[5]]
    assert keys == ["run_id", "country", "scenario"]


def test_each_set_of_inputs_has_a_number_of_its_own(
    database: ValidationDatabase, path: Path
) -> None:
    other = INPUTS._replace(shared=replace(INPUTS.shared, code_digest="c2"))
    for number in (1, 2):  # the second time they are there already
        jobs = [job(KEN, number, INPUTS), job(UGA, number + 5, other)]
        database.start_validation_run(RECORD, jobs, {})
    found = rows(
        path,
        "SELECT country, code_digest, input_set_id FROM job_results JOIN input_sets "
        "USING (input_set_id) ORDER BY run_id, country",
    )
    assert found == [("KEN", "c1", 1), ("UGA", "c2", 2)] * 2


def test_steps_of_a_job_leave_other_jobs_and_runs_as_they_are(
    database: ValidationDatabase, path: Path
) -> None:
    earlier, run_id = start(database, KEN, UGA), start(database, KEN, UGA)
    columns = "ulid, job_name, external_id, submitted_at, attempts, job_status"
    of_job = f"SELECT {columns} FROM job_results WHERE run_id = {run_id} AND country = 'KEN'"
    of_others = f"SELECT {columns} FROM job_results WHERE run_id = {earlier} OR country <> 'KEN'"
    others = rows(path, of_others)
    accepted = AcceptedJob(KEN, "1" * 26, "taken", "ext-1", NOW, 1)
    mark_submitted(database.db, run_id, [accepted])
    mark_submitted(database.db, run_id, [replace(accepted, submitted_at="later", attempts=2)])
    assert rows(path, of_job) == [("1" * 26, "taken", "ext-1", NOW, 2, "submitted")]
    mark_running(database.db, run_id, [KEN])
    assert rows(path, of_job) == [("1" * 26, "taken", "ext-1", NOW, 2, "running")]
    update_ulids(database.db, run_id, [(KEN, "2" * 26, "again")])
    assert rows(path, of_job) == [("2" * 26, "again", None, NOW, 2, "submitted")]
    assert rows(path, of_others) == others


def test_intended_jobs_are_stored_before_anything_is_submitted(
    database: ValidationDatabase, path: Path
) -> None:
    run_id = start(database, KEN, UGA)
    stored = rows(path, "SELECT country, ulid, job_name, job_status, submitted_at FROM job_results")
    assert stored == [
        ("KEN", f"{0:026d}", "job-0", "submitted", None),
        ("UGA", f"{1:026d}", "job-1", "submitted", None),
    ]
    assert rows(
        path, "SELECT run_id, status, total_jobs, up_to_date_jobs FROM validation_runs"
    ) == [(run_id, "running", 2, 3)]


def test_metrics_and_final_state_appear_together(database: ValidationDatabase, path: Path) -> None:
    run_id = start(database, KEN)
    database.record_job_result(run_id, success(KEN, result_set(1.5, 2.5)))
    assert rows(path, "SELECT * FROM metrics") == [
        (run_id, "KEN", "null", f"{0:026d}", "Population", 2025, 1.5),
        (run_id, "KEN", "null", f"{0:026d}", "Population", 2026, 2.5),
    ]
    assert rows(path, "SELECT job_status, attempts FROM job_results") == [("success", 1)]
    assert rows(path, "SELECT successful_jobs, failed_jobs FROM validation_runs") == [(1, 0)]


def test_failing_to_store_the_state_stores_no_metric_either(
    database: ValidationDatabase, path: Path
) -> None:
    run_id = start(database, KEN)
    with pytest.raises(DatabaseError, match="has no unfinished job UGA / null"):
        database.record_job_result(run_id, success(UGA, result_set(1.0)))
    for table in ("metric_values", "result_sets", "elements"):
        assert rows(path, f"SELECT count(*) FROM {table}") == [(0,)]
    # and what was rolled back is not taken for stored afterwards
    database.record_job_result(run_id, success(KEN, result_set(1.0)))
    assert len(rows(path, "SELECT * FROM metrics")) == 1


def test_a_job_ends_once(database: ValidationDatabase, path: Path) -> None:
    run_id = start(database, KEN)
    database.record_job_result(run_id, failure(KEN))
    with pytest.raises(DatabaseError, match="no unfinished job"):
        database.record_job_result(run_id, success(KEN, result_set(1.0)))
    assert rows(path, "SELECT job_status, error FROM job_results") == [("failed", "ValueError: no")]


def test_equal_numbers_are_stored_once(database: ValidationDatabase, path: Path) -> None:
    run_id = start(database, KEN, UGA)
    first = database.record_job_result(run_id, success(KEN, result_set(1.0, 2.0)))
    second = database.record_job_result(run_id, success(UGA, result_set(1.0, 2.0)))
    assert first is not None
    assert second is not None
    assert first.is_new
    assert not second.is_new
    assert first.result_set_id == second.result_set_id
    assert rows(path, "SELECT count(*) FROM metric_values") == [(2,)]
    assert rows(path, "SELECT count(*) FROM metrics") == [(4,)]


def test_store_metrics_keeps_row_count_and_years(database: ValidationDatabase, path: Path) -> None:
    with database.db.atomic():
        stored = insert_result_set(database.db, result_set(1.0, 2.0, 3.0))
    assert rows(
        path, "SELECT result_set_id, row_count, first_year, last_year FROM result_sets"
    ) == [(stored.result_set_id, 3, 2025, 2027)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: job(Combination("", "null")), "a job needs a country and a scenario"),
        (
            lambda: JobRecord(KEN, "x", "j", INPUTS, Reason(ReasonKind.FORCED, "")),
            "'x' is no ULID",
        ),
        (lambda: JobOutcome(KEN, JobStatus.RUNNING, NOW, 1), "running is no final status"),
        (lambda: JobOutcome(KEN, JobStatus.SUCCESS, NOW, 1), "metrics go with a success"),
        (
            lambda: JobOutcome(KEN, JobStatus.FAILED, NOW, 1, result_set=result_set(1.0)),
            "metrics go with a success",
        ),
    ],
)
def test_incomplete_records_are_refused_before_anything_is_written(
    make: object, message: str
) -> None:
    with pytest.raises(DatabaseError, match=message):
        make()  # type: ignore[operator]


def test_notes_are_read_as_they_were_stored(database: ValidationDatabase, path: Path) -> None:
    run_id = start(database, KEN, UGA)
    noted = replace(success(KEN, result_set(1.0)), notes=["[a list]", "2 rows stood twice"])
    database.record_job_result(run_id, noted)
    database.record_job_result(run_id, success(UGA, result_set(1.0)))
    stored = rows(path, "SELECT notes FROM job_results ORDER BY country")
    assert stored == [("[a list]\n2 rows stood twice",), (None,)]
    assert read_notes(str(stored[0][0])) == ("[a list]", "2 rows stood twice")
    assert read_notes(None) == ()


@dataclass(frozen=True)
class RemarkedOutcome(JobOutcome):
    remark: str | None = None


def test_a_field_of_an_outcome_is_stored_in_the_column_of_its_name(
    database: ValidationDatabase, path: Path
) -> None:
    database.db.conn.execute("ALTER TABLE job_results ADD COLUMN remark TEXT")
    run_id = start(database, KEN)
    facts: dict[str, Any] = {
        "completed_at": NOW,
        "attempts": 2,
        "duration_s": 0.5,
        "error_kind": "model error",
    }
    facts |= {"error": "no", "remark": "slow"}
    outcome = RemarkedOutcome(KEN, JobStatus.FAILED, **facts)
    database.record_job_result(run_id, outcome)
    stored = rows(path, f"SELECT {', '.join(facts)} FROM job_results")
    assert stored == [tuple(facts.values())]


def test_run_status_recounts_its_jobs(database: ValidationDatabase, path: Path) -> None:
    run_id = start(database, KEN, UGA)
    database.record_job_result(run_id, success(KEN, result_set(1.0)))
    database.record_job_result(run_id, failure(UGA))
    with database.db.atomic():
        wrong = "UPDATE validation_runs SET successful_jobs = 0, total_jobs = 0"
        database.db.conn.execute(wrong)
    database.update_run_status(run_id, RunStatus.FAILED, NOW)
    assert rows(
        path, "SELECT status, total_jobs, successful_jobs, failed_jobs, finished_at "
        "FROM validation_runs",
    ) == [("failed", 2, 1, 1, NOW)]  # fmt: skip


def test_failed_jobs_are_grouped_by_the_first_line_of_their_error(
    database: ValidationDatabase,
) -> None:
    run_id = start(database, KEN, UGA)
    database.record_job_result(run_id, failure(KEN, "ValueError: no\nlast words of KEN"))
    database.record_job_result(run_id, failure(UGA, "ValueError: no\nlast words of UGA"))
    assert [job["country"] for job in database.get_failed_jobs(run_id)] == ["KEN", "UGA"]
    with database.reading() as connection:
        assert read_failure_causes(connection, run_id) == [
            {
                "error_kind": "model error",
                "error": "ValueError: no",
                "jobs": ["KEN / null", "UGA / null"],
            }
        ]


def test_stored_state_is_that_of_the_newest_success(database: ValidationDatabase) -> None:
    for results in (result_set(1.0), result_set(2.0)):
        run_id = start(database, KEN)
        database.record_job_result(run_id, success(KEN, results))
    last = start(database, KEN)
    database.record_job_result(last, failure(KEN))
    state = database.stored_state()
    assert state.successes[KEN].run_id == 2
    assert state.successes[KEN].inputs == INPUTS
    assert state.failures[KEN].run_id == last
    assert state.content("m1") == {}
    assert state.content("unknown") is None


def test_a_failure_counts_until_the_combination_has_a_newer_job(
    database: ValidationDatabase,
) -> None:
    first = start(database, KEN, UGA)
    for combination in (KEN, UGA):
        database.record_job_result(first, failure(combination))
    assert set(database.stored_state().failures) == {KEN, UGA}
    second = start(database, KEN, UGA)
    database.record_job_result(second, success(KEN, result_set(1.0)))
    assert database.stored_state().failures == {}
    database.record_job_result(second, failure(UGA))
    failures = database.stored_state().failures
    assert {combination: failed.run_id for combination, failed in failures.items()} == {UGA: second}


def test_further_groups_of_countries_become_columns(
    database: ValidationDatabase, path: Path
) -> None:
    keep_study(database.db, [Country("KEN", "Kenya", {"region": "Africa", "club": "EAC"})], [])
    keep_study(database.db, [Country("KEN", "Kenya!", {"region": "Africa"})], [])
    assert rows(path, "SELECT iso3, name, region, club FROM countries") == [
        ("KEN", "Kenya!", "Africa", "EAC")
    ]


def test_names_that_are_as_they_were_are_not_written_again(
    database: ValidationDatabase, path: Path
) -> None:
    names = ([Country("KEN", "Kenya")], [], [Label("DALYs", "healthy years lost")])
    keep_study(database.db, *names)
    before = database.db.conn.total_changes
    keep_study(database.db, *names)
    assert database.db.conn.total_changes == before
    keep_study(database.db, [], [], [Label("DALYs", "years", "Lost.")])
    assert rows(path, "SELECT element_label, unit, description FROM labels") == [
        ("DALYs", "years", "Lost.")
    ]


def test_closing_an_open_run_cancels_what_had_not_ended(
    database: ValidationDatabase, path: Path
) -> None:
    run_id = start(database, KEN, UGA)
    database.record_job_result(run_id, success(KEN, result_set(1.0)))
    with database.reading() as connection:
        open_run = read_open_run(connection)
    assert open_run is not None
    assert open_run.unfinished == {UGA: INPUTS.digest}
    assert open_run.finished == {KEN}
    close_open_run(database.db, run_id, NOW, "cut off")
    assert rows(path, "SELECT country, job_status, error FROM job_results") == [
        ("KEN", "success", None),
        ("UGA", "cancelled", "cut off"),
    ]
    assert rows(path, "SELECT status, successful_jobs, failed_jobs FROM validation_runs") == [
        ("interrupted", 1, 1)
    ]


def test_metrics_are_found_through_the_country_index(
    database: ValidationDatabase, path: Path
) -> None:
    plan = rows(path, "EXPLAIN QUERY PLAN SELECT * FROM metrics WHERE country = 'KEN'")
    details = " ".join(str(row[3]) for row in plan)
    assert "USING INDEX job_results_combination (country=?)" in details
    assert "SCAN metric_values" not in details


def test_readers_are_never_blocked_by_the_writer(database: ValidationDatabase, path: Path) -> None:
    run_id = start(database, KEN)
    with database.db.atomic():
        database.db.conn.execute("UPDATE validation_runs SET study = 'being written'")
        with database.reading() as connection:
            assert connection.execute("SELECT study FROM validation_runs").fetchone()[0] == "tiny"
    database.record_job_result(run_id, success(KEN, result_set(1.0)))


def test_read_connections_are_reused_and_cannot_write(
    database: ValidationDatabase, path: Path
) -> None:
    pool = ReadConnections(path, size=2)
    with pool.connection() as first, pytest.raises(sqlite3.OperationalError, match="readonly"):
        first.execute("DELETE FROM validation_runs")
    with pool.connection() as again:
        assert again is first
    pool.close()


def test_read_connections_serve_many_threads(database: ValidationDatabase, path: Path) -> None:
    start(database, KEN)
    pool, counts = ReadConnections(path, size=2), []

    def read() -> None:
        for _ in range(20):
            with pool.connection() as connection:
                counts.append(connection.execute("SELECT count(*) FROM job_results").fetchone()[0])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert counts == [1] * 80
