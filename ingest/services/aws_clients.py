"""boto3 clients for S3, Batch and STS with fixed retries; a failed call becomes one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ingest.services.aws_answers import mark_foreign_answer
from ingest.services.aws_errors import (
    AwsCall,
    AwsError,
    AwsPlace,
    Trouble,
    aws_exceptions,
    translate,
)

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

Answer = TypeVar("Answer")

_CONNECT_TIMEOUT_S = 10
_ATTEMPTS = 4


class AwsClients:
    """Clients made when they are first needed; shared by threads once made.

    Make each in one thread (a session is not safe to share); call them from any.
    """

    def __init__(self, place: AwsPlace) -> None:
        self._place = place

    @cached_property
    def s3(self) -> S3Client:
        """S3; failures that can pass are tried again by the client itself."""
        return self._client("s3", _ATTEMPTS)  # type: ignore[no-any-return]

    @cached_property
    def batch(self) -> BatchClient:
        """Batch, for everything that may be asked twice."""
        return self._client("batch", _ATTEMPTS)  # type: ignore[no-any-return]

    @cached_property
    def batch_once(self) -> BatchClient:
        """Batch, for SubmitJob: one lost answer tried again would make two jobs."""
        return self._client("batch", 1)  # type: ignore[no-any-return]

    @cached_property
    def sts(self) -> STSClient:
        """STS, which tells who we are."""
        return self._client("sts", _ATTEMPTS)  # type: ignore[no-any-return]

    @cached_property
    def _session(self) -> Session:
        import boto3

        return boto3.Session(region_name=self._place.region, profile_name=self._place.profile)

    def _client(self, service: str, attempts: int) -> Any:
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=self._place.connections,
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=self._place.read_timeout_s,
        )
        with self.calling(service, "connect", service):
            client = self._session.client(service, config=config)  # type: ignore[call-overload]
        client.meta.events.register(f"before-parse.{service}", mark_foreign_answer)
        return client

    @contextmanager
    def calling(self, service: str, operation: str, thing: str) -> Iterator[None]:
        """For calls within the block: raises AwsError. thing: what they are about, for messages."""
        try:
            yield
        except AwsError:
            raise
        except aws_exceptions() as exc:
            raise translate(exc, AwsCall(service, operation, thing, self._place)) from exc

    def check_bucket(self, bucket: str) -> None:
        """Ask for a bucket, to see that it is there and ours to read. Raises AwsError."""
        with self.calling("s3", "HeadBucket", f"s3://{bucket}"):
            self.s3.head_bucket(Bucket=bucket)

    def read_object(self, bucket: str, key: str) -> bytes:
        """The bytes of an object. Raises AwsError."""
        with self.calling("s3", "GetObject", f"s3://{bucket}/{key}"):
            # the body is read within the call: the connection may break there too
            return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    @property
    def region(self) -> str:
        """The region that is called. Raises AwsError when none is set."""
        return self.s3.meta.region_name


def find_or_none(call: Callable[[], Answer]) -> Answer | None:
    """What a call gives, None where the thing asked for is not there. Raises AwsError."""
    try:
        return call()
    except AwsError as exc:
        if exc.trouble is Trouble.MISSING:
            return None
        raise
