"""[executors.run-api]: the settings, and what can be wrong with them or with the service."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.errors import BackendError
from ingest.executors.base import ExecutorContext
from ingest.executors.run_api.client import RunApiClient
from ingest.findings import Finding, error
from ingest.services.http_calls import find_url_problem
from ingest.study.setting_fields import setting

_WHERE = "executors.run-api"
_NO_RESULTS = (
    "the run API brings no results, and it is not known where they are. Name one place: "
    "--set analytics.url=https://HOST, the address of the analytics API, or "
    "--set analytics.s3.location=s3://BUCKET/KEY with {ulid} in it; with several, "
    "--set analytics.source=NAME says which"
)


@dataclass(frozen=True)
class RunApiSettings:
    """[executors.run-api]: the run API, which starts jobs on AWS Batch."""

    url: str | None = setting(None, "address of the run API; may hold `user:password@`")
    submit_concurrency: int = setting(16, "documents sent side by side, at most", minimum=1)
    status_concurrency: int = setting(16, "jobs asked about side by side, at most", minimum=1)
    health_timeout_s: float = setting(10.0, "time-out of the health check in seconds", above=0)
    submit_timeout_s: float = setting(60.0, "time-out of a submission in seconds", above=0)
    status_timeout_s: float = setting(30.0, "time-out of a status call in seconds", above=0)
    submit_tries: int = setting(
        6, "how often a document is offered while the API answers 429 or 503", minimum=1
    )
    lost_answer_retries: int = setting(
        0,
        "how often a job is submitted again after the answer to its submission was lost; "
        "each time it may run twice",
        minimum=0,
    )


def find_problems(settings: RunApiSettings, context: ExecutorContext) -> list[Finding]:
    """Whether there is an address, an environment it can take, and a source of results."""
    findings = []
    if not settings.url:
        message = f"url is missing, the address of the run API: --set {_WHERE}.url=https://HOST"
        findings.append(error("no-url", _WHERE, message))
    elif problem := find_url_problem(settings.url):
        findings.append(error("bad-value", _WHERE, f"url cannot be used: {problem}"))
    if "-" in context.environment or not context.environment:
        message = f"{context.environment!r}: an environment of the run API holds no hyphen"
        findings.append(error("bad-value", "study.environment", message))
    if context.analytics.source == "executor":
        findings.append(error("no-results", "analytics", _NO_RESULTS))
    return findings


def find_service_problems(settings: RunApiSettings) -> list[Finding]:
    """Whether the service answers that it is healthy."""
    if not settings.url or find_url_problem(settings.url):
        return []  # find_problems() says so
    try:
        check_health(settings)
    except BackendError as exc:
        return [error("unreachable", _WHERE, str(exc))]
    return []


def check_health(settings: RunApiSettings) -> None:
    """Raises BackendError unless the service answers that it is healthy."""
    client = RunApiClient(settings.url or "", settings.health_timeout_s)
    try:
        client.check_health()
    finally:
        client.close()
