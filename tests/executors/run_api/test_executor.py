"""The run API executor against a run API on loopback, with its real submitter process."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import AnalyticsError, BackendError, ConfigError
from ingest.executors.base import (
    EarlierJob,
    ExecutorContext,
    JobFault,
    JobState,
    JobUpdate,
    Submission,
)
from ingest.executors.job_name import parse_job_name
from ingest.executors.run_api.executor import RunApiExecutor
from ingest.executors.run_api.journal import (
    JournalEvent,
    JournalLine,
    SubmissionJournal,
    journal_path,
    journal_time,
)
from ingest.executors.run_api.settings import RunApiSettings
from ingest.study.combination import Combination
from ingest.study.settings import AnalyticsSettings, RunSettings
from tests.executors.drive import assert_ends, is_running, make_context, make_job
from tests.executors.run_api.run_api_server import Act, RunApiServer, run_api_server

BUSY_NOW = Act(429, headers={"Retry-After": "0"})
MINUTES = {"Retry-After": "900"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunApiServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with run_api_server() as api:
        yield api


@pytest.fixture
def context(tmp_path: Path) -> ExecutorContext:
    return make_context(tmp_path, analytics=AnalyticsSettings(source="analytics-api"))


Start = Callable[..., RunApiExecutor]


@pytest.fixture
def start(api: RunApiServer, context: ExecutorContext) -> Iterator[Start]:
    """Starts executors with settings; all are closed in the end, and their submitters with them."""
    started: list[RunApiExecutor] = []

    def start_executor(
        run: RunSettings | None = None, source: str = "analytics-api", **settings: Any
    ) -> RunApiExecutor:
        settings = {"url": api.url, **settings}
        analytics = replace(context.analytics, source=source)
        own = replace(context, run=run or context.run, analytics=analytics)
        executor = RunApiExecutor(RunApiSettings(**settings), own)
        started.append(executor)
        executor.start()
        return executor

    yield start_executor
    for executor in started:
        executor.close()
    with SubmissionJournal(journal_path(context.state_path)).lock(60):
        pass


def collect(
    executor: RunApiExecutor, count: int, ulids: Sequence[str] = ()
) -> list[JobUpdate | Submission]:
    """At least this many answers of poll(), asking for these jobs once."""
    answers: list[JobUpdate | Submission] = []
    waits = 0
    while len(answers) < count:
        answers += executor.poll(ulids, 1.0)
        ulids = ()
        waits += 1
        assert waits < 60, f"nothing more after {answers}"
    return answers


def submissions_of(executor: RunApiExecutor, *names: str) -> dict[str, Submission]:
    """The answers to one job of each name."""
    assert list(executor.submit([make_job(name, {"job": name}) for name in names])) == []
    answers = collect(executor, len(names))
    assert all(isinstance(answer, Submission) for answer in answers)
    return {answer.ulid: answer for answer in answers if isinstance(answer, Submission)}


def follow(executor: RunApiExecutor, *names: str) -> list[str]:
    """The ULIDs under which accepted jobs are followed."""
    found = submissions_of(executor, *names)
    return [found[name].new_ulid or name for name in names]


def update_of(executor: RunApiExecutor, ulid: str) -> JobUpdate:
    (update,) = collect(executor, 1, [ulid])
    assert isinstance(update, JobUpdate)
    return update


def fault_of(submission: Submission) -> JobFault:
    assert submission.fault is not None
    return submission.fault


def pid_of_submitter(context: ExecutorContext) -> int:
    pid = SubmissionJournal(journal_path(context.state_path)).holder()
    assert pid is not None
    assert pid != os.getpid()
    return pid


# --- settings ------------------------------------------------------------------------------------


def problems(context: ExecutorContext, **settings: Any) -> list[str]:
    return [str(finding) for finding in RunApiExecutor.check(RunApiSettings(**settings), context)]


def test_an_address_is_needed(context: ExecutorContext) -> None:
    missing = (
        "executors.run-api: url is missing, the address of the run API: "
        "--set executors.run-api.url=https://HOST"
    )
    assert problems(context) == [missing]
    assert problems(context, url="https://run.example.org") == []
    with pytest.raises(ConfigError) as caught:
        RunApiExecutor(RunApiSettings(), context).start()
    assert str(caught.value) == missing


def test_an_address_that_is_none_is_told(context: ExecutorContext) -> None:
    assert problems(context, url="run.example.org") == [
        "executors.run-api: url cannot be used: "
        "it must begin with http:// or https:// and name a host"
    ]


def test_an_environment_holds_no_hyphen(context: ExecutorContext) -> None:
    assert problems(replace(context, environment="appendix-3"), url="https://host") == [
        "study.environment: 'appendix-3': an environment of the run API holds no hyphen"
    ]


def test_results_must_come_from_elsewhere(context: ExecutorContext) -> None:
    context = replace(context, analytics=AnalyticsSettings())
    [problem] = problems(context, url="https://host")
    assert problem.startswith(
        "analytics: the run API brings no results, and it is not known where they are. "
        "Name one place: --set analytics.url=https://HOST, "
    )
    executor = RunApiExecutor(RunApiSettings(url="https://host"), context)
    with pytest.raises(AnalyticsError) as caught:
        executor.fetch("A")
    assert str(caught.value) == "the executor run-api brings no results: set analytics.source"


def test_preflight_asks_for_health(api: RunApiServer, context: ExecutorContext) -> None:
    settings = RunApiSettings(url=api.url)
    assert list(RunApiExecutor.preflight(settings, context)) == []
    api.health = Act(503)
    (finding,) = RunApiExecutor.preflight(settings, context)
    assert finding.is_error
    assert str(finding) == (
        f"executors.run-api: the run API at {api.url} is not healthy: GET /docs was answered 503, "
        "not 200. Check executors.run-api.url, and that the service runs"
    )
    assert list(RunApiExecutor.preflight(RunApiSettings(), context)) == []


def test_an_api_that_is_not_healthy_is_not_started(api: RunApiServer, start: Start) -> None:
    api.health = Act(500)
    with pytest.raises(BackendError, match="GET /docs was answered 500, not 200"):
        start()
    assert not api.posts


# --- submitting ----------------------------------------------------------------------------------


def test_an_accepted_job_has_the_names_that_the_api_gave(api: RunApiServer, start: Start) -> None:
    found = submissions_of(start(), "A", "B", "C")
    assert {body for _, body in api.posts} == {json.dumps({"job": name}).encode() for name in "ABC"}
    for name, submission in found.items():
        assert submission.fault is None
        assert submission.external_id is not None
        assert json.loads(api.accepted[submission.external_id]) == {"job": name}
        assert submission.job_name == api.job_names[submission.external_id]
        parsed = parse_job_name(submission.job_name)
        assert parsed is not None
        assert submission.new_ulid == parsed.ulid


def test_a_job_name_of_another_form_keeps_our_ulid_where_the_source_needs_no_name(
    api: RunApiServer, context: ExecutorContext, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ingest.run")
    api.job_name = "sim/{environment}"
    executor = start(source="ours")
    executor.context = replace(context, analytics=replace(context.analytics, source="ours"))
    submission = submissions_of(executor, "A")["A"]
    assert (submission.new_ulid, submission.job_name) == (None, "sim/standard")
    assert (
        "KEN / A: its job name 'sim/standard' is of another form, so it keeps the ULID A"
        in caplog.messages
    )
    assert update_of(executor, "A") == JobUpdate("A", JobState.SUCCEEDED)


@pytest.mark.parametrize(
    "name", ["sim/standard", "botech-sim-standard-01arz3ndektsv4rrffq69g5fav", "A"]
)
def test_a_job_name_under_which_no_results_are_found_ends_the_run(
    api: RunApiServer, start: Start, name: str
) -> None:
    api.job_name = name
    executor = start()
    submission = submissions_of(executor, "A")["A"]
    assert (submission.fault, submission.job_name) == (None, name)  # it goes on there
    with pytest.raises(BackendError, match=rf"names a job '{name}', not botech-sim-") as caught:
        collect(executor, 1)
    assert caught.value.exit_code == 4


def test_a_job_in_another_environment_is_a_bad_answer_and_ends_the_run(
    api: RunApiServer, start: Start
) -> None:
    api.job_name = "botech-sim-default-{ulid}"
    executor = start(submit_concurrency=1)
    fault = fault_of(submissions_of(executor, "A")["A"])
    assert fault.kind == "bad answer"
    assert fault.message.startswith(
        "the run API runs it in the environment default, not in standard (study.environment)"
    )
    with pytest.raises(BackendError) as caught:
        collect(executor, 1)
    assert caught.value.exit_code == 4
    assert str(caught.value).startswith(
        f"the run API at {api.url} runs jobs in the environment default, not in standard: check "
        "study.environment and executors.run-api.url. "
    )


def test_documents_are_sent_side_by_side_up_to_the_limit(api: RunApiServer, start: Start) -> None:
    gate = threading.Event()
    api.plan_post = lambda body: Act(gate=gate)
    executor = start(submit_concurrency=3)
    executor.submit([make_job(f"J{n}", b"x" * 100_000) for n in range(40)])  # 4 MB, no one reads
    api.wait_for(lambda: api.side_by_side["post"] == 3)
    assert executor.poll([], 0.1) == []
    gate.set()
    assert len(collect(executor, 40)) == 40
    assert api.most_side_by_side["post"] == 3
    assert len(api.posts) == 40


def test_a_busy_api_is_offered_the_document_again(api: RunApiServer, start: Start) -> None:
    api.post_plan.extend([BUSY_NOW, Act(503, headers={"Retry-After": "0"}), BUSY_NOW])
    assert submissions_of(start(), "A")["A"].fault is None
    assert len(api.posts) == 4
    assert max(api.accepted_documents().values()) == 1


def test_an_api_that_stays_busy_is_a_fault_that_can_pass(api: RunApiServer, start: Start) -> None:
    api.plan_post = lambda body: BUSY_NOW
    fault = fault_of(submissions_of(start(submit_tries=3), "A")["A"])
    message = "the run API answered 429, 3 times (executors.run-api.submit_tries)"
    assert fault == JobFault("busy", message, can_pass=True)
    assert len(api.posts) == 3


def wait_told(executor: RunApiExecutor) -> list[str]:
    """What it waits for, as soon as it says so."""
    for _ in range(600):
        assert executor.poll([], 0.1) == []
        if told := list(executor.waits()):
            return told
    raise AssertionError("it never said that it waits")


def test_retry_after_holds_back_all_documents(api: RunApiServer, start: Start) -> None:
    api.post_plan.append(Act(429, headers=MINUTES))
    executor = start()
    assert list(executor.waits()) == []
    executor.submit([make_job("A", {"job": "A"})])
    (told,) = wait_told(executor)
    until = datetime.now() + timedelta(minutes=15)
    times = [f"{until - timedelta(seconds=ago):%H:%M:%S}" for ago in range(60)]
    assert told in [f"submissions wait until {t}: the run API answered 429" for t in times]
    executor.submit([make_job("B", {"job": "B"})])
    assert executor.poll([], 0.5) == []
    executor.close()
    assert [body for _, body in api.posts] == [b'{"job": "A"}']


def test_busy_without_a_time_is_offered_again_after_a_while(
    api: RunApiServer, start: Start
) -> None:
    api.post_plan.append(Act(503))
    executor = start()
    executor.submit([make_job("A", {"job": "A"})])
    (told,) = wait_told(executor)
    assert told.startswith("submissions wait until ")
    assert told.endswith(": the run API answered 503")
    (answer,) = collect(executor, 1)
    assert isinstance(answer, Submission)
    assert answer.fault is None
    time.sleep(0.1)
    assert list(executor.waits()) == []


def test_a_refused_document_is_a_fault_that_cannot_pass(api: RunApiServer, start: Start) -> None:
    api.plan_post = lambda body: Act(422, {"detail": [{"loc": ["nodes"], "msg": "missing"}]})
    fault = fault_of(submissions_of(start(), "A")["A"])
    assert fault == JobFault("refused", "the run API answered 422: nodes: missing")
    assert len(api.posts) == 1


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (Act(500), "answered 500"),
        (Act(502), "answered 502"),
        (Act(drop="after"), "the connection was dropped"),
        (Act(content=b"{"), "answered 200 without a readable jobId"),
    ],
    ids=["500", "502", "dropped", "no job id"],
)
def test_a_lost_answer_is_a_fault_and_nothing_is_sent_again(
    api: RunApiServer, start: Start, act: Act, reason: str
) -> None:
    api.post_plan.append(act)
    fault = fault_of(submissions_of(start(), "A")["A"])
    assert fault == JobFault(
        "answer lost",
        f"nobody knows whether the run API accepted the job ({reason}): it may be running, and "
        "is not submitted again (executors.run-api.lost_answer_retries)",
    )
    assert len(api.posts) == 1


def test_lost_answers_can_pass_as_often_as_a_setting_says(api: RunApiServer, start: Start) -> None:
    api.plan_post = lambda body: Act(500)
    executor = start(lost_answer_retries=2)
    passed = []
    for attempt in range(4):
        job = replace(make_job(f"A{attempt}", {}), combination=Combination("KEN", "null"))
        executor.submit([job])
        (answer,) = collect(executor, 1)
        assert isinstance(answer, Submission)
        passed.append(fault_of(answer).can_pass)
    assert passed == [True, True, False, False]
    assert "it may be running, and is not submitted again" in fault_of(answer).message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "denies access (401: no) when asked for POST /run/standard: check "
              "the address, user and password in executors.run-api.url"),
        (403, "denies access (403: no) when asked for POST /run/standard: check "
              "the address, user and password in executors.run-api.url"),
        (404, "knows no environment 'standard' (study.environment), or its address is wrong: "
              "POST /run/standard was answered 404"),
    ],
)  # fmt: skip
def test_denied_access_stops_everything(
    api: RunApiServer, start: Start, context: ExecutorContext, status: int, words: str
) -> None:
    api.post_plan.append(Act())
    api.plan_post = lambda body: Act(status)
    executor = start(submit_concurrency=1)
    executor.submit([make_job(name, {"job": name}) for name in "ABCD"])
    journal = SubmissionJournal(journal_path(context.state_path))
    answered = [JournalEvent.ACCEPTED, JournalEvent.NOT_ACCEPTED]
    api.wait_for(lambda: [line.event for line in journal.read().values()] == answered)
    answers = collect(executor, 1)  # what was accepted is told first, so that it is stored
    assert [answer.ulid for answer in answers] == ["A"]
    with pytest.raises(BackendError) as caught:
        collect(executor, 1)
    assert caught.value.exit_code == 4
    assert str(caught.value) == (
        f"the run API at {api.url} {words}. Jobs that were submitted go on; "
        "the next `ingest run` follows them"
    )
    executor.close()
    assert len(api.posts) == 2


def test_an_api_that_is_gone_stops_the_run_after_its_limit(start: Start) -> None:
    with run_api_server() as leaving:
        executor = start(RunSettings(unreachable_limit_s=0.1), url=leaving.url)
    executor.submit([make_job("A", {})])
    with pytest.raises(BackendError) as caught:
        collect(executor, 1)
    assert str(caught.value) == (
        f"the run API at {leaving.url} could not be reached for 0.1 s (run.unreachable_limit_s): "
        "connection refused. Jobs that were submitted go on; the next `ingest run` follows them"
    )


def test_an_api_that_comes_back_is_given_the_documents(start: Start) -> None:
    with run_api_server() as leaving:
        executor = start(url=leaving.url)
        port = int(leaving.url.rpartition(":")[2])
    executor.submit([make_job("A", {})])
    assert executor.poll([], 0.2) == []
    with run_api_server(port) as back:
        (answer,) = collect(executor, 1)
        assert isinstance(answer, Submission)
        assert answer.fault is None
        assert len(back.accepted) == 1


def test_credentials_are_in_no_journal_and_in_no_command_line(
    api: RunApiServer, start: Start, context: ExecutorContext
) -> None:
    gate = threading.Event()
    api.plan_post = lambda body: Act(gate=gate)
    executor = start(url=api.url.replace("http://", "http://me:secret@"))
    executor.submit([make_job("A", {"secret document": 1})])
    api.wait_for_posts(1)
    pid = pid_of_submitter(context)
    told = journal_path(context.state_path).read_bytes()
    if Path("/proc/self").exists():
        told += (
            Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        )
    gate.set()
    collect(executor, 1)
    assert b"sending" in told
    assert b"secret" not in told
    assert "Authorization" in api.headers[-1]


# --- asking --------------------------------------------------------------------------------------


def test_one_question_for_each_job_that_is_named(api: RunApiServer, start: Start) -> None:
    executor = start(status_concurrency=4)
    ulids = follow(executor, *(f"J{n}" for n in range(30)))
    gate = threading.Event()
    api.status_plan["*"].extend([Act(gate=gate, content={"jobStatus": "RUNNING"})] * 30)
    assert executor.poll(ulids, 0.0) == []
    api.wait_for(lambda: api.side_by_side["status"] == 4)
    assert executor.poll(ulids, 0.1) == []
    gate.set()
    updates = collect(executor, 30)
    assert sorted(update.ulid for update in updates) == sorted(ulids)
    assert executor.poll([], 0.1) == []
    assert api.calls["status"] == 30
    assert api.most_side_by_side["status"] == 4
    assert max(count for name, count in api.calls.items() if name.startswith("status ")) == 1


def test_jobs_that_are_not_named_are_not_asked_about(api: RunApiServer, start: Start) -> None:
    executor = start()
    first, _ = follow(executor, "A", "B")
    assert update_of(executor, first).ulid == first
    assert api.calls["status"] == 1


def test_a_job_goes_through_its_states_and_ends_once(api: RunApiServer, start: Start) -> None:
    executor = start()
    (ulid,) = follow(executor, "A")
    states = []
    for word in ("SUBMITTED", "STARTING", "RUNNING", "RUNNING", "SUCCEEDED"):
        api.default_status = word
        states.append(update_of(executor, ulid))
    assert states == [
        JobUpdate(ulid, JobState.SUBMITTED),
        JobUpdate(ulid, JobState.SUBMITTED),
        JobUpdate(ulid, JobState.RUNNING),
        JobUpdate(ulid, JobState.RUNNING),
        JobUpdate(ulid, JobState.SUCCEEDED),
    ]
    assert executor.poll([ulid], 0.1) == []
    assert api.calls["status"] == 5


def test_a_failed_job_has_its_fault(api: RunApiServer, start: Start) -> None:
    executor = start()
    (ulid,) = follow(executor, "A")
    api.default_status = {"jobStatus": "FAILED", "statusReason": "no coverage", "exitCode": 3}
    fault = JobFault("job failed", "no coverage (exit code 3)")
    assert update_of(executor, ulid) == JobUpdate(ulid, JobState.FAILED, fault)


def test_doubt_passes(api: RunApiServer, start: Start) -> None:
    executor = start()
    (ulid,) = follow(executor, "A")
    api.status_plan["*"].extend([Act(500), Act(drop="before"), Act(404), Act(content={})])
    states = [update_of(executor, ulid).state for _ in range(5)]
    unreachable, unknown = JobState.UNREACHABLE, JobState.UNKNOWN
    assert states == [unreachable, unreachable, unknown, unknown, JobState.SUCCEEDED]


def test_a_status_call_that_takes_too_long_is_unreachable(api: RunApiServer, start: Start) -> None:
    executor = start(status_timeout_s=0.2)
    (ulid,) = follow(executor, "A")
    gate = threading.Event()
    api.status_plan["*"].append(Act(gate=gate))
    message = "the run API could not be asked: no answer within 0.2 s"
    fault = JobFault("unreachable", message)
    assert update_of(executor, ulid) == JobUpdate(ulid, JobState.UNREACHABLE, fault)
    gate.set()


def test_retry_after_holds_back_all_questions(api: RunApiServer, start: Start) -> None:
    executor = start()
    first, second = follow(executor, "A", "B")
    api.status_plan["*"].append(Act(429, headers=MINUTES))
    assert update_of(executor, first).state is JobState.UNREACHABLE
    assert executor.poll([second], 0.5) == []
    assert api.calls["status"] == 1


def test_denied_access_to_status_stops_the_run(api: RunApiServer, start: Start) -> None:
    executor = start()
    (ulid,) = follow(executor, "A")
    api.status_plan["*"].append(Act(401, {"detail": "no"}))
    with pytest.raises(BackendError, match=r"denies access \(401: no\) when asked for GET /status"):
        collect(executor, 1, [ulid])


def test_a_cancelled_job_is_followed_no_longer(api: RunApiServer, start: Start) -> None:
    executor = start()
    first, second = follow(executor, "A", "B")
    assert executor.cancel([first, "never heard of"]) == {}
    assert update_of(executor, second).ulid == second
    assert executor.poll([first], 0.1) == []
    assert api.calls["status"] == 1


def test_poll_waits_for_nothing_when_asked_not_to(start: Start) -> None:
    assert start().poll([], 0.0) == []


# --- jobs of an earlier process ------------------------------------------------------------------


def earlier(ulid: str, external_id: str | None = None, journal: str | None = None) -> EarlierJob:
    name = f"ingest-tiny-{ulid}"
    return EarlierJob(Combination("KEN", ulid), ulid, name, external_id, journal)


def never() -> None:
    raise AssertionError("the journal is needed")


def journalled(context: ExecutorContext, *lines: JournalLine) -> None:
    with closing(SubmissionJournal(journal_path(context.state_path))) as journal:
        for line in lines:
            journal.append(line)


def line(event: JournalEvent, ulid: str, scenario: str = "", **more: str) -> JournalLine:
    combination = Combination("KEN", scenario or ulid)
    return JournalLine(event, ulid, combination, "standard", journal_time(), **more)


def test_what_the_journal_knows_is_adopted(context: ExecutorContext, start: Start) -> None:
    name = "botech-sim-standard-01ARZ3NDEKTSV4RRFFQ69G5FAV"
    journalled(
        context,
        line(JournalEvent.SENDING, "ACCEPTED"),
        line(JournalEvent.ACCEPTED, "ACCEPTED", job_id="job-1", job_name=name),
        line(JournalEvent.SENDING, "OPEN"),
        line(JournalEvent.LOST, "LOST", reason="answered 500"),
        line(JournalEvent.NOT_ACCEPTED, "BUSY"),
        line(JournalEvent.ACCEPTED, "OF ANOTHER RUN", job_id="job-2"),
    )
    jobs = [earlier(ulid) for ulid in ("ACCEPTED", "OPEN", "LOST", "BUSY", "NEVER SENT")]
    found = list(start().adopt([*jobs, earlier("KNOWN", "job-3")]))

    def lost(ulid: str, reason: str) -> Submission:
        message = (
            f"nobody knows whether the run API accepted the job ({reason}): it may be running, "
            "and is not submitted again (executors.run-api.lost_answer_retries)"
        )
        return Submission(ulid, fault=JobFault("answer lost", message))

    assert found == [
        Submission("KNOWN", "job-3", job_name="ingest-tiny-KNOWN"),
        Submission("ACCEPTED", "job-1", None, "01ARZ3NDEKTSV4RRFFQ69G5FAV", name),
        lost("OPEN", "the submitting process was ended"),
        lost("LOST", "answered 500"),
    ]


def test_adopted_jobs_are_followed(
    api: RunApiServer, context: ExecutorContext, start: Start
) -> None:
    api.accepted |= {"job-1": b"", "job-2": b""}
    journalled(context, line(JournalEvent.ACCEPTED, "A", job_id="job-1"))
    executor = start()
    executor.adopt([earlier("A"), earlier("B", "job-2")])
    updates = collect(executor, 2, ["A", "B"])
    assert {update.ulid for update in updates} == {"A", "B"}
    assert api.calls["status job-1"] == api.calls["status job-2"] == 1


def test_answers_lost_before_count_against_the_limit(
    context: ExecutorContext, start: Start
) -> None:
    journalled(
        context,
        line(JournalEvent.LOST, "A1", "null", reason="answered 500"),
        line(JournalEvent.SENDING, "A2", "null"),
    )
    job = replace(earlier("A2"), combination=Combination("KEN", "null"))
    (first,) = start(lost_answer_retries=1).adopt([job])
    (second,) = start(lost_answer_retries=2).adopt([job])
    assert (fault_of(first).can_pass, fault_of(second).can_pass) == (False, True)


def test_the_journal_is_gone_when_everything_is_stored(
    context: ExecutorContext, start: Start
) -> None:
    executor = start()
    submissions_of(executor, "A", "B")
    assert journal_path(context.state_path).exists()
    executor.close()
    assert journal_path(context.state_path).exists()
    executor.settle((), lambda: None)
    assert not journal_path(context.state_path).exists()


def test_an_answer_that_was_not_stored_stays_in_the_journal(
    context: ExecutorContext, start: Start
) -> None:
    executor = start()
    stored, not_stored = (submissions_of(executor, name)[name] for name in ("A", "B"))
    executor.close()
    executor.settle({"B"}, never)
    (found,) = start().adopt([earlier("A"), earlier("B")])
    assert found == not_stored != stored


def test_what_the_database_has_already_is_forgotten(context: ExecutorContext, start: Start) -> None:
    journalled(context, line(JournalEvent.ACCEPTED, "INTENDED", job_id="job-1"))
    executor = start()
    executor.adopt([earlier("NAMED BY THE API", "job-1")])
    executor.close()
    executor.settle((), lambda: None)
    assert not journal_path(context.state_path).exists()


def test_the_journal_stays_while_a_job_in_the_database_may_stand_in_it(
    context: ExecutorContext, start: Start
) -> None:
    journalled(context, line(JournalEvent.ACCEPTED, "A", job_id="1"))
    journal = SubmissionJournal(journal_path(context.state_path))
    executor = start()
    executor.close()
    executor.settle({"A"}, never)
    assert set(journal.read()) == {"A"}
    executor.settle({"B"}, lambda: None)
    assert not journal_path(context.state_path).exists()


# --- a journal that was left behind --------------------------------------------------------------


def refused_adoption(executor: RunApiExecutor, *jobs: EarlierJob) -> str:
    with pytest.raises(BackendError) as caught:
        executor.adopt(jobs)
    assert caught.value.exit_code == 4
    return str(caught.value)


def test_jobs_whose_journal_is_not_there_are_refused(
    context: ExecutorContext, start: Start
) -> None:
    path = journal_path(context.state_path)
    told = refused_adoption(start(), earlier("A", journal="J"), earlier("B"), earlier("C", "3"))
    assert told == (
        f"1 job may have been submitted already, which only their journal tells, and {path} is not "
        "there. Was the database renamed, moved or copied? Put its journal beside it as "
        f"{path.name} and run again. If that is gone for good, let them be submitted all the same, "
        "some of them perhaps twice: --set executors.run-api.lost_answer_retries=1"
    )


def test_jobs_whose_journal_is_another_databases_are_refused(start: Start) -> None:
    executor = start()
    own_id = executor.journal_id()
    told = refused_adoption(executor, earlier("A", journal="J"), earlier("B", journal="J"))
    assert told.startswith("2 jobs may have been submitted already, ")
    assert " belongs to another database. " in told
    assert executor.adopt([earlier("A", journal=own_id)]) == []


def test_a_setting_lets_jobs_be_submitted_again_whose_journal_is_gone(start: Start) -> None:
    (answer,) = start(lost_answer_retries=1).adopt([earlier("A", journal="J")])
    assert fault_of(answer).can_pass
    assert "(its journal is gone)" in fault_of(answer).message


def test_a_journal_that_names_a_job_is_believed_whatever_its_id(
    context: ExecutorContext, start: Start
) -> None:
    journalled(context, line(JournalEvent.ACCEPTED, "A", job_id="1"))
    (answer,) = start().adopt([earlier("A", journal="J")])
    assert answer.external_id == "1"


@contextmanager
def stopped_submitter(
    api: RunApiServer, context: ExecutorContext, start: Start
) -> Iterator[tuple[RunApiExecutor, threading.Event]]:
    """An executor that was closed while a submission was under way."""
    gate = threading.Event()
    api.post_plan.append(Act(gate=gate))
    executor = start(submit_concurrency=1)
    executor.submit([make_job("A", {"job": "A"}), make_job("B", {"job": "B"})])
    api.wait_for_posts(1)
    executor.close()
    assert is_running(pid_of_submitter(context))
    yield executor, gate
    gate.set()


def test_the_next_run_waits_for_what_was_begun(
    api: RunApiServer, context: ExecutorContext, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ingest.run")
    with stopped_submitter(api, context, start) as (_, gate):
        pid = pid_of_submitter(context)
        executor = start()
        opener = threading.Timer(0.3, gate.set)
        opener.start()
        found = list(executor.adopt([earlier("A"), earlier("B")]))
        opener.join()
    assert [(s.ulid, s.external_id) for s in found] == [("A", next(iter(api.accepted)))]
    told = f"process {pid} still sends what an earlier run had begun: waiting until "
    (message,) = [m for m in caplog.messages if m.startswith(told)]
    assert re.fullmatch(r"\d\d:\d\d:\d\d at most", message.removeprefix(told))
    assert_ends(pid)
    assert len(api.posts) == 1


# --- ends that nobody wanted ---------------------------------------------------------------------


def test_a_killed_submitter_is_replaced_and_nothing_is_sent_twice(
    api: RunApiServer, context: ExecutorContext, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    api.post_plan.extend([Act(), Act(gate=gate)])
    executor = start(submit_concurrency=1)
    executor.submit([make_job(name, {"job": name}) for name in "ABCD"])
    api.wait_for_posts(2)
    pid = pid_of_submitter(context)
    os.kill(pid, signal.SIGKILL)
    found = {a.ulid: a for a in collect(executor, 4) if isinstance(a, Submission)}
    gate.set()
    assert {ulid for ulid, submission in found.items() if submission.fault is None} == set("ACD")
    assert fault_of(found["B"]).kind == "answer lost"
    assert "(the submitting process was ended)" in fault_of(found["B"]).message
    assert "the submitting process was killed by SIGKILL; another one goes on" in caplog.messages
    assert len(api.posts) == 4
    assert max(api.accepted_documents().values()) == 1


def test_a_terminated_submitter_finishes_what_it_has_begun(
    api: RunApiServer, context: ExecutorContext, start: Start
) -> None:
    gate = threading.Event()
    api.post_plan.append(Act(gate=gate))
    executor = start(submit_concurrency=1)
    executor.submit([make_job(name, {"job": name}) for name in "AB"])
    api.wait_for_posts(1)
    pid = pid_of_submitter(context)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    assert executor.poll([], 1.0) == []  # it has seen the signals by then
    gate.set()
    found = {a.ulid: a for a in collect(executor, 2) if isinstance(a, Submission)}
    assert [found[name].fault for name in "AB"] == [None, None]
    assert max(api.accepted_documents().values()) == 1
    assert pid_of_submitter(context) != pid


def test_a_submitter_that_ends_again_and_again_is_given_up(
    api: RunApiServer, context: ExecutorContext, start: Start
) -> None:
    api.plan_post = lambda body: Act(gate=threading.Event())
    executor = start(submit_concurrency=1)
    executor.submit([make_job(name, {}) for name in "ABCD"])

    def kill_next(count: int) -> None:
        api.wait_for_posts(count)
        os.kill(pid_of_submitter(context), signal.SIGKILL)

    for count in (1, 2):
        kill_next(count)
        collect(executor, 1)
    kill_next(3)
    with pytest.raises(BackendError) as caught:
        collect(executor, 1)
    assert str(caught.value) == "the submitting process was killed by SIGKILL, again and again"


def test_nothing_is_sent_that_cannot_be_journalled(
    api: RunApiServer, context: ExecutorContext, start: Start
) -> None:
    path = journal_path(context.state_path)
    path.mkdir()
    executor = start()
    executor.submit([make_job("A", {})])
    with pytest.raises(BackendError) as caught:
        collect(executor, 1)
    path.rmdir()
    expected = f"nothing can be submitted: {path} cannot be written: Is a directory"
    assert str(caught.value) == expected
    assert not api.posts


def test_a_journal_that_another_process_holds_stops_the_run(
    api: RunApiServer, context: ExecutorContext, start: Start
) -> None:
    executor = start()
    executor.adopt([])
    with SubmissionJournal(journal_path(context.state_path)).lock():
        executor.submit([make_job("A", {})])
        with pytest.raises(BackendError, match=r"nothing can be submitted: process \d+ still sub"):
            collect(executor, 1)
    assert not api.posts


def test_a_program_that_cannot_be_started_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(BackendError, match=r"cannot start the submitting process: .*No such file"):
        start().submit([make_job("A", {})])
