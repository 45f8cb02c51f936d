"""What answers of the run API mean, from status code, headers and body alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from ingest.executors.base import JobFault, JobState
from ingest.executors.run_api.answers import (
    BARRIER_HINT,
    Outcome,
    SubmitAnswer,
    parse_status_answer,
    parse_submit_answer,
)
from ingest.services.http_answers import HttpAnswer, read_detail, retry_after, without_credentials

JOB_ID = "4f8b7c9e-0000-4000-8000-000000000000"
JOB_NAME = "botech-sim-standard-01ARZ3NDEKTSV4RRFFQ69G5FAV"
FINAL = {JobState.SUCCEEDED, JobState.FAILED}


def answer(status: int, content: Any = None, **headers: str) -> HttpAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, CaseInsensitiveDict(named), body)


def submitted(status: int, content: Any = None, **headers: str) -> SubmitAnswer:
    return parse_submit_answer(answer(status, content, **headers), "standard", 5_234_567)


# --- submissions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
def test_job_id_and_name_mean_accepted(status: int) -> None:
    content = {"jobId": JOB_ID, "jobName": JOB_NAME, "config_s3_path": "s3://b/k"}
    expected = SubmitAnswer(Outcome.ACCEPTED, job_id=JOB_ID, job_name=JOB_NAME)
    assert submitted(status, content) == expected


@pytest.mark.parametrize("name", [None, 5, "", "x" * 201, "line\nbreak"])
def test_a_job_name_that_is_none_is_left_out(name: Any) -> None:
    assert submitted(200, {"jobId": JOB_ID, "jobName": name}).job_name is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", None, [], {}, {"jobId": None}, {"jobId": ""}, {"jobId": 5}, [JOB_ID]],
)
def test_success_without_a_job_id_is_a_lost_answer(content: Any) -> None:
    reason = "answered 200 without a readable jobId"
    assert submitted(200, content) == SubmitAnswer(Outcome.LOST, reason)


@pytest.mark.parametrize("status", [500, 502, 504, 520, 408])
def test_errors_that_leave_it_open_are_lost_answers(status: int) -> None:
    assert submitted(status) == SubmitAnswer(Outcome.LOST, f"answered {status}")


@pytest.mark.parametrize("status", [429, 503])
def test_too_busy_is_certainly_not_accepted(status: int) -> None:
    expected = SubmitAnswer(Outcome.BUSY, f"answered {status}", retry_after_s=7.0)
    assert submitted(status, Retry_After="7") == expected


@pytest.mark.parametrize("status", [400, 405, 409, 422])
def test_a_refusal_holds_what_the_server_says(status: int) -> None:
    refused = submitted(status, {"detail": "nodes: field required"})
    assert refused == SubmitAnswer(Outcome.REFUSED, f"answered {status}: nodes: field required")
    assert submitted(status, b"").reason == f"answered {status}"


def test_a_document_that_is_too_large_is_told_with_its_size() -> None:
    reason = submitted(413, {"detail": "Request Entity Too Large"}).reason
    assert reason == "answered 413 to a document of 5.23 MB: Request Entity Too Large"
    assert submitted(413, b"").reason == "answered 413 to a document of 5.23 MB"
    small = parse_submit_answer(answer(413, b""), "standard", 900)
    assert small.reason == "answered 413 to a document of 0.0009 MB"


def test_denied_access_is_unusable() -> None:
    for status in (401, 403, 407):
        reason = f"denies access ({status}: null) when asked for POST /run/standard: {BARRIER_HINT}"
        assert submitted(status) == SubmitAnswer(Outcome.UNUSABLE, reason)


def test_an_unknown_environment_is_unusable() -> None:
    reason = (
        "knows no environment 'standard' (study.environment), or its address is wrong: "
        "POST /run/standard was answered 404"
    )
    assert submitted(404) == SubmitAnswer(Outcome.UNUSABLE, reason)


def test_a_redirect_is_not_followed_and_told_without_credentials() -> None:
    reason = (
        "leads on to https://other/run/standard (307) when asked for POST /run/standard: "
        f"{BARRIER_HINT}"
    )
    told = submitted(307, Location="https://user:secret@other/run/standard?key=secret")
    assert told == SubmitAnswer(Outcome.UNUSABLE, reason)


@given(st.integers(100, 599), st.binary(max_size=60))
def test_any_answer_has_an_outcome_and_only_a_success_is_accepted(status: int, body: bytes) -> None:
    outcome = submitted(status, body).outcome
    assert outcome is not Outcome.ACCEPTED
    assert outcome is not Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"detail": "no such model"}', "no such model"),
        (b'{"detail": [{"loc": ["body", "nodes", 0], "msg": "field required"}, {"msg": "bad"}]}',
         "body.nodes.0: field required; bad"),
        (b'{"detail": ["one", 2]}', "one; 2"),
        (b'{"message": "x"}', '{"message": "x"}'),
        (b"<html>\n\t<b>Bad   Request\x1b[31m</b>", "<html> <b>Bad Request [31m</b>"),
        (b"", ""),
        (b"\xff\xfe", "��"),
        (b"x" * 300, "x" * 300),
        (b"x" * 5_000_000, f"{'x' * 200} [... 4,999,700 bytes left out ...] {'x' * 100}"),
    ],
)  # fmt: skip
def test_detail_is_one_line_of_which_300_characters_are_kept(body: bytes, detail: str) -> None:
    assert read_detail(body) == detail


# --- waiting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0), ("0", 0.0), ("1.5", 1.5), ("-5", 0.0), ("86400", 900.0), ("", None),
        ("soon", None), ("nan", None), ("inf", None),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
        ("Wed, 21 Oct 2015 07:20:00 GMT", 0.0),
        ("Fri, 21 Oct 2095 07:20:00 GMT", 900.0),
    ],
)  # fmt: skip
def test_retry_after_in_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert retry_after(answer(429, Retry_After=text, Date=date)) == seconds


def test_retry_after_without_a_date_to_compare_uses_the_clock_here() -> None:
    assert retry_after(answer(429, Retry_After="Wed, 21 Oct 2015 07:28:30 GMT")) == 0.0
    assert retry_after(answer(429, Retry_After="Wed, 21 Oct 2099 07:28:30 GMT")) == 900.0


# --- states --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUBMITTED", JobState.SUBMITTED), ("PENDING", JobState.SUBMITTED),
        ("RUNNABLE", JobState.SUBMITTED), ("STARTING", JobState.SUBMITTED),
        ("RUNNING", JobState.RUNNING), ("SUCCEEDED", JobState.SUCCEEDED), (" running ",
        JobState.RUNNING),
    ],
)  # fmt: skip
def test_words_of_the_api_are_states(word: str, state: JobState) -> None:
    told = parse_status_answer(answer(200, {"jobId": JOB_ID, "jobStatus": word}), JOB_ID)
    assert (told.state, told.fault) == (state, None)
    assert parse_status_answer(answer(200, {"jobStatus": word}), JOB_ID) == told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "of job J names no known state: jobStatus is missing"),
        ({"jobStatus": None}, "of job J names no known state: jobStatus is None"),
        ({"jobStatus": "PAUSED"}, "of job J names no known state: jobStatus is 'PAUSED'"),
        ({"jobStatus": 3}, "of job J names no known state: jobStatus is 3"),
        ({"jobStatus": ["RUNNING"]}, "of job J names no known state: jobStatus is ['RUNNING']"),
        ([], "of job J is no object"),
        ("RUNNING", "of job J is no object"),
        ({"jobId": "K", "jobStatus": "RUNNING"}, "to the question for job J is about 'K'"),
    ],
)
def test_what_names_no_state_is_unknown(content: Any, message: str) -> None:
    told = parse_status_answer(answer(200, content), "J")
    assert told.state is JobState.UNKNOWN
    assert told.fault == JobFault("unknown status", f"the run API's answer {message}")


def test_a_job_that_is_not_known_is_lost() -> None:
    told = parse_status_answer(answer(404, {"jobStatus": "RUNNING"}), "J")
    assert told.state is JobState.UNKNOWN
    assert told.fault == JobFault("job lost", "the run API knows no job J any more (404)")


@pytest.mark.parametrize("status", [204, 302, 400, 429, 500, 502, 503, 504])
def test_any_other_answer_means_it_could_not_be_asked(status: int) -> None:
    told = parse_status_answer(answer(status, {"jobStatus": "SUCCEEDED"}, Retry_After="3"), "J")
    assert told.state is JobState.UNREACHABLE
    message = f"the run API could not be asked: answered {status}"
    assert told.fault == JobFault("unreachable", message)
    assert told.retry_after_s == 3.0


@pytest.mark.parametrize("body", [b"", b'{"jobStatus": "SUCC', b"<html>", b"\xff"])
def test_a_body_that_is_no_json_means_it_could_not_be_asked(body: bytes) -> None:
    told = parse_status_answer(answer(200, body), "J")
    assert told.state is JobState.UNREACHABLE
    message = "the run API could not be asked: answered 200 with a body that is no JSON"
    assert told.fault == JobFault("unreachable", message)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({}, JobFault("job failed", "the job failed, and the run API gives no reason")),
        ({"statusReason": "Essential container exited", "exitCode": 1, "logStreamName": "sim/1"},
         JobFault("job failed", "Essential container exited (exit code 1)\nlog stream: sim/1")),
        ({"statusReason": "Task\n failed", "exitCode": True, "logStreamName": 5},
         JobFault("job failed", "Task failed")),
        ({"statusReason": 7, "exitCode": 137},
         JobFault("job failed",
                  "the job failed, and the run API gives no reason (exit code 137)")),
        ({"statusReason": "Host EC2 (instance i-0) terminated."},
         JobFault("job failed", "Host EC2 (instance i-0) terminated.", can_pass=True)),
        ({"statusReason": "Task failed to start"},
         JobFault("job failed", "Task failed to start", can_pass=True)),
        ({"statusReason": "CannotPullContainerError: pull access denied", "exitCode": None},
         JobFault("job failed", "CannotPullContainerError: pull access denied", can_pass=True)),
        ({"statusReason": "ResourceInitializationError: unable to pull secrets"},
         JobFault("job failed", "ResourceInitializationError: unable to pull secrets",
                  can_pass=True)),
    ],
)  # fmt: skip
def test_a_failed_job_has_its_reason(more: dict[str, Any], fault: JobFault) -> None:
    told = parse_status_answer(answer(200, {"jobStatus": "FAILED"} | more), "J")
    assert (told.state, told.fault) == (JobState.FAILED, fault)


@given(st.binary(max_size=60), st.integers(100, 599))
def test_nothing_ends_a_job_but_its_own_words(body: bytes, status: int) -> None:
    assert parse_status_answer(answer(status, body), "J").state not in FINAL


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host:8443/base", "https://host:8443/base"),
        ("https://host/a?token=secret#x", "https://host/a"),
        ("https://p@ss:w@host/", "https://host/"),
        ("https://[half", "the address given"),
        ("/run/standard/", "/run/standard/"),
    ],
)
def test_addresses_are_shown_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
