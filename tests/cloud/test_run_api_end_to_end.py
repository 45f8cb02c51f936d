"""`ingest run` through the run API of `ingest dev-server`: real processes, real HTTP, real jobs."""

from __future__ import annotations

import json
import random
import signal
import time

import pytest

from ingest.dev_server.faults import Faults
from tests.cloud.driving import digests, finish, options, run, select, served, start, wait_for
from tests.conftest import StudyFolder
from tests.effort import examples

# Enough countries for the kills to come at many different moments.
CODES = [
    *("AFG", "AGO", "ALB", "ARE", "ARG", "ARM", "AUS", "AUT", "AZE", "BDI"),
    *("BEL", "BEN", "BFA", "BGD", "BGR", "BHR", "BHS", "BIH", "BLR", "BLZ"),
    *("BOL", "BRA", "BRB", "BRN", "BTN", "BWA", "CAF", "CAN", "CHE", "CHL"),
    *("CHN", "CIV", "CMR", "COD", "COG", "COL", "COM", "CPV", "CRI", "CUB"),
]
COUNTRIES = CODES[: examples(20, 40)]
JOBS = 2 * len(COUNTRIES)
KILLS = examples(4, 10)


@pytest.fixture
def big_study(study: StudyFolder) -> StudyFolder:
    study.write_countries(*COUNTRIES)
    return study


def test_the_results_are_those_of_the_local_executor(big_study: StudyFolder) -> None:
    with served(big_study) as server:
        code, told = run(big_study, *options(server), "--database", "cloud.db")
        assert (code, server.counts()["largest_count"]) == (0, 1), told
    assert run(big_study, "--database", "local.db")[0] == 0
    cloud, local = big_study.root / "cloud.db", big_study.root / "local.db"
    assert digests(cloud) == digests(local)
    assert len(digests(cloud)) == JOBS
    jobs = select(cloud, "SELECT ulid, job_name, external_id, submitted_at FROM job_results")
    for ulid, job_name, external_id, submitted_at in jobs:
        assert job_name == f"botech-sim-standard-{ulid}"
        assert external_id
        assert submitted_at


def test_killed_many_times_no_job_is_submitted_twice_and_none_is_missing(
    big_study: StudyFolder,
) -> None:
    chance = random.Random(1)
    faults = Faults(latency_s={"submit": 0.15, "status": 0.05})
    with served(big_study, faults=faults, job_time_s=0.3) as server:
        given = options(server, "run.submit_rate=10/1s", "analytics.concurrency=2")
        for number in range(KILLS):
            process = start(big_study, given)
            wait_for(server, 3 * JOBS // 4 // KILLS * (number + 1))
            time.sleep(chance.random() * 0.3)
            process.send_signal(signal.SIGKILL)
            finish(process)
        code, told = run(big_study, *given)
        counts = server.counts()
    assert code == 0, told
    assert (counts["accepted"], counts["largest_count"]) == (JOBS, 1)
    assert len(digests(big_study.database)) == JOBS
    runs = select(
        big_study.database,
        "SELECT status, total_jobs, successful_jobs, failed_jobs FROM validation_runs",
    )
    assert runs == [("completed", JOBS, JOBS, 0)]


def test_after_ctrl_c_jobs_go_on_and_the_next_run_follows_them(big_study: StudyFolder) -> None:
    with served(big_study, job_time_s=1.0) as server:
        given = options(server, "run.max_in_flight=10")
        process = start(big_study, given)
        wait_for(server, 10)
        process.send_signal(signal.SIGINT)
        code, told = finish(process)
        assert code == 130
        assert "Submitted jobs continue; the next `ingest run` follows them." in told
        assert select(big_study.database, "SELECT status FROM validation_runs") == [
            ("interrupted",)
        ]
        assert run(big_study, *given)[0] == 0
        assert server.counts()["largest_count"] == 1
    assert len(digests(big_study.database)) == JOBS


def test_a_run_of_other_combinations_takes_over_what_was_cut_off(big_study: StudyFolder) -> None:
    with served(big_study, job_time_s=1.0) as server:
        given = options(server, "run.max_in_flight=10")
        process = start(big_study, given)
        wait_for(server, 10)
        process.kill()
        finish(process)
        assert run(big_study, *given, "--scenarios", "null", "--countries", "A*")[0] == 0
        assert run(big_study, *given)[0] == 0
        assert server.counts()["largest_count"] == 1
    assert len(digests(big_study.database)) == JOBS
    kinds = select(
        big_study.database,
        "SELECT DISTINCT error_kind FROM job_results WHERE job_status = 'cancelled'",
    )
    assert ("taken over",) in kinds


def test_faults_that_pass_are_ridden_out(big_study: StudyFolder) -> None:
    rates = {
        "submit-429": 0.2,
        "submit-503": 0.1,
        "status-500": 0.2,
        "status-429": 0.1,
        "status-truncated": 0.1,
        "status-wrong-types": 0.1,
        "status-unknown-state": 0.1,
        "analytics-429": 0.2,
        "analytics-truncated": 0.1,
    }
    with served(big_study, faults=Faults(rates=rates, retry_after_s=0.1)) as server:
        code, told = run(big_study, *options(server))
        counts = server.counts()
    assert code == 0, told
    assert counts["largest_count"] == 1
    assert len(digests(big_study.database)) == JOBS


def test_a_lost_answer_is_marked_and_not_submitted_again_by_itself(study: StudyFolder) -> None:
    with served(study, faults={"submit-drop-after": 1.0}) as server:
        code, told = run(study, *options(server))
        assert code == 1
        assert "answer lost" in told
        assert (server.counts()["accepted"], server.counts()["largest_count"]) == (8, 1)
    assert select(study.database, "SELECT DISTINCT job_status, error_kind FROM job_results") == [
        ("failed", "answer lost")
    ]


def test_a_lost_answer_is_submitted_again_within_the_limit_that_is_set(study: StudyFolder) -> None:
    with served(study, faults={"submit-drop-after": 1.0}) as server:
        given = options(server, "executors.run-api.lost_answer_retries=1", "run.retry_delay_s=0.05")
        assert run(study, *given)[0] == 1
        assert server.counts()["largest_count"] == 2


def test_results_that_do_not_come_are_a_named_failure_and_backfill_fetches_them(
    study: StudyFolder,
) -> None:
    with served(study, faults={"analytics-empty": 1.0}) as server:
        given = options(server, "analytics.lag_s=0.2")
        assert run(study, *given)[0] == 1
    kinds = select(study.database, "SELECT DISTINCT job_status, error_kind FROM job_results")
    assert kinds == [("failed", "results not fetched")]
    assert select(study.database, "SELECT count(*) FROM metrics") == [(0,)]


def test_a_service_that_is_not_there_is_told_before_anything_is_submitted(
    study: StudyFolder,
) -> None:
    with served(study) as server:
        given = options(server)
    code, told = run(study, *given)
    assert code == 4
    assert "Error: " in told.splitlines()[-1]
    assert select(study.database, "SELECT count(*) FROM validation_runs") == [(0,)]


def test_a_service_that_goes_away_stops_the_run_and_loses_nothing(big_study: StudyFolder) -> None:
    with served(big_study, job_time_s=30.0) as server:
        given = options(server, "run.unreachable_limit_s=1", "run.max_in_flight=10")
        process = start(big_study, given)
        wait_for(server, 10)
    code, told = finish(process)
    assert code == 4, told
    assert "the next `ingest run` follows them" in told
    assert select(big_study.database, "SELECT status FROM validation_runs") == [("interrupted",)]
    open_jobs = "SELECT count(*) FROM job_results WHERE job_status IN ('submitted', 'running')"
    assert select(big_study.database, open_jobs) == [(JOBS,)]


def test_jobs_in_flight_never_exceed_their_limit(big_study: StudyFolder) -> None:
    with served(big_study, job_time_s=0.1) as server:
        assert run(big_study, *options(server, "run.max_in_flight=7"))[0] == 0
        assert server.counts()["in_flight_max"] <= 7


def test_one_status_call_a_job_and_round(big_study: StudyFolder) -> None:
    with served(big_study) as server:
        given = options(server, "run.poll_interval_s=0.5", "executors.run-api.submit_concurrency=4")
        assert run(big_study, *given)[0] == 0
        assert server.counts()["calls"]["status"] <= 3 * JOBS


def test_this_executor_cannot_cancel_and_says_so(study: StudyFolder) -> None:
    with served(study) as server:
        code, told = run(study, *options(server), "--cancel-on-interrupt")
        assert code == 2
        assert told.splitlines()[-1] == (
            "Error: --cancel-on-interrupt: run-api has no way to stop jobs"
        )
        assert json.loads(json.dumps(server.counts()))["accepted"] == 0
