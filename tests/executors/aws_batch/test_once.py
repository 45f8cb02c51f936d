"""Exactly once: lost answers, lagging lists, processes that are killed, jobs taken up again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ulid import ULID

from ingest.errors import BackendError
from ingest.executors.aws_batch.executor import AwsBatchExecutor
from ingest.executors.base import EarlierJob, Executor, Job, JobState, Submission
from ingest.services.aws_errors import AwsPlace
from ingest.study.combination import Combination
from tests.conftest import PROJECT
from tests.executors.aws_batch.aws_double import AwsDouble, Fault, kill, running_double
from tests.executors.aws_batch.aws_drive import answer_at_once, use_double, write_study
from tests.executors.aws_batch.aws_executor import QUEUE, SETTINGS, started
from tests.executors.aws_batch.aws_victim import read_state
from tests.executors.drive import are_final, make_context, make_job, poll_until

ARRAYS = pytest.mark.parametrize("array", [True, False], ids=["array", "single"])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "tiny")


@pytest.fixture
def double(study: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with running_double(study) as double:
        double.definitions["tiny-model"][0].command = answer_at_once(double)
        use_double(double, monkeypatch)
        yield double


def hand_in(executor: Executor, array: bool) -> list[Submission]:
    ulids = ("A", "B") if array else ("A",)
    return list(executor.submit([make_job(ulid, {"factor": 1.0}) for ulid in ulids]))


def submitted_names(double: AwsDouble) -> list[str]:
    return [job.name for job in double.jobs.values() if job.index is None]


# --- answers that do not come --------------------------------------------------------------------


@ARRAYS
@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"status": 500},
        {"status": 503, "code": "ServiceUnavailable"},
        {"status": 504, "code": "GatewayTimeout"},
    ],
    ids=["dropped", "500", "503", "504"],
)
def test_a_lost_answer_leads_to_one_job(
    study: Path, double: AwsDouble, array: bool, fault: dict[str, object]
) -> None:
    with started(study) as executor:
        double.break_next("SubmitJob", after=True, **fault)
        submissions = hand_in(executor, array)
        assert double.count("SubmitJob") == 1
        assert len(submitted_names(double)) == 1
        assert {s.external_id for s in submissions} == {job.job_id for job in double.work()}
        ulids = [s.ulid for s in submissions]
        updates = poll_until(executor, ulids, lambda u: are_final(u, ulids))
    assert {u.state for u in updates if u.state.is_final} == {JobState.SUCCEEDED}


def test_an_answer_that_is_late_leads_to_one_job(study: Path, double: AwsDouble) -> None:
    place = AwsPlace(read_timeout_s=0.3)
    executor = AwsBatchExecutor(SETTINGS, make_context(study), lambda _: None, place)
    with closing(executor):
        executor.start()
        fault = double.break_next("SubmitJob", after=True, hold=True)
        (submission,) = hand_in(executor, array=False)
        fault.release.set()
    assert double.count("SubmitJob") == 1
    assert submission.external_id == double.work()[0].job_id


@ARRAYS
def test_a_request_that_was_lost_is_sent_again(study: Path, double: AwsDouble, array: bool) -> None:
    with started(study) as executor:
        double.break_next("SubmitJob", drop=True)
        hand_in(executor, array)
    assert double.count("SubmitJob") == 2
    assert double.count("ListJobs") == 5 + 1
    assert len(submitted_names(double)) == 1


def test_a_list_that_lags_is_looked_at_again(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        double.break_next("SubmitJob", after=True, drop=True)
        double.hidden_looks = 4
        hand_in(executor, array=False)
    assert double.count("SubmitJob") == 1
    assert len(submitted_names(double)) == 1


def test_of_two_jobs_with_one_name_the_later_is_ended(
    study: Path, double: AwsDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.go.clear()
    with started(study) as executor:
        double.break_next("SubmitJob", after=True, drop=True)
        double.hidden_looks = 5
        (submission,) = hand_in(executor, array=False)
    first, second = double.work()
    assert submission.external_id == first.job_id
    assert (first.own_status, second.own_status) == ("RUNNABLE", "FAILED")
    assert second.status_reason == "stopped by ingest: submitted twice"
    assert caplog.messages == [
        f"ingest-tiny-A was submitted twice; the later job {second.job_id} is ended"
    ]


def test_a_name_that_differs_in_capitals_is_another_job(study: Path, double: AwsDouble) -> None:
    double.go.clear()
    with started(study) as executor:
        hand_in(executor, array=False)
        other = double.work()[0]
        other.name = other.name.upper()
        double.break_next("SubmitJob", drop=True)
        (submission,) = hand_in(executor, array=False)
    assert submission.external_id not in (None, other.job_id)
    assert other.own_status == "RUNNABLE"


def test_too_many_requests_are_tried_again_without_a_look(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        code = "TooManyRequestsException"
        double.break_next("SubmitJob", status=429, code=code, times=3)
        hand_in(executor, array=True)
    assert (double.count("SubmitJob"), double.count("ListJobs")) == (4, 0)


def test_throttling_without_end_is_one_line(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        code = "TooManyRequestsException"
        double.break_next("SubmitJob", status=429, code=code, times=99)
        with pytest.raises(BackendError) as caught:
            hand_in(executor, array=True)
    assert str(caught.value) == (
        "AWS answers SubmitJob with too many requests (TooManyRequestsException)"
    )
    assert double.count("SubmitJob") == 7


def test_errors_of_batch_without_end_are_one_line(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        double.break_next("SubmitJob", status=500, code="InternalError", times=99)
        with pytest.raises(BackendError) as caught:
            hand_in(executor, array=True)
    assert str(caught.value) == ("AWS answers SubmitJob with an error of its own (InternalError)")


# --- jobs of an earlier process ------------------------------------------------------------------


def earlier(ulid: str, name: str, external_id: str | None = None) -> EarlierJob:
    return EarlierJob(Combination("KEN", ulid), ulid, name, external_id)


def test_jobs_with_an_id_are_followed_without_a_call(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        calls = len(double.calls)
        adopted = list(executor.adopt([earlier("A", "ingest-tiny-A", "the-id")]))
        assert len(double.calls) == calls
    assert adopted == [Submission("A", "the-id")]


def test_many_names_are_looked_up_in_few_calls(study: Path, double: AwsDouble) -> None:
    ulids = [str(ULID()) for _ in range(150)]
    jobs = [make_job(ulid, b"{}") for ulid in ulids]
    with started(study, array=False) as executor:
        known = {s.ulid: s.external_id for s in executor.submit(jobs[:120])}
        names = [earlier(job.ulid, job.job_name) for job in jobs]
        before = double.count("ListJobs")
        adopted = {s.ulid: s.external_id for s in executor.adopt(names)}
    assert adopted == known
    seconds = len({ulid[:8] for ulid in ulids})
    pages, looks = 2, 5
    assert double.count("ListJobs") - before <= seconds * pages * looks


def test_a_child_that_had_nothing_to_do_was_never_submitted(study: Path, double: AwsDouble) -> None:
    jobs = [make_job(ulid, b"{}") for ulid in ("A", "B")]
    with started(study, upload_concurrency=1) as executor:
        names = executor.intended_names(jobs)
        double.break_next("PutObject", status=503, code="ServiceUnavailable", times=4)
        submissions = list(executor.submit(jobs))
        assert [s.ulid for s in submissions if s.fault] == ["A"]
        adopted = list(executor.adopt([earlier(ulid, name) for ulid, name in names.items()]))
    assert [s.ulid for s in adopted] == ["B"]


def test_results_of_a_job_that_batch_forgot_are_taken_up(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        hand_in(executor, array=False)
        double.wait_for_work()
        double.jobs.clear()
    with started(study) as executor:
        jobs = [earlier("A", "ingest-tiny-A"), earlier("B", "ingest-tiny-B")]
        assert list(executor.adopt(jobs)) == [Submission("A", "results-in-s3")]
        (update,) = executor.poll(["A"], 0.0)
        assert update.state is JobState.SUCCEEDED
        assert executor.fetch("A")
        assert executor.cancel(["A"]) == {}
    assert double.count("TerminateJob") == 0


# --- killed --------------------------------------------------------------------------------------


MOMENTS = {
    "before the documents": Fault("PutObject", hold=True, drop=True),
    "document stored": Fault("PutObject", hold=True, after=True),
    "submission lost": Fault("SubmitJob", hold=True, drop=True),
    "submitted, id not heard": Fault("SubmitJob", hold=True, after=True),
    "id heard": None,
}


@ARRAYS
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_that_is_killed_leaves_jobs_that_run_once(
    study: Path, double: AwsDouble, tmp_path: Path, array: bool, moment: str
) -> None:
    pattern, state_file = MOMENTS[moment], tmp_path / "state.json"
    fault = None
    if pattern is not None:
        how = {"hold": True, "drop": pattern.drop, "after": pattern.after}
        fault = double.break_next(pattern.operation, **how)
    ulids = [str(ULID()) for _ in range(4)]
    victim = start_victim(double, study, state_file, array, ulids)
    if fault is None:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"done\n"
    else:
        assert fault.reached.wait(60), "the victim never came so far"
    kill(victim)
    if fault is not None:
        fault.release.set()
    assert victim.stdout is not None
    victim.stdout.close()

    with started(study, array=array) as executor:
        adopted = list(executor.adopt(read_state(state_file)))
        left = [make_job(u, {}) for u in ulids if u not in {s.ulid for s in adopted}]
        again = [Job(j.combination, str(ULID()), f"{j.job_name}-2", b"{}") for j in left]
        executor.intended_names(again)
        submissions = [*adopted, *executor.submit(again)]
        followed = [s.ulid for s in submissions]
        updates = poll_until(executor, followed, lambda u: are_final(u, followed))
        assert all(executor.fetch(ulid) for ulid in followed)
    assert {u.state for u in updates if u.state.is_final} == {JobState.SUCCEEDED}
    assert len(followed) == len(double.work()) == 4
    assert len({s.external_id for s in submissions}) == 4
    if moment == "id heard":
        assert (len(adopted), double.count("ListJobs")) == (4, 0)


def start_victim(
    double: AwsDouble, study: Path, state_file: Path, array: bool, ulids: list[str]
) -> subprocess.Popen[bytes]:
    module = [sys.executable, "-m", "tests.executors.aws_batch.aws_victim"]
    kind = "array" if array else "single"
    return subprocess.Popen(
        [*module, str(study), str(state_file), kind, *ulids],
        cwd=PROJECT,
        env={**os.environ, **double.environ},
        stdout=subprocess.PIPE,
    )


def test_the_queue_is_that_of_the_settings(double: AwsDouble) -> None:
    assert set(double.queues) == {QUEUE}


def test_a_look_up_that_fails_ends_the_run(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        double.break_next("ListJobs", status=403, code="AccessDeniedException")
        with pytest.raises(BackendError) as caught:
            list(executor.adopt([earlier("A", "ingest-tiny-A")]))
    assert str(caught.value) == (
        "AWS denies batch:ListJobs on queue models: allow it in the IAM policy "
        "(examples/aws/submitter-policy.json)"
    )
