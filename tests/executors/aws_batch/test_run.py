"""`ingest run --executor aws-batch`, whole: numbers, retries, kill -9 and going on, errors."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Ingest, StudyFolder
from tests.executors.aws_batch.aws_double import (
    FINAL,
    AwsDouble,
    BatchJob,
    Environment,
    kill,
    running_double,
)
from tests.executors.aws_batch.aws_drive import answer_at_once, use_double
from tests.executors.aws_batch.aws_executor import BUCKET, DEFINITION, QUEUE

SECTION = (
    f'[executors.aws-batch]\nqueue = "{QUEUE}"\njob_definition = "{DEFINITION}"\n'
    f'bucket = "{BUCKET}"\n[run]\npoll_interval_s = 0.05\nretry_delay_s = 0.01\n'
)
AWS = ("--executor", "aws-batch")
ONE_JOB = ("--countries", "KEN", "--scenarios", "null")


@pytest.fixture
def double(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    study.write_settings(SECTION)
    with running_double(study.root) as double:
        use_double(double, monkeypatch)
        yield double


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    """What a query gives."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def digests(database: Path) -> dict[tuple[object, object], object]:
    """The result set's digest of each combination's success."""
    query = (
        "SELECT country, scenario, hex(digest) FROM job_results "
        "JOIN result_sets USING (result_set_id) WHERE job_status = 'success'"
    )
    return {(country, scenario): digest for country, scenario, digest in rows(database, query)}


def test_numbers_are_those_of_the_local_executor(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    assert ingest("run", "--quiet", "--database", "local.db").exit_code == 0
    result = ingest("run", "--quiet", *AWS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert digests(study.database) == digests(study.root / "local.db")
    assert len(digests(study.database)) == 8
    assert double.count("SubmitJob") == 1
    again = ingest("run", *AWS)
    assert again.exit_code == 0
    assert double.count("SubmitJob") == 1


def test_the_ids_and_names_of_children_are_stored(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    double.definitions[DEFINITION][0].command = answer_at_once(double)
    assert ingest("run", "--quiet", *AWS).exit_code == 0
    (array,) = double.arrays()
    stored = rows(study.database, "SELECT job_name, external_id FROM job_results")
    assert sorted(stored) == [(f"{array.name}:{n}", f"{array.job_id}:{n}") for n in range(8)]


def test_children_that_fail_and_can_pass_are_tried_again_alone(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    double.host_losses = 2
    result = ingest("run", "--quiet", *AWS, "--set", "executors.aws-batch.attempts=1")
    assert (result.exit_code, len(digests(study.database))) == (0, 8)
    assert len(double.work()) == 8 + 2
    attempts = "SELECT attempts, count(*) FROM job_results GROUP BY attempts ORDER BY attempts"
    assert rows(study.database, attempts) == [(1, 6), (2, 2)]


@pytest.mark.parametrize(
    ("losses", "requeue_s", "attempt_s"), [(1, 1.2, 0.3), (1, 0.0, 0.8), (2, 0.5, 0.5)]
)
def test_the_time_out_is_an_attempts_and_does_not_run_in_the_queue(
    study: StudyFolder,
    ingest: Ingest,
    double: AwsDouble,
    losses: int,
    requeue_s: float,
    attempt_s: float,
) -> None:
    write_results = answer_at_once(double)

    def take_a_while(environment: Environment) -> int:
        time.sleep(attempt_s)
        return write_results(environment)

    double.definitions[DEFINITION][0].command = take_a_while
    double.host_losses, double.requeue_s = losses, requeue_s
    result = ingest("run", "--quiet", *AWS, *ONE_JOB, "--job-timeout", "1.2")
    assert (result.exit_code, len(digests(study.database))) == (0, 1), result.output
    assert double.count("TerminateJob") == 0
    assert [len(job.attempts) for job in double.work()] == [1 + losses]


def test_an_attempt_that_runs_too_long_is_stopped_after_one_that_was_lost(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    over = threading.Event()

    def hang_at_last(environment: Environment) -> int:
        if environment["AWS_BATCH_JOB_ATTEMPT"] == "2":
            over.wait(60)
        return 0

    double.definitions[DEFINITION][0].command = hang_at_last
    double.host_losses = 1
    result = ingest("run", "--quiet", *AWS, *ONE_JOB, "--job-timeout", "0.5")
    over.set()
    assert result.exit_code == 1
    assert rows(study.database, "SELECT job_status FROM job_results") == [("timeout",)]
    assert double.count("TerminateJob") == 1


def test_jobs_whose_machines_were_lost_are_tried_again_as_one_array(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    double.definitions[DEFINITION][0].command = answer_at_once(double)
    double.host_losses = 8
    together = ("executors.aws-batch.attempts=1", "run.poll_interval_s=1")
    result = ingest("run", "--quiet", *AWS, "--set", together[0], "--set", together[1])
    assert (result.exit_code, len(digests(study.database))) == (0, 8)
    assert [len(array.children) for array in double.arrays()] == [8, 8]
    assert double.count("SubmitJob") == 2


def go_once_ended(double: AwsDouble, array: BatchJob) -> None:
    """Let containers start once no child of an array is left that could."""
    deadline = time.monotonic() + 60
    while array.status not in FINAL and time.monotonic() < deadline:
        time.sleep(0.01)
    double.go.set()


@pytest.mark.parametrize("manifest", [None, b'["01ARZ3NDEKTSV4RRFFQ69G5FAV"', b"{}"])
def test_an_array_whose_list_of_jobs_is_gone_is_ended_and_its_jobs_go_on(
    study: StudyFolder, ingest: Ingest, double: AwsDouble, manifest: bytes | None
) -> None:
    double.definitions[DEFINITION][0].command = answer_at_once(double)
    double.go.clear()
    fault = double.break_next("SubmitJob", hold=True, after=True)
    command = [sys.executable, "-m", "ingest", "run", "--quiet", *AWS]
    victim = subprocess.Popen(command, cwd=study.root, env={**os.environ, **double.environ})
    assert fault.reached.wait(60)
    kill(victim)
    fault.release.set()
    (array,) = double.arrays()
    key = f"ingest/arrays/{array.name}.json"
    double.s3.delete_object(Bucket=BUCKET, Key=key)
    if manifest is not None:
        double.s3.put_object(Bucket=BUCKET, Key=key, Body=manifest)
    threading.Thread(target=go_once_ended, args=(double, array)).start()
    result = ingest("run", "--quiet", *AWS)
    assert (result.exit_code, len(digests(study.database))) == (0, 8), result.output
    assert f"array {array.name} is ended: its list of jobs is gone from S3" in result.stderr
    assert {child.own_status for child in array.children} == {"FAILED"}
    assert [len(array.children) for array in double.arrays()] == [8, 8]


def test_model_errors_are_not_tried_again_and_leave_the_good_results(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    code = (study.root / "model.py").read_text()
    wrong = "def simulate(document):\n    if 'NAM' in str(document): raise ValueError('no data')\n"
    study.write_model(code.replace("def simulate(document):\n", wrong))
    assert ingest("run", "--quiet", *AWS).exit_code == 1
    assert len(double.work()) == len(digests(study.database)) + 2 == 8
    failed = rows(study.database, "SELECT error_kind, error FROM job_results WHERE error NOT NULL")
    assert [kind for kind, _ in failed] == ["model error"] * 2
    for _, error in failed:
        assert str(error).startswith("ValueError: no data (model.py:")
        assert "Traceback (most recent call last)" in str(error)


MOMENTS = {
    "while documents are stored": {"operation": "PutObject", "after": True},
    "when the submission was lost": {"operation": "SubmitJob", "drop": True},
    "when the id was not heard": {"operation": "SubmitJob", "after": True},
    "at the first question": {"operation": "DescribeJobs", "after": True},
    "while results are fetched": {"operation": "GetObject", "after": True},
}


@pytest.mark.parametrize(
    ("moment", "kind"),
    [*((moment, "array") for moment in MOMENTS), ("when the id was not heard", "single")],
)
def test_a_run_that_is_killed_goes_on_and_each_job_ran_once(
    study: StudyFolder, ingest: Ingest, double: AwsDouble, moment: str, kind: str
) -> None:
    double.definitions[DEFINITION][0].command = answer_at_once(double)
    options = (*AWS, "--set", f"executors.aws-batch.array={kind == 'array'}")
    fault = double.break_next(hold=True, **MOMENTS[moment])
    command = [sys.executable, "-m", "ingest", "run", "--quiet", *options]
    victim = subprocess.Popen(command, cwd=study.root, env={**os.environ, **double.environ})
    assert fault.reached.wait(60), "the victim never came so far"
    kill(victim)
    fault.release.set()
    result = ingest("run", "--quiet", *options)
    assert (result.exit_code, len(digests(study.database))) == (0, 8)
    assert len(double.work()) == 8
    assert rows(study.database, "SELECT status FROM validation_runs") == [("completed",)]


def test_credentials_that_expire_end_the_run_with_one_line_and_it_goes_on(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    double.definitions[DEFINITION][0].command = answer_at_once(double)
    double.break_next("DescribeJobs", status=403, code="ExpiredTokenException")
    result = ingest("run", "--quiet", *AWS)
    assert result.exit_code == 4
    assert result.stderr == (
        "Error: the AWS credentials have expired: log in again (aws sso login). Go on with: "
        "ingest run --executor aws-batch\n"
    )
    assert ingest("run", "--quiet", *AWS).exit_code == 0
    assert len(double.work()) == len(digests(study.database)) == 8


def test_check_asks_aws(study: StudyFolder, ingest: Ingest, double: AwsDouble) -> None:
    assert ingest("check", *AWS).exit_code == 0
    double.queues.clear()
    result = ingest("check", *AWS)
    assert result.exit_code == 4
    assert "no job queue 'models' in eu-west-1" in result.output


def test_results_of_another_system_are_read_from_s3(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    location = f"s3://{BUCKET}/ingest/jobs/{{ulid}}/results.csv"
    study.write_settings(
        f'{SECTION}[analytics]\nsource = "s3"\n[analytics.s3]\nlocation = "{location}"\n'
    )
    assert ingest("run", "--quiet", *AWS).exit_code == 0
    assert len(digests(study.database)) == 8


def test_more_than_a_hundred_jobs_are_one_call_and_few_questions(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    write_results = answer_at_once(double)

    def answer_once_asked(environment: Environment) -> int:
        while not double.describe_sizes:
            time.sleep(0.01)
        return write_results(environment)

    double.definitions[DEFINITION][0].command = answer_once_asked
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    study.write_countries(*[f"X{a}{b}" for a in letters for b in letters][:101])
    result = ingest("run", *AWS, "--json", "--scenarios", "null")
    assert result.exit_code == 0, result.output
    assert double.count("SubmitJob") == 1
    assert double.count("ListJobs") == 0
    assert max(double.describe_sizes) == 100
    assert len(double.work()) == len(digests(study.database)) == 101


def test_backfill_knows_the_bucket_of_the_executor(
    study: StudyFolder, ingest: Ingest, double: AwsDouble
) -> None:
    assert ingest("run", "--quiet", *AWS).exit_code == 0
    before = digests(study.database)
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute("UPDATE job_results SET result_set_id = NULL")
    calls = double.count("SubmitJob")
    assert "--executor aws-batch where it ran the jobs" in ingest("backfill").stderr
    result = ingest("backfill", *AWS)
    assert result.exit_code == 0
    assert result.stdout.startswith("8 of 8 jobs filled in ")
    assert digests(study.database) == before
    assert double.count("SubmitJob") == calls
