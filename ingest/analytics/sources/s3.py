"""The s3 source: results that something else writes to S3, one object for each job."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from ingest.analytics.sources.base import AnalyticsSource
from ingest.errors import BackendError, ConfigError, ResultsNotReadyError
from ingest.executors.base import ExecutorContext
from ingest.findings import Finding, error
from ingest.services.aws_clients import AwsClients
from ingest.services.aws_errors import AwsError, AwsPlace, Trouble
from ingest.services.s3_place import parse_s3_place
from ingest.study.setting_fields import setting

WHERE = "analytics.s3"
_EXAMPLE = 'location = "s3://my-bucket/users/{environment}/results/{ulid}/results.csv"'


@dataclass(frozen=True)
class S3SourceSettings:
    """[analytics.s3]: where each job's results lie."""

    location: str | None = setting(
        None, "s3://bucket/key of a job's results; {ulid}, {environment} and {study} are filled in"
    )
    region: str | None = setting(None, "the AWS region; that of the profile if unset")
    profile: str | None = setting(None, "the profile of ~/.aws/config; AWS_PROFILE if unset")


class S3Source(AnalyticsSource):
    """Reads each job's results from the object that analytics.s3.location names."""

    name: ClassVar[str] = "s3"
    Settings: ClassVar[type[S3SourceSettings]] = S3SourceSettings

    def __init__(self, settings: S3SourceSettings, context: ExecutorContext) -> None:
        super().__init__(settings, context)
        for finding in self.check(settings, context):
            raise ConfigError(str(finding))
        self._location = settings.location or ""
        self._connecting = threading.Lock()

    @classmethod
    def identity(cls, settings: S3SourceSettings) -> Mapping[str, Any]:
        """Which object of a job it reads; a bucket that moved holds the same."""
        _, _, place = (settings.location or "").partition("://")
        return {**super().identity(settings), f"{cls.name}.key": place.partition("/")[2]}

    @staticmethod
    def check(settings: S3SourceSettings, context: ExecutorContext) -> Iterator[Finding]:
        """Whether the location is there, of the right form, and different for each job."""
        if not settings.location:
            yield error("missing-key", WHERE, f"location is not set: write {_EXAMPLE} in [{WHERE}]")
            return
        try:
            _filled(settings.location, context, "01ULID")
            has_ulid = "{ulid}" in settings.location
        except ValueError as exc:
            yield error("bad-value", WHERE, f"location: {exc}; write e.g. {_EXAMPLE}")
            return
        if not has_ulid:
            message = f"location names no {{ulid}}, so all jobs share one object: {_EXAMPLE}"
            yield error("bad-value", WHERE, message)

    @staticmethod
    def preflight(settings: S3SourceSettings, context: ExecutorContext) -> Iterator[Finding]:
        """Whether the bucket is there and ours to read; nothing while the location is wrong."""
        if list(S3Source.check(settings, context)):
            return
        bucket, _ = _filled(settings.location or "", context, "01ULID")
        try:
            AwsClients(_place(settings, context)).check_bucket(bucket)
        except AwsError as exc:
            yield error("aws-bucket", WHERE, str(exc))

    @cached_property
    def _clients(self) -> AwsClients:
        clients = AwsClients(_place(self.settings, self.context))
        _ = clients.s3
        return clients

    def fetch(self, ulid: str) -> bytes:
        """The object of a job.

        Raises ResultsNotReadyError (not there yet, S3 not reachable), BackendError (credentials,
        permissions, no such bucket).
        """
        bucket, key = _filled(self._location, self.context, ulid)
        thing = f"s3://{bucket}/{key}"
        try:
            with self._connecting:
                clients = self._clients
            return clients.read_object(bucket, key)
        except AwsError as exc:
            if exc.trouble is Trouble.MISSING:
                raise ResultsNotReadyError(f"job {ulid} has no results at {thing} yet") from exc
            if exc.trouble.can_pass:
                raise ResultsNotReadyError(f"the results of job {ulid}: {exc}") from exc
            raise BackendError(str(exc)) from exc


def _place(settings: S3SourceSettings, context: ExecutorContext) -> AwsPlace:
    connections = max(10, context.analytics.concurrency)
    return AwsPlace(settings.region, settings.profile, WHERE, connections=connections)


def _filled(location: str, context: ExecutorContext, ulid: str) -> tuple[str, str]:
    """Bucket and key of a job's results. Raises ValueError: not of the form s3://bucket/key."""
    words = {"environment": context.environment, "ulid": ulid, "study": context.study_name}
    try:
        filled = location.format(**words)
    except (KeyError, IndexError, ValueError) as exc:
        raise ValueError(f"{location!r} has braces around something else ({exc})") from exc
    place = parse_s3_place(filled)
    if not place.prefix:
        raise ValueError(f"{location!r} names a bucket and no key")
    return place.bucket, place.prefix
