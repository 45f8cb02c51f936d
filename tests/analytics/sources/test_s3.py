"""The s3 source against S3 on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ingest.analytics.sources.s3 import S3Source, S3SourceSettings
from ingest.errors import BackendError, ConfigError, ResultsNotReadyError
from tests.executors.aws_batch.aws_double import AwsDouble, running_double
from tests.executors.aws_batch.aws_drive import use_double
from tests.executors.aws_batch.aws_executor import BUCKET
from tests.executors.drive import make_context

pytestmark = pytest.mark.slow

LOCATION = f"s3://{BUCKET}/users/{{environment}}/results/{{ulid}}/results.csv"
EXAMPLE = 'location = "s3://my-bucket/users/{environment}/results/{ulid}/results.csv"'


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with running_double(tmp_path) as double:
        use_double(double, monkeypatch)
        yield double


@pytest.fixture
def source(tmp_path: Path, double: AwsDouble) -> Iterator[S3Source]:
    with closing(S3Source(S3SourceSettings(LOCATION), make_context(tmp_path))) as source:
        yield source


def put(double: AwsDouble, ulid: str) -> None:
    key = f"users/standard/results/{ulid}/results.csv"
    double.s3.put_object(Bucket=BUCKET, Key=key, Body=f"results of {ulid}".encode())


def test_the_object_of_a_job_is_read(source: S3Source, double: AwsDouble) -> None:
    put(double, "01A")
    assert source.fetch("01A") == b"results of 01A"


def test_several_threads_share_the_source(source: S3Source, double: AwsDouble) -> None:
    ulids = [f"01J{n}" for n in range(40)]
    for ulid in ulids:
        put(double, ulid)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.fetch, ulids))
    assert found == [f"results of {ulid}".encode() for ulid in ulids]


def test_a_job_without_results_is_not_ready(source: S3Source) -> None:
    with pytest.raises(ResultsNotReadyError) as caught:
        source.fetch("01A")
    assert str(caught.value) == (
        "job 01A has no results at s3://study-bucket/users/standard/results/01A/results.csv yet"
    )


def test_s3_that_fails_for_now_is_asked_again(source: S3Source, double: AwsDouble) -> None:
    double.break_next("GetObject", status=503, code="ServiceUnavailable", times=4)
    with pytest.raises(ResultsNotReadyError) as caught:
        source.fetch("01A")
    assert str(caught.value) == (
        "the results of job 01A: AWS answers GetObject with an error of its own "
        "(ServiceUnavailable)"
    )


def test_expired_credentials_end_the_run(source: S3Source, double: AwsDouble) -> None:
    double.break_next("GetObject", status=400, code="ExpiredToken")
    with pytest.raises(BackendError) as caught:
        source.fetch("01A")
    assert str(caught.value) == ("the AWS credentials have expired: log in again (aws sso login)")


def test_a_bucket_that_is_not_there_names_the_location(double: AwsDouble, tmp_path: Path) -> None:
    settings = S3SourceSettings("s3://no-such-bucket/{ulid}.csv")
    message = "no S3 bucket no-such-bucket: create it, or set analytics.s3.location"
    with pytest.raises(BackendError) as caught:
        S3Source(settings, make_context(tmp_path)).fetch("01A")
    assert str(caught.value) == message
    (finding,) = S3Source.preflight(settings, make_context(tmp_path))
    assert str(finding) == f"analytics.s3: {message}"


def test_preflight_finds_nothing_wrong(double: AwsDouble, tmp_path: Path) -> None:
    assert list(S3Source.preflight(S3SourceSettings(LOCATION), make_context(tmp_path))) == []
    assert double.calls == ["HeadBucket"]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (None, f"location is not set: write {EXAMPLE} in [analytics.s3]"),
        ("", f"location is not set: write {EXAMPLE} in [analytics.s3]"),
        (
            "https://x/{ulid}",
            "location: 'https://x/01ULID' is not of the form s3://bucket/prefix; "
            f"write e.g. {EXAMPLE}",
        ),
        (
            "s3://bucket",
            f"location: 's3://bucket' names a bucket and no key; write e.g. {EXAMPLE}",
        ),
        (
            "s3://bucket/{job}.csv",
            "location: 's3://bucket/{job}.csv' has braces around something else ('job'); "
            f"write e.g. {EXAMPLE}",
        ),
        (
            "s3://bucket/results.csv",
            f"location names no {{ulid}}, so all jobs share one object: {EXAMPLE}",
        ),
    ],
)
def test_a_wrong_location_is_told(tmp_path: Path, location: str | None, message: str) -> None:
    settings, context = S3SourceSettings(location), make_context(tmp_path)
    (finding,) = S3Source.check(settings, context)
    assert str(finding) == f"analytics.s3: {message}"
    assert list(S3Source.preflight(settings, context)) == []
    with pytest.raises(ConfigError) as caught:
        S3Source(settings, context)
    assert str(caught.value) == f"analytics.s3: {message}"
