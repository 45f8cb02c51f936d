"""The aws-batch executor against the double: whole flow, failures, limits, cancelling."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import AnalyticsError, BackendError, ConfigError, ResultsNotReadyError
from ingest.executors.aws_batch.executor import AwsBatchExecutor
from ingest.executors.aws_batch.settings import AwsBatchSettings
from ingest.executors.base import JobState
from ingest.study.settings import RunSettings, StudySettings
from tests.executors.aws_batch.aws_double import AwsDouble, running_double
from tests.executors.aws_batch.aws_drive import answer_at_once, object_of, use_double, write_study
from tests.executors.aws_batch.aws_executor import BUCKET, DEFINITION, SETTINGS, started
from tests.executors.drive import (
    are_final,
    assert_ends,
    local_executor,
    make_context,
    make_job,
    poll_until,
    run_jobs,
    wait_for_text,
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "tiny")


@pytest.fixture
def double(study: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with running_double(study) as double:
        use_double(double, monkeypatch)
        yield double


def test_an_array_gives_the_digests_of_the_local_executor(study: Path, double: AwsDouble) -> None:
    documents = {f"J{n}": {"factor": n / 7 + 0.1, "years": 3} for n in range(6)}
    with local_executor(study, entry_point="model:simulate") as local:
        expected = run_jobs(local, documents)
    with started(study) as executor:
        ended = run_jobs(executor, documents)
    assert double.count("SubmitJob") == 1
    assert len(double.work()) == 6
    digests = {ulid: ended.result_set(ulid).digest for ulid in documents}
    assert digests == {ulid: expected.result_set(ulid).digest for ulid in documents}
    parent = double.arrays()[0].job_id
    assert {s.external_id for s in ended.submissions} == {f"{parent}:{n}" for n in range(6)}


def test_single_jobs_give_the_same_numbers_with_a_call_each(study: Path, double: AwsDouble) -> None:
    documents = {f"J{n}": {"factor": n / 7 + 0.1} for n in range(3)}
    with local_executor(study, entry_point="model:simulate") as local:
        expected = run_jobs(local, documents)
    with started(study, array=False) as executor:
        ended = run_jobs(executor, documents)
    assert double.count("SubmitJob") == 3
    assert double.arrays() == []
    assert {job.name for job in double.work()} == {f"ingest-tiny-{ulid}" for ulid in documents}
    for ulid in documents:
        assert ended.result_set(ulid).digest == expected.result_set(ulid).digest


def test_a_command_runs_in_the_container_as_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_study(tmp_path / "tiny", 'command = ["cp", "answer.csv", "{result}"]')
    (study / "answer.csv").write_text('element_label,timestamp_year,value\n"A, B",2030,0.1\n')
    with running_double(study) as double:
        use_double(double, monkeypatch)
        with started(study) as executor:
            ended = run_jobs(executor, {"A": {}})
    assert [tuple(metric) for metric in ended.metrics("A")] == [("A, B", 2030, 0.1)]


def test_documents_and_results_lie_under_the_prefix(study: Path, double: AwsDouble) -> None:
    with started(study, prefix="/runs/one/") as executor:
        run_jobs(executor, {"A": {"factor": 1.0, "years": 1}})
    assert json.loads(object_of(double, "runs/one/jobs/A/model.json")) == {
        "factor": 1.0,
        "years": 1,
    }
    lines = object_of(double, "runs/one/jobs/A/results.csv").decode().splitlines()
    assert lines[:2] == [
        "element_label,timestamp_year,value",
        "Healthy Years Lived,2025,3.5714285714285716",
    ]


def test_the_request_names_time_out_retries_tags_and_no_document(
    study: Path, double: AwsDouble
) -> None:
    double.go.clear()
    context = make_context(study, study_name="Asthma & more", run=RunSettings(job_timeout_s=90.5))
    with started(study, context, attempts=5, tags=("team=health=1",)) as executor:
        list(executor.submit([make_job("A", {"factor": "SECRET-DOCUMENT"})]))
    request = double.work()[0].request
    assert "SECRET-DOCUMENT" not in json.dumps(request)
    assert request["timeout"] == {"attemptDurationSeconds": 91}
    assert request["retryStrategy"] == {
        "attempts": 5,
        "evaluateOnExit": [
            {"onExitCode": "65", "action": "EXIT"},
            {"onExitCode": "75", "action": "RETRY"},
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }
    assert request["tags"] == {
        "ingest:study": "Asthma _ more",
        "ingest:environment": "standard",
        "team": "health=1",
    }
    assert request["propagateTags"] is True


def test_a_large_set_is_split_into_arrays_of_even_size(study: Path, double: AwsDouble) -> None:
    double.go.clear()
    jobs = [make_job(f"J{n}", b"{}") for n in range(5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.executors.aws_batch.submit.MAX_ARRAY_SIZE", 4)
        with started(study) as executor:
            names = executor.intended_names(jobs)
            submissions = list(executor.submit(jobs))
    assert [len(array.children) for array in double.arrays()] == [3, 2]
    arrays = [array.name for array in double.arrays()]
    assert names == {
        "J0": f"{arrays[0]}:0",
        "J1": f"{arrays[0]}:1",
        "J2": f"{arrays[0]}:2",
        "J3": f"{arrays[1]}:0",
        "J4": f"{arrays[1]}:1",
    }
    assert all(submission.job_name is None for submission in submissions)


def test_jobs_submitted_without_intended_names_are_told_theirs(
    study: Path, double: AwsDouble
) -> None:
    double.go.clear()
    with started(study) as executor:
        submissions = list(executor.submit([make_job("A", b"{}"), make_job("B", b"{}")]))
    (array,) = double.arrays()
    assert {s.ulid: s.job_name for s in submissions} == {
        "A": f"{array.name}:0",
        "B": f"{array.name}:1",
    }


def test_status_of_many_jobs_takes_one_call_per_hundred(study: Path, double: AwsDouble) -> None:
    double.definitions[DEFINITION][0].command = answer_at_once(double)
    jobs = [make_job(f"J{n:04d}", b"{}") for n in range(101)]
    ulids = [job.ulid for job in jobs]
    with started(study) as executor:
        executor.intended_names(jobs)
        list(executor.submit(jobs))
        assert double.count("SubmitJob") == 1
        for asked in (ulids, ulids[:100], []):
            before = double.count("DescribeJobs")
            assert len(list(executor.poll(asked, 0.0))) == len(asked)
            assert double.count("DescribeJobs") - before == math.ceil(len(asked) / 100)
        poll_until(executor, ulids, lambda updates: are_final(updates, ulids))
        assert executor.fetch("J0100") == b"element_label,timestamp_year,value\nA,2030,1.5\n"
    assert 0 not in double.describe_sizes
    assert max(double.describe_sizes) == 100


# --- states and faults ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUBMITTED", JobState.SUBMITTED),
        ("PENDING", JobState.SUBMITTED),
        ("RUNNABLE", JobState.SUBMITTED),
        ("STARTING", JobState.SUBMITTED),
        ("RUNNING", JobState.RUNNING),
        ("SUCCEEDED", JobState.SUCCEEDED),
        ("FAILED", JobState.FAILED),
        ("HIBERNATING", JobState.UNKNOWN),
    ],
)
def test_every_word_of_batch_has_a_state(
    study: Path, double: AwsDouble, word: str, state: JobState
) -> None:
    double.go.clear()
    with started(study) as executor:
        list(executor.submit([make_job("A", b"{}")]))
        double.work()[0].own_status = word
        (update,) = executor.poll(["A"], 0.0)
        double.work()[0].own_status = "RUNNABLE"
    assert update.state is state
    if state is JobState.UNKNOWN:
        assert update.fault is not None
        assert update.fault.message == (
            "AWS Batch gives the state 'HIBERNATING', which this version does not know"
        )


def test_a_model_error_comes_with_place_and_traceback(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        ended = run_jobs(executor, {"A": {"factor": 1.0}, "B": {"fails": True}})
    fault = ended.faults["B"]
    first, *tail = fault.message.splitlines()
    assert (fault.kind, first) == ("model error", "ValueError: no such country (model.py:10)")
    assert tail[-1] == "ValueError: no such country"
    assert not fault.can_pass
    assert [len(job.attempts) for job in double.work()] == [1, 1]
    assert len(ended.metrics("A")) == 4


def test_a_crashed_worker_can_pass_and_names_exit_code_and_log(
    study: Path, double: AwsDouble
) -> None:
    with started(study) as executor:
        ended = run_jobs(executor, {"A": {"dies": 139}})
    fault = ended.faults["A"]
    assert fault.kind == "worker crashed"
    assert fault.message == ("Essential container in task exited; exit code 139; log stream log/1")
    assert fault.can_pass


def test_any_other_exit_code_fails_for_good(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        ended = run_jobs(executor, {"A": {"dies": 3}})
    assert ended.faults["A"].kind == "container failed"
    assert not ended.faults["A"].can_pass


def test_a_lost_machine_is_tried_again_by_batch(study: Path, double: AwsDouble) -> None:
    double.host_losses = 1
    with started(study, attempts=2) as executor:
        ended = run_jobs(executor, {"A": {"factor": 1.0}})
    assert [len(job.attempts) for job in double.work()] == [2]
    assert len(ended.metrics("A")) == 4


def test_a_machine_lost_at_every_attempt_is_a_fault_that_can_pass(
    study: Path, double: AwsDouble
) -> None:
    double.host_losses = 2
    with started(study, attempts=2) as executor:
        ended = run_jobs(executor, {"A": {"factor": 1.0}})
    fault = ended.faults["A"]
    assert (fault.kind, fault.message, fault.can_pass) == (
        "host lost",
        "Host EC2 (instance i-0abc) terminated",
        True,
    )


def test_a_job_that_batch_times_out_says_so(study: Path, double: AwsDouble, tmp_path: Path) -> None:
    double.timeout_s = 3.0
    document = {"marker": str(tmp_path / "marker"), "sleep_s": 60}
    with started(study) as executor:
        ended = run_jobs(executor, {"A": document})
    fault = ended.faults["A"]
    assert (fault.kind, fault.can_pass) == ("timed out", False)
    assert fault.message == (
        "Job attempt duration exceeded timeout; exit code 75; log stream log/1 (run.job_timeout_s)"
    )
    assert b"stopped by SIGTERM" in double.work()[0].log


def test_an_error_document_of_an_earlier_attempt_is_not_believed(
    study: Path, double: AwsDouble
) -> None:
    double.go.clear()
    with started(study) as executor:
        list(executor.submit([make_job("A", b"{}")]))
        job = double.work()[0]
        left = {"kind": "k", "message": "m", "can_pass": False, "job_id": job.job_id, "attempt": 1}
        key = "ingest/jobs/A/error.json"
        double.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(left).encode())
        job.own_status, job.status_reason = "FAILED", "Host EC2 (instance i-1) terminated."
        job.attempts = [{"container": {"exitCode": 75}}, {"container": {}}]
        (update,) = executor.poll(["A"], 0.0)
        assert update.fault is not None
        assert update.fault.kind == "host lost"
        job.attempts = [{"container": {"exitCode": 65}}]
        (update,) = executor.poll(["A"], 0.0)
        assert update.fault is not None
        assert update.fault.kind == "k"


@pytest.mark.parametrize(
    ("container", "kind", "message", "can_pass"),
    [
        (
            {"reason": "OutOfMemoryError: Container killed due to memory usage", "exitCode": 137},
            "out of memory",
            "Task failed; OutOfMemoryError: Container killed due to memory usage; exit code 137; "
            "give the job definition more memory",
            False,
        ),
        (
            {"reason": "CannotPullContainerError: pull access denied"},
            "container not started",
            "Task failed; CannotPullContainerError: pull access denied",
            True,
        ),
        ({"exitCode": 75}, "worker stopped", "Task failed; exit code 75", True),
        ({}, "stopped", "Task failed", False),
    ],
)
def test_reasons_of_batch_become_faults(
    study: Path,
    double: AwsDouble,
    container: dict[str, object],
    kind: str,
    message: str,
    can_pass: bool,
) -> None:
    double.go.clear()
    with started(study) as executor:
        list(executor.submit([make_job("A", b"{}")]))
        job = double.work()[0]
        job.own_status, job.status_reason, job.container = "FAILED", "Task failed.", container
        (update,) = executor.poll(["A"], 0.0)
    fault = update.fault
    assert fault is not None
    assert (fault.kind, fault.message, fault.can_pass) == (kind, message, can_pass)


def test_a_job_that_batch_forgot_is_judged_by_what_s3_holds(study: Path, double: AwsDouble) -> None:
    with started(study, array=False) as executor:
        run_jobs(executor, {"GOOD": {"factor": 1.0}, "BAD": {"fails": True}})
        list(executor.submit([make_job("NONE", {"dies": 3})]))
        poll_until(executor, ["NONE"], lambda updates: are_final(updates, ["NONE"]))
        missing = next(job for job in double.work() if job.name.endswith("NONE")).job_id
        double.jobs.clear()
        heads = double.count("HeadObject")
        updates = {u.ulid: u for u in executor.poll(["GOOD", "BAD", "NONE"], 0.0)}
        assert double.count("HeadObject") - heads == 3
        again = list(executor.poll(["NONE"], 0.0))
        assert double.count("HeadObject") - heads == 3
    assert updates["GOOD"].state is JobState.SUCCEEDED
    assert updates["BAD"].state is JobState.FAILED
    assert updates["BAD"].fault is not None
    assert updates["BAD"].fault.kind == "model error"
    assert [updates["NONE"]] == again
    assert again[0].state is JobState.UNKNOWN
    assert again[0].fault is not None
    assert again[0].fault.message == (
        f"AWS Batch knows no job {missing} (any more), and S3 holds nothing of it"
    )


def test_a_poll_that_fails_says_unreachable_and_why(study: Path, double: AwsDouble) -> None:
    double.go.clear()
    with started(study) as executor:
        list(executor.submit([make_job("A", b"{}")]))
        code = "TooManyRequestsException"
        double.break_next("DescribeJobs", status=429, code=code, times=4)
        (update,) = executor.poll(["A"], 0.0)
        assert update.state is JobState.UNREACHABLE
        assert update.fault is not None
        assert update.fault.message == (
            "AWS answers DescribeJobs with too many requests (TooManyRequestsException)"
        )
        (update,) = executor.poll(["A"], 0.0)
        assert update.state is JobState.SUBMITTED


def test_a_poll_without_credentials_ends_the_run(study: Path, double: AwsDouble) -> None:
    double.go.clear()
    with started(study) as executor:
        list(executor.submit([make_job("A", b"{}")]))
        double.break_next("DescribeJobs", status=403, code="ExpiredTokenException")
        with pytest.raises(BackendError, match=r"^the AWS credentials have expired: log in again"):
            executor.poll(["A"], 0.0)


def test_a_failed_job_whose_reason_cannot_be_read_is_asked_for_again(
    study: Path, double: AwsDouble
) -> None:
    with started(study) as executor:
        list(executor.submit([make_job("A", {"fails": True})]))
        double.wait_for_work()
        double.break_next("GetObject", status=503, code="ServiceUnavailable", times=4)
        (update,) = executor.poll(["A"], 0.0)
        assert update.state is JobState.UNREACHABLE
        assert update.fault is not None
        assert update.fault.message == (
            "AWS answers GetObject with an error of its own (ServiceUnavailable)"
        )
        double.break_next("GetObject", status=403, code="AccessDenied")
        with pytest.raises(BackendError, match=r"^AWS denies s3:GetObject on s3://study-bucket/"):
            executor.poll(["A"], 0.0)
        (update,) = executor.poll(["A"], 0.0)
    assert update.fault is not None
    assert update.fault.kind == "model error"


def test_an_error_document_that_is_broken_leaves_the_word_of_batch(
    study: Path, double: AwsDouble
) -> None:
    with started(study) as executor:
        list(executor.submit([make_job("A", {"fails": True})]))
        double.wait_for_work()
        for broken in (b'{"kind": "mod', b'{"kind": 1, "cause": 2}', b"\xff"):
            double.s3.put_object(Bucket=BUCKET, Key="ingest/jobs/A/error.json", Body=broken)
            (update,) = executor.poll(["A"], 0.0)
            assert update.fault is not None
            assert update.fault.kind == "container failed"


def test_a_stranger_is_unknown(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        (update,) = executor.poll(["01STRANGER"], 0.0)
    assert update.state is JobState.UNKNOWN
    assert update.fault is not None
    assert update.fault.message == "job 01STRANGER was not handed in by this run"


# --- fetching and cancelling ---------------------------------------------------------------------


def test_missing_results_are_not_ready(study: Path, double: AwsDouble) -> None:
    with started(study) as executor, pytest.raises(ResultsNotReadyError) as caught:
        executor.fetch("01NONE")
    assert str(caught.value) == "job 01NONE has left no results in s3://study-bucket/ingest"
    assert isinstance(caught.value, AnalyticsError)


def test_results_that_cannot_be_asked_for_are_asked_for_again(
    study: Path, double: AwsDouble
) -> None:
    with started(study) as executor:
        double.break_next("GetObject", status=503, code="SlowDown", times=4)
        with pytest.raises(ResultsNotReadyError) as caught:
            executor.fetch("A")
        assert str(caught.value) == (
            "the results of job A: AWS answers GetObject with too many requests (SlowDown)"
        )
        double.break_next("GetObject", status=403, code="AccessDenied")
        with pytest.raises(BackendError, match="AWS denies s3:GetObject"):
            executor.fetch("A")


def test_an_array_that_is_cancelled_whole_takes_one_call(
    study: Path, double: AwsDouble, tmp_path: Path
) -> None:
    markers = {f"J{n}": tmp_path / f"marker{n}" for n in range(4)}
    with started(study) as executor:
        documents = {u: {"marker": str(m), "sleep_s": 60} for u, m in markers.items()}
        list(executor.submit([make_job(ulid, d) for ulid, d in documents.items()]))
        pids = [int(wait_for_text(markers[ulid])) for ulid in ("J0", "J1")]
        assert dict(executor.cancel(list(markers))) == {}
        assert double.count("TerminateJob") == 1
        for pid in pids:
            assert_ends(pid)
        updates = poll_until(executor, list(markers), lambda u: are_final(u, list(markers)))
    faults = {update.ulid: update.fault for update in updates if update.state.is_final}
    assert {fault.kind for fault in faults.values() if fault} == {"stopped"}


def test_one_child_is_cancelled_alone(study: Path, double: AwsDouble, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with started(study) as executor:
        slow = make_job("SLOW", {"marker": str(marker), "sleep_s": 60})
        list(executor.submit([slow, make_job("A", {"factor": 1.0})]))
        wait_for_text(marker)
        executor.cancel(["SLOW", "01UNKNOWN"])
        poll_until(executor, ["A", "SLOW"], lambda u: are_final(u, ["A", "SLOW"]))
        assert executor.fetch("A")
        assert executor.cancel(["SLOW"]) == {}
    assert double.count("TerminateJob") == 1
    assert {job.own_status for job in double.work()} == {"SUCCEEDED", "FAILED"}


def test_a_job_that_cannot_be_ended_is_told(
    study: Path, double: AwsDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.go.clear()
    with started(study) as executor:
        list(executor.submit([make_job("A", b"{}")]))
        double.break_next("TerminateJob", status=403, code="AccessDeniedException")
        executor.cancel(["A"])
    job_id = double.work()[0].job_id
    assert caplog.messages == [
        f"job {job_id} goes on: AWS denies batch:TerminateJob on job {job_id}: allow it in the "
        "IAM policy (examples/aws/submitter-policy.json). End it by hand: "
        f"aws batch terminate-job --job-id {job_id} --reason 'stopped by ingest'"
    ]


# --- code and image ------------------------------------------------------------------------------


def test_an_image_with_other_code_is_refused(
    study: Path, double: AwsDouble, tmp_path: Path
) -> None:
    image = write_study(tmp_path / "image")
    (image / "model.py").write_text((study / "model.py").read_text() + "\n# older\n")
    double.definitions[DEFINITION][0].folder = image
    with started(study) as executor:
        ended = run_jobs(executor, {"A": {"factor": 1.0}})
    fault = ended.faults["A"]
    assert (fault.kind, fault.message, fault.can_pass) == (
        "other code",
        "the image holds other code than this study: build and push it again",
        False,
    )


def test_an_image_that_calls_the_model_otherwise_is_refused(
    study: Path, double: AwsDouble, tmp_path: Path
) -> None:
    image = write_study(tmp_path / "image", 'entry_point = "model:other"')
    double.definitions[DEFINITION][0].folder = image
    with started(study) as executor:
        ended = run_jobs(executor, {"A": {"factor": 1.0}})
    assert ended.faults["A"].kind == "other code"


def test_an_image_of_another_version_is_refused(study: Path, double: AwsDouble) -> None:
    context = make_context(study, study=StudySettings(code_version="v2"))
    with started(study, context) as executor:
        ended = run_jobs(executor, {"A": {"factor": 1.0}})
    assert ended.faults["A"].kind == "other code"


# --- uploads -------------------------------------------------------------------------------------


def test_a_document_that_is_not_stored_fails_its_job_alone(study: Path, double: AwsDouble) -> None:
    with started(study, upload_concurrency=1) as executor:
        double.break_next("PutObject", status=503, code="ServiceUnavailable", times=4)
        documents = {"A": {"factor": 1.0}, "B": {"factor": 2.0}}
        ended = run_jobs(executor, documents)
    assert set(ended.results) == {"B"}
    fault = ended.faults["A"]
    assert fault.kind == "upload failed"
    assert fault.can_pass
    assert fault.message == (
        "the document was not stored: AWS answers PutObject with an error of its own "
        "(ServiceUnavailable)"
    )
    assert sorted(job.container["exitCode"] for job in double.wait_for_work()) == [0, 65]


def test_nothing_is_submitted_when_no_document_was_stored(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        double.break_next("PutObject", status=503, code="ServiceUnavailable", times=8)
        submissions = list(executor.submit([make_job("A", b"{}"), make_job("B", b"{}")]))
    assert [s.fault is not None for s in submissions] == [True, True]
    assert double.count("SubmitJob") == 0


def test_uploads_without_permission_end_the_run(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        double.break_next("PutObject", status=403, code="AccessDenied", times=100)
        with pytest.raises(BackendError) as caught:
            list(executor.submit([make_job("A", b"{}"), make_job("B", b"{}")]))
    assert str(caught.value).startswith("AWS denies s3:PutObject on s3://study-bucket/ingest/jobs/")
    assert str(caught.value).endswith(
        "model.json: allow it in the IAM policy (examples/aws/submitter-policy.json)"
    )


# --- settings ------------------------------------------------------------------------------------


def test_an_empty_section_says_what_to_write(study: Path) -> None:
    findings = AwsBatchExecutor.check(AwsBatchSettings(), make_context(study))
    assert [str(finding) for finding in findings] == [
        "executors.aws-batch: queue is not set, the job queue: "
        "--set executors.aws-batch.queue=my-queue",
        "executors.aws-batch: job_definition is not set, the job definition: "
        "--set executors.aws-batch.job_definition=my-model",
        "executors.aws-batch: bucket is not set, the S3 bucket for documents and results: "
        "--set executors.aws-batch.bucket=my-bucket",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"bucket": "s3://x/y"},
            "bucket 's3://x/y' is no bucket's name: write it without s3:// and path",
        ),
        ({"prefix": "a b"}, "prefix 'a b': use letters, digits and / . _ - alone"),
        ({"attempts": 11}, "attempts must be at most 10, not 11"),
        ({"tags": ("loose",)}, "tag 'loose': write \"name=value\""),
    ],
)
def test_a_wrong_setting_is_told_and_nothing_starts(
    study: Path, changes: dict[str, object], message: str
) -> None:
    settings = replace(SETTINGS, **changes)
    (finding,) = AwsBatchExecutor.check(settings, make_context(study))
    assert finding.message == message
    with pytest.raises(ConfigError) as caught:
        AwsBatchExecutor(settings, make_context(study)).start()
    assert str(caught.value) == f"executors.aws-batch: {message}"


def test_a_short_time_out_is_a_warning(study: Path) -> None:
    context = make_context(study, run=RunSettings(job_timeout_s=20))
    (finding,) = AwsBatchExecutor.check(SETTINGS, context)
    assert not finding.is_error
    assert finding.message == (
        "Batch itself stops a job after 60 s at the earliest; run.job_timeout_s is 20"
    )


def test_a_study_that_does_not_say_how_its_model_is_called(study: Path) -> None:
    (study / "ingest.toml").write_text("[study]\n")
    (finding,) = AwsBatchExecutor.check(SETTINGS, make_context(study))
    assert finding.message == (
        "the container calls the model as [executors.local] says: write entry_point or command "
        "there, in ingest.toml"
    )


def test_a_wrong_key_of_the_local_executor_is_told(study: Path) -> None:
    (study / "ingest.toml").write_text('[executors.local]\nentrypoint = "model:simulate"\n')
    (finding,) = AwsBatchExecutor.check(SETTINGS, make_context(study))
    assert "unknown key executors.local.entrypoint" in finding.message
