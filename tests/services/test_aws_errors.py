"""Every failure of credentials, network, permission or quota is one line with its remedy."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from ingest.errors import BackendError
from ingest.executors.aws_batch.executor import AwsBatchExecutor
from ingest.executors.aws_batch.settings import AwsBatchSettings
from ingest.services.aws_errors import AwsCall, Trouble, translate
from tests.executors.aws_batch.aws_double import AwsDouble, running_double
from tests.executors.aws_batch.aws_drive import use_double, write_study
from tests.executors.aws_batch.aws_executor import BUCKET, DEFINITION, QUEUE, SETTINGS, started
from tests.executors.drive import make_context, make_job

pytestmark = pytest.mark.slow

MORE = " (ingest check --executor aws-batch tells all)"
URL = "https://batch.eu-west-1.amazonaws.com/v1/submitjob"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "tiny")


@pytest.fixture
def double(study: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with running_double(study) as double:
        use_double(double, monkeypatch)
        yield double


def start_error(study: Path, **changes: object) -> str:
    """The one line with which starting fails."""
    with pytest.raises(BackendError) as caught, started(study, **changes):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    return str(caught.value)


# --- before anything is submitted ----------------------------------------------------------------


def test_no_credentials(study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert start_error(study) == (
        "no AWS credentials: run aws configure, or set AWS_PROFILE or "
        "executors.aws-batch.profile" + MORE
    )
    assert double.calls == []


def test_half_of_the_credentials(
    study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert start_error(study) == (
        "the AWS credentials lack AWS_SECRET_ACCESS_KEY: set it, or run aws configure" + MORE
    )


def test_no_region(study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert start_error(study) == (
        'no AWS region: set executors.aws-batch.region, e.g. region = "eu-west-1", '
        "or AWS_DEFAULT_REGION" + MORE
    )


def test_a_region_in_the_settings_is_used(
    study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with started(study, region="eu-west-1") as executor:
        assert executor.preflight(executor.settings, executor.context) == []


def test_no_such_profile(study: Path, double: AwsDouble) -> None:
    assert start_error(study, profile="nobody") == (
        "no AWS profile 'nobody': aws configure list-profiles shows those there are" + MORE
    )


def test_a_profile_of_the_configuration_is_used(
    study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "credentials").write_text(
        "[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with started(study, profile="mine") as executor:
        assert executor.preflight(executor.settings, executor.context) == []


def test_a_login_that_has_ended(
    study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config").write_text(
        "[profile sso]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = dev\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert start_error(study, profile="sso") == (
        "the AWS login cannot be used any more: log in again (aws sso login --profile sso)" + MORE
    )


def test_an_endpoint_that_is_none_keeps_its_password_to_itself(
    study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hunter2@")
    message = start_error(study)
    assert "hunter2" not in message
    assert message.startswith("AWS cannot be called: Invalid endpoint:")
    assert message.endswith("check AWS_ENDPOINT_URL, the region and executors.aws-batch" + MORE)


def test_nobody_listens(study: Path, double: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        message = start_error(study)
    assert message == f"{url}/ cannot be reached: check the network and the region" + MORE


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "ExpiredToken",
            "the AWS credentials have expired: log in again (aws sso login)",
        ),
        (
            "InvalidClientTokenId",
            "AWS does not accept the credentials (InvalidClientTokenId): check them with "
            "aws sts get-caller-identity",
        ),
        (
            "SignatureDoesNotMatch",
            "AWS does not accept the credentials (SignatureDoesNotMatch): check them with "
            "aws sts get-caller-identity",
        ),
        (
            "RequestTimeTooSkewed",
            "AWS refuses the time of this machine's clock: set the clock right",
        ),
    ],
)
def test_credentials_that_sts_refuses(
    study: Path, double: AwsDouble, code: str, message: str
) -> None:
    double.break_next("GetCallerIdentity", status=403, code=code)
    assert start_error(study) == message + MORE
    assert double.calls == ["GetCallerIdentity"]


# --- preflight -----------------------------------------------------------------------------------


def preflight(study: Path, **changes: object) -> list[str]:
    settings = AwsBatchSettings(**{**SETTINGS.__dict__, **changes})
    findings = AwsBatchExecutor.preflight(settings, make_context(study))
    assert all(finding.is_error for finding in findings)
    return [str(finding).removeprefix("executors.aws-batch: ") for finding in findings]


def test_preflight_finds_nothing_wrong(study: Path, double: AwsDouble) -> None:
    assert preflight(study) == []
    assert double.count("PutObject") == 1


def test_preflight_says_nothing_of_aws_while_settings_are_wrong(
    study: Path, double: AwsDouble
) -> None:
    assert preflight(study, queue=None) == []
    assert double.calls == []


def test_preflight_tells_everything_at_once(study: Path, double: AwsDouble) -> None:
    double.queues[QUEUE]["state"] = "DISABLED"
    double.definitions[DEFINITION][0].status = "INACTIVE"
    assert preflight(study, bucket="no-such-bucket") == [
        "the job queue 'models' is DISABLED: enable it in AWS Batch",
        "no active job definition 'tiny-model' in eu-west-1: register it, or set "
        "executors.aws-batch.job_definition",
        "no S3 bucket no-such-bucket: create it, or set executors.aws-batch.bucket",
    ]


def test_preflight_stops_at_credentials(study: Path, double: AwsDouble) -> None:
    double.break_next("GetCallerIdentity", status=403, code="ExpiredToken")
    assert len(preflight(study)) == 1
    assert double.calls == ["GetCallerIdentity"]


def test_unknown_queue(study: Path, double: AwsDouble) -> None:
    expected = "no job queue 'other' in eu-west-1: set executors.aws-batch.queue and "
    expected += "executors.aws-batch.region"
    assert preflight(study, queue="other") == [expected]
    assert start_error(study, queue="other") == expected + MORE


def test_invalid_queue(study: Path, double: AwsDouble) -> None:
    double.queues[QUEUE] |= {"status": "INVALID", "statusReason": "no subnet"}
    assert preflight(study) == ["the job queue 'models' is INVALID: no subnet"]
    double.queues[QUEUE] |= {"status": "UPDATING", "statusReason": ""}
    assert preflight(study) == ["the job queue 'models' is UPDATING: wait until it is VALID"]


def test_a_revision_of_a_definition_can_be_named(study: Path, double: AwsDouble) -> None:
    assert preflight(study, job_definition="tiny-model:1") == []
    assert preflight(study, job_definition="tiny-model:7") == [
        "no active job definition 'tiny-model:7' in eu-west-1: register it, or set "
        "executors.aws-batch.job_definition"
    ]


def test_a_definition_of_several_containers(study: Path, double: AwsDouble) -> None:
    double.definitions[DEFINITION][0].is_container = False
    assert preflight(study) == [
        "the job definition 'tiny-model' is not one of a single container: register such a one"
    ]


def test_a_bucket_that_cannot_be_read(study: Path, double: AwsDouble) -> None:
    double.break_next("HeadBucket", status=403)
    assert preflight(study) == [
        "AWS denies s3:ListBucket on s3://study-bucket: allow it in the IAM policy "
        "(examples/aws/submitter-policy.json)"
    ]


def test_a_prefix_that_cannot_be_written(study: Path, double: AwsDouble) -> None:
    double.break_next("PutObject", status=403, code="AccessDenied")
    assert preflight(study) == [
        "AWS denies s3:PutObject on s3://study-bucket/ingest/preflight: allow it in the IAM "
        "policy (examples/aws/submitter-policy.json)"
    ]


# --- while submitting ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (
            403,
            "AccessDeniedException",
            "AWS denies batch:SubmitJob on queue models: allow it in the IAM policy "
            "(examples/aws/submitter-policy.json)",
        ),
        (
            403,
            "UnrecognizedClientException",
            "AWS does not accept the credentials (UnrecognizedClientException): check them with "
            "aws sts get-caller-identity",
        ),
        (
            403,
            "ExpiredTokenException",
            "the AWS credentials have expired: log in again (aws sso login)",
        ),
        (
            400,
            "ClientException",
            "AWS refuses SubmitJob on queue models: told by the double",
        ),
        (
            400,
            "LimitExceededException",
            "an AWS quota is used up (LimitExceededException): told by the double",
        ),
    ],
)
def test_a_submission_that_is_refused(
    study: Path, double: AwsDouble, status: int, code: str, message: str
) -> None:
    with started(study) as executor:
        double.break_next("SubmitJob", status=status, code=code)
        with pytest.raises(BackendError) as caught:
            list(executor.submit([make_job("A", b"{}")]))
    assert str(caught.value) == message
    assert double.count("SubmitJob") == 1


def test_a_bucket_that_vanishes(study: Path, double: AwsDouble) -> None:
    with started(study) as executor:
        double.s3.delete_bucket(Bucket=BUCKET)
        with pytest.raises(BackendError) as caught:
            list(executor.submit([make_job("A", b"{}")]))
    message = "no S3 bucket study-bucket: create it, or set executors.aws-batch.bucket"
    assert str(caught.value) == message


def test_a_network_that_goes_away_ends_the_run_and_fails_no_job(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_double(study) as double:
        use_double(double, monkeypatch)
        with started(study) as executor:
            double.close()
            with pytest.raises(BackendError) as caught:
                list(executor.submit([make_job("A", b"{}"), make_job("B", b"{}")]))
    assert str(caught.value).endswith("cannot be reached: check the network and the region")


# --- what no double can be made to do ------------------------------------------------------------


CALL = AwsCall("batch", "SubmitJob", "queue models")


@pytest.mark.parametrize(
    ("exc", "trouble", "message"),
    [
        (
            boto.ConnectTimeoutError(endpoint_url=URL),
            Trouble.UNSENT,
            f"{URL} cannot be reached: check the network and the region",
        ),
        (
            boto.ReadTimeoutError(endpoint_url=URL),
            Trouble.DOUBTFUL,
            f"{URL} gave no answer to SubmitJob in time",
        ),
        (
            boto.ConnectionClosedError(endpoint_url=URL),
            Trouble.DOUBTFUL,
            f"the connection to {URL} broke during SubmitJob",
        ),
        (
            boto.SSLError(endpoint_url=URL, error="certificate verify failed"),
            Trouble.FATAL,
            f"no secure connection to {URL}: certificate verify failed",
        ),
        (
            boto.ProxyConnectionError(proxy_url="http://me:pw@proxy", error="x"),
            Trouble.UNSENT,
            "the proxy cannot be reached: check HTTPS_PROXY",
        ),
        (
            boto.ParamValidationError(report="Missing jobName"),
            Trouble.REFUSED,
            "SubmitJob cannot be sent for queue models: Missing jobName",
        ),
        (
            boto.CredentialRetrievalError(provider="custom", error_msg="exit 1"),
            Trouble.FATAL,
            "the AWS credentials cannot be read: Error when retrieving credentials from custom: "
            "exit 1",
        ),
        (
            boto.UnknownServiceError(service_name="batsh", known_service_names=["batch"]),
            Trouble.REFUSED,
            "SubmitJob failed for queue models: Unknown service: 'batsh'. Valid service names "
            "are: ['batch']",
        ),
        (
            ClientError({"Error": {"Code": "SlowDown"}}, "SubmitJob"),
            Trouble.THROTTLED,
            "AWS answers SubmitJob with too many requests (SlowDown)",
        ),
        (
            ClientError({"Error": {"Code": "Odd", "Message": "a\nb //u:p@h"}}, "SubmitJob"),
            Trouble.REFUSED,
            "AWS refuses SubmitJob on queue models: a b //h",
        ),
        (
            ClientError({"Error": {"Code": "PermanentRedirect"}}, "SubmitJob"),
            Trouble.FATAL,
            "queue models is in another region: set executors.aws-batch.region to it",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_failures_that_are_translated(exc: Exception, trouble: Trouble, message: str) -> None:
    error = translate(exc, CALL)
    assert (error.trouble, str(error)) == (trouble, message)


def test_an_upload_error_of_boto3_is_one_line() -> None:
    from boto3.exceptions import S3UploadFailedError

    error = translate(S3UploadFailedError("no\nway"), AwsCall("s3", "PutObject", "s3://b/k"))
    assert str(error) == "PutObject failed for s3://b/k: no way"


def test_a_long_message_of_a_service_loses_its_middle() -> None:
    refused = ClientError({"Error": {"Code": "Odd", "Message": "x" * 5_000_000}}, "SubmitJob")
    message = str(translate(refused, AwsCall("batch", "SubmitJob", "queue q")))
    assert message.startswith("AWS refuses")
    assert "bytes left out" in message
    assert len(message) < 1_100
