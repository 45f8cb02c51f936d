"""Asking AWS whether a run could work: credentials, queue, job definition, bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ingest.executors.aws_batch.settings import WHERE, AwsBatchSettings
from ingest.executors.aws_batch.store import JobStore
from ingest.findings import Finding, error
from ingest.services.aws_clients import AwsClients
from ingest.services.aws_errors import AwsError

_REVISION = re.compile(r"arn:.*|.*:\d+")


def find_problems(
    clients: AwsClients, store: JobStore, settings: AwsBatchSettings, *, write: bool
) -> Iterator[Finding]:
    """What is wrong in AWS, each finding with its remedy; nothing more after credentials fail.

    write: also put a marker object, to see that the prefix may be written.
    """
    problem = _asked("aws-credentials", lambda: _ask_identity(clients))
    if problem is not None:
        yield problem
        return
    definition = settings.job_definition or ""
    questions: list[tuple[str, Callable[[], str | None]]] = [
        ("aws-queue", lambda: _queue_problem(clients, settings.queue or "")),
        ("aws-job-definition", lambda: _definition_problem(clients, definition)),
        ("aws-bucket", lambda: clients.check_bucket(store.place.bucket)),
    ]
    if write:
        questions.append(("aws-bucket", lambda: store.probe()))
    told = set()
    for code, question in questions:
        problem = _asked(code, question)
        if problem is not None and problem.message not in told:
            told.add(problem.message)
            yield problem


def _asked(code: str, question: Callable[[], str | None]) -> Finding | None:
    """The finding that a question gives, or that comes of asking."""
    try:
        message = question()
    except AwsError as exc:
        message = str(exc)
    return error(code, WHERE, message) if message else None


def _ask_identity(clients: AwsClients) -> None:
    with clients.calling("sts", "GetCallerIdentity", "these credentials"):
        clients.sts.get_caller_identity()


def _queue_problem(clients: AwsClients, queue: str) -> str | None:
    with clients.calling("batch", "DescribeJobQueues", f"queue {queue}"):
        answer = clients.batch.describe_job_queues(jobQueues=[queue])
    if not answer["jobQueues"]:
        return f"no job queue {queue!r} in {clients.region}: set {WHERE}.queue and {WHERE}.region"
    found = answer["jobQueues"][0]
    if found["state"] != "ENABLED":
        return f"the job queue {queue!r} is {found['state']}: enable it in AWS Batch"
    if found.get("status", "VALID") != "VALID":
        reason = found.get("statusReason", "")
        return f"the job queue {queue!r} is {found['status']}: {reason or 'wait until it is VALID'}"
    return None


def _definition_problem(clients: AwsClients, name: str) -> str | None:
    asked: dict[str, Any] = {"jobDefinitionName": name, "status": "ACTIVE"}
    if _REVISION.fullmatch(name):
        asked = {"jobDefinitions": [name]}
    with clients.calling("batch", "DescribeJobDefinitions", f"job definition {name}"):
        answer = clients.batch.describe_job_definitions(**asked)
    active = [d for d in answer["jobDefinitions"] if d.get("status") == "ACTIVE"]
    if not active:
        where = f"{WHERE}.job_definition"
        return f"no active job definition {name!r} in {clients.region}: register it, or set {where}"
    newest = max(active, key=lambda definition: definition["revision"])
    if newest["type"] != "container" or "containerProperties" not in newest:
        return f"the job definition {name!r} is not one of a single container: register such a one"
    return None
