"""What stands between us and AWS, and a clock that is wrong: one line, and what can pass passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta, tzinfo
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.parsers import ResponseParserError
from urllib3 import exceptions as urllib3

from ingest.errors import BackendError, ResultsNotReadyError
from ingest.executors.base import JobState
from ingest.services import aws_errors
from ingest.services.aws_answers import mark_foreign_answer
from ingest.services.aws_clients import AwsClients
from ingest.services.aws_errors import AwsCall, AwsError, AwsPlace, Trouble, translate
from tests.executors.aws_batch.aws_double import AwsDouble, running_double
from tests.executors.aws_batch.aws_drive import use_double, write_study
from tests.executors.aws_batch.aws_executor import BUCKET, started
from tests.executors.drive import make_job

pytestmark = pytest.mark.slow

PAGE = b"<html><body>Squid: <br> 503 & no upstream</body></html>"
JSON = b'{"error": "upstream unavailable"}'
PROXY = "a proxy may stand between, check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "tiny")


@pytest.fixture
def double(study: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with running_double(study) as double:
        use_double(double, monkeypatch)
        yield double


@pytest.mark.parametrize("body", [PAGE, JSON, b"Service Unavailable"])
@pytest.mark.parametrize("operation", ["GetCallerIdentity", "DescribeJobQueues", "PutObject"])
def test_answer_that_is_not_of_aws_is_tried_again(
    study: Path, double: AwsDouble, operation: str, body: bytes
) -> None:
    double.break_next(operation, status=503, body=body)
    with started(study) as executor:
        [submission] = list(executor.submit([make_job("A", b"{}")]))
    assert submission.external_id
    assert double.count("SubmitJob") == 1


@pytest.mark.parametrize(
    ("operation", "status"), [("DescribeJobQueues", 503), ("DescribeJobQueues", 200)]
)
def test_answer_that_stays_foreign_is_one_line(
    study: Path, double: AwsDouble, operation: str, status: int
) -> None:
    double.break_next(operation, status=status, body=PAGE, times=9)
    with pytest.raises(BackendError) as caught, started(study):
        pass
    assert PROXY in str(caught.value)
    assert f"{status}, " in str(caught.value)
    assert "Squid" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_submission_answered_by_a_proxy_is_looked_up_and_never_sent_twice(
    study: Path, double: AwsDouble
) -> None:
    with started(study) as executor:
        double.break_next("SubmitJob", status=503, body=PAGE, after=True)
        [submission] = list(executor.submit([make_job("A", b"{}")]))
    assert submission.external_id
    assert len(double.work()) == 1


def test_state_and_results_behind_a_proxy_are_asked_for_again(
    study: Path, double: AwsDouble
) -> None:
    with started(study) as executor:
        job = make_job("A", b"{}")
        list(executor.submit([job]))
        double.break_next("DescribeJobs", status=200, body=PAGE)
        [update] = executor.poll([job.ulid], 0.0)
        assert update.state is JobState.UNREACHABLE
        double.break_next("GetObject", status=503, body=PAGE, times=9)
        with pytest.raises(ResultsNotReadyError):
            executor.fetch(job.ulid)


@pytest.mark.parametrize("body", [PAGE, JSON, b"Please sign in"])
def test_a_page_in_the_place_of_an_object_is_no_result(
    study: Path, double: AwsDouble, body: bytes
) -> None:
    with started(study) as executor:
        job = make_job("A", b"{}")
        list(executor.submit([job]))
        double.wait_for_work()
        double.break_next("GetObject", status=200, body=body)
        with pytest.raises(ResultsNotReadyError) as caught:
            executor.fetch(job.ulid)
        assert PROXY in str(caught.value)
        assert f"200, '{body.decode()[:20]}" in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "is_page"),
    [
        ({"x-amz-request-id": "1", "content-type": "text/html"}, False),
        ({"etag": '"1"', "content-type": "text/csv"}, False),
        ({"etag": '"1"', "content-type": "text/html; charset=utf-8"}, True),
        ({"content-type": "application/json"}, True),
        ({}, True),
    ],
)
def test_an_object_is_told_from_a_page_by_its_headers(
    headers: dict[str, str], is_page: bool
) -> None:
    answer = {"status_code": 200, "headers": headers, "body": BytesIO(PAGE)}
    operation = SimpleNamespace(has_streaming_output=True)
    with pytest.raises(ResponseParserError) if is_page else nullcontext():
        mark_foreign_answer(operation, answer)


@pytest.mark.parametrize(
    "exc",
    [
        ResponseParserError("no XML"),
        urllib3.ProtocolError("broken"),
        urllib3.IncompleteRead(3, 5),
        urllib3.DecodeError("gzip"),
        ConnectionResetError("reset"),
    ],
)
def test_exceptions_from_below_boto_are_faults_that_can_pass(exc: Exception) -> None:
    clients = AwsClients(AwsPlace())
    with pytest.raises(AwsError) as caught, clients.calling("s3", "GetObject", "s3://b/k"):
        raise exc
    assert caught.value.trouble is Trouble.DOUBTFUL
    assert PROXY in str(caught.value)
    assert translate(exc, AwsCall("s3", "GetObject", "s3://b/k")).trouble.can_pass


# --- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("GetCallerIdentity", "SignatureDoesNotMatch"),
        ("DescribeJobQueues", "InvalidSignatureException"),
        ("HeadBucket", "RequestTimeTooSkewed"),
    ],
)
@pytest.mark.parametrize(
    ("minutes", "words"), [(-20, "20 minutes behind"), (20, "20 minutes ahead of")]
)
def test_clock_that_is_wrong_is_told_alike_by_every_service(
    study: Path,
    double: AwsDouble,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    code: str,
    minutes: int,
    words: str,
) -> None:
    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(minutes=minutes)

    monkeypatch.setattr(aws_errors, "datetime", WrongClock)
    double.break_next(operation, status=403, code=code, times=9)
    assert f"this machine's clock is {words} AWS's, which refuses calls for that" in refusal(study)


def refusal(study: Path) -> str:
    """The line with which starting fails."""
    with pytest.raises(BackendError) as caught, started(study):
        pass
    return str(caught.value)


def test_refusal_at_the_right_time_is_no_matter_of_the_clock(
    study: Path, double: AwsDouble
) -> None:
    double.break_next("HeadBucket", status=403, code="AccessDenied", times=9)
    assert f"AWS denies s3:ListBucket on s3://{BUCKET}" in refusal(study)
