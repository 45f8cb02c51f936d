"""[executors.aws-batch]: its settings, and what can be said of them without asking AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.executors.base import ExecutorContext
from ingest.findings import Finding, error, warning
from ingest.services.s3_place import S3Place
from ingest.study.setting_fields import setting

WHERE = "executors.aws-batch"
MIN_TIMEOUT_S = 60
MAX_ATTEMPTS = 10
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]*")
_TAG = re.compile(r"[\w .:/+@-]{1,128}=[\w .:/=+@-]{0,256}")


@dataclass(frozen=True)
class AwsBatchSettings:
    """[executors.aws-batch]: containers on AWS Batch, files in S3."""

    queue: str | None = setting(None, "the job queue, by name or ARN")
    job_definition: str | None = setting(
        None, "the job definition, by name (its newest revision), name:revision or ARN"
    )
    bucket: str | None = setting(None, "the S3 bucket for documents and results")
    prefix: str = setting("ingest", "what all keys in the bucket begin with")
    array: bool = setting(True, "hand in jobs together, as array jobs of up to 10,000")
    region: str | None = setting(None, "the AWS region; that of the profile if unset")
    profile: str | None = setting(None, "the profile of ~/.aws/config; AWS_PROFILE if unset")
    attempts: int = setting(
        3, "how often Batch starts a job whose machine was lost or whose S3 failed, 1-10", minimum=1
    )
    upload_concurrency: int = setting(16, "documents stored side by side, at most", minimum=1)
    tags: tuple[str, ...] = setting((), 'tags of the jobs, e.g. ["project=asthma"]')

    @property
    def place(self) -> S3Place:
        """Where files lie; the bucket must be set."""
        return S3Place(self.bucket or "", self.prefix.strip("/"))


_REQUIRED = {
    "queue": ("the job queue", "my-queue"),
    "job_definition": ("the job definition", "my-model"),
    "bucket": ("the S3 bucket for documents and results", "my-bucket"),
}


def setting_problems(settings: AwsBatchSettings, context: ExecutorContext) -> Iterator[Finding]:
    """What is wrong or doubtful in the settings alone."""
    for key, (what, example) in _REQUIRED.items():
        if not getattr(settings, key):
            message = f"{key} is not set, {what}: --set {WHERE}.{key}={example}"
            yield error("missing-key", WHERE, message)
    if settings.bucket and not _BUCKET.fullmatch(settings.bucket):
        message = f"bucket {settings.bucket!r} is no bucket's name: write it without s3:// and path"
        yield error("bad-value", WHERE, message)
    if not _PREFIX.fullmatch(settings.prefix):
        message = f"prefix {settings.prefix!r}: use letters, digits and / . _ - alone"
        yield error("bad-value", WHERE, message)
    if settings.attempts > MAX_ATTEMPTS:
        message = f"attempts must be at most {MAX_ATTEMPTS}, not {settings.attempts}"
        yield error("bad-value", WHERE, message)
    for tag in settings.tags:
        if not _TAG.fullmatch(tag):
            yield error("bad-value", WHERE, f'tag {tag!r}: write "name=value"')
    if context.run.job_timeout_s < MIN_TIMEOUT_S:
        message = (
            f"Batch itself stops a job after {MIN_TIMEOUT_S} s at the earliest; "
            f"run.job_timeout_s is {context.run.job_timeout_s:g}"
        )
        yield warning("short-timeout", WHERE, message)


def job_tags(settings: AwsBatchSettings, context: ExecutorContext) -> dict[str, str]:
    """The tags of every job: study and environment, and those that are set."""
    own = {"ingest:study": context.study_name, "ingest:environment": context.environment}
    clean = {name: re.sub(r"[^\w .:/=+@-]", "_", text)[:256] for name, text in own.items()}
    return clean | dict(tag.split("=", 1) for tag in settings.tags)
