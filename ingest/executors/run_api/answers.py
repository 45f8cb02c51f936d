"""What the run API's answers mean: pure, from status code, headers and body.

The API's description was read off its clients and their files; where it leaves a question open,
whatever can be understood is accepted, and everything else becomes a state of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ingest.executors.base import JOB_LOST, JobFault, JobState
from ingest.executors.batch_words import BATCH_STATES, HOST_LOST, NOT_STARTED
from ingest.services.http_answers import (
    HttpAnswer,
    find_barrier,
    parse_json,
    read_detail,
    retry_after,
)

BARRIER_HINT = "check the address, user and password in executors.run-api.url"


class Outcome(StrEnum):
    """What became of one attempt to submit a document.

    BUSY and NOT_SENT: certainly not accepted, may be tried again. REFUSED: certainly not accepted,
    and never will be. LOST: nobody can tell. UNUSABLE: no job can be submitted at all.
    """

    ACCEPTED = "accepted"
    BUSY = "busy"
    NOT_SENT = "not sent"
    REFUSED = "refused"
    LOST = "lost"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class SubmitAnswer:
    """The outcome of a submission; reason says in words what was answered, where not accepted."""

    outcome: Outcome
    reason: str = ""
    job_id: str | None = None
    job_name: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True)
class StatusAnswer:
    """What the API says of a job; execution: when it was started, the last time."""

    state: JobState
    fault: JobFault | None = None
    execution: str = ""
    retry_after_s: float | None = None


# --- POST /run/{environment} ---------------------------------------------------------------------


def parse_submit_answer(answer: HttpAnswer, environment: str, size: int) -> SubmitAnswer:
    """What an answer to POST /run/{environment} says; size: of the document, in bytes."""
    status, asked = answer.status, f"POST /run/{environment}"
    barrier = find_barrier(answer)
    if barrier is not None:
        return SubmitAnswer(Outcome.UNUSABLE, f"{barrier} when asked for {asked}: {BARRIER_HINT}")
    if 200 <= status < 300:
        return _parse_acceptance(answer)
    if status in (429, 503):
        return SubmitAnswer(Outcome.BUSY, f"answered {status}", retry_after_s=retry_after(answer))
    if status == 404:
        why = f"knows no environment {environment!r} (study.environment), or its address is wrong"
        return SubmitAnswer(Outcome.UNUSABLE, f"{why}: {asked} was answered 404")
    # 408 is told by proxies also after a request has been passed on
    if 400 <= status < 500 and status != 408:
        detail = read_detail(answer.body)
        what = f" to a document of {size / 1e6:,.3g} MB" if status == 413 else ""
        why = f": {detail}" if detail else ""
        return SubmitAnswer(Outcome.REFUSED, f"answered {status}{what}{why}")
    return SubmitAnswer(Outcome.LOST, f"answered {status}")


def _parse_acceptance(answer: HttpAnswer) -> SubmitAnswer:
    content = parse_json(answer.body)
    job_id = content.get("jobId") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not _is_name(job_id):
        return SubmitAnswer(Outcome.LOST, f"answered {answer.status} without a readable jobId")
    job_name = content.get("jobName")
    return SubmitAnswer(
        Outcome.ACCEPTED, job_id=job_id, job_name=job_name if _is_name(job_name) else None
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


# --- GET /status/{jobId} -------------------------------------------------------------------------


def parse_status_answer(answer: HttpAnswer, job_id: str) -> StatusAnswer:
    """What an answer to GET /status/{jobId} says, any that is the API's own."""
    if answer.status == 404:
        message = f"the run API knows no job {job_id} any more (404)"
        return StatusAnswer(JobState.UNKNOWN, JobFault(JOB_LOST, message))
    if answer.status != 200:
        return unreachable(f"answered {answer.status}", retry_after(answer))
    content = parse_json(answer.body)
    if content is None:
        return unreachable("answered 200 with a body that is no JSON")
    if not isinstance(content, dict):
        return _unknown(f"of job {job_id} is no object")
    if content.get("jobId") not in (None, job_id):
        return _unknown(f"to the question for job {job_id} is about {content['jobId']!r:.100}")
    word = content.get("jobStatus")
    state = BATCH_STATES.get(word.strip().upper()) if isinstance(word, str) else None
    if state is None:
        said = f"{word!r:.100}" if "jobStatus" in content else "missing"
        return _unknown(f"of job {job_id} names no known state: jobStatus is {said}")
    fault = _read_fault(content) if state is JobState.FAILED else None
    started = content.get("startedAt")
    return StatusAnswer(state, fault, str(started) if isinstance(started, int) else "")


def unreachable(reason: str, retry_after_s: float | None = None) -> StatusAnswer:
    """The answer that a call without a usable answer stands for."""
    fault = JobFault("unreachable", f"the run API could not be asked: {reason}")
    return StatusAnswer(JobState.UNREACHABLE, fault, retry_after_s=retry_after_s)


def _unknown(what: str) -> StatusAnswer:
    fault = JobFault("unknown status", f"the run API's answer {what}")
    return StatusAnswer(JobState.UNKNOWN, fault)


def _read_fault(content: Mapping[str, Any]) -> JobFault:
    """Why a job failed: the reason, its exit code, and where its log is."""
    exit_code, stream = content.get("exitCode"), content.get("logStreamName")
    has_code = isinstance(exit_code, int) and not isinstance(exit_code, bool)
    told = content.get("statusReason")
    reason = read_detail(told.encode()) if isinstance(told, str) else ""
    lines = [reason or "the job failed, and the run API gives no reason"]
    if has_code:
        lines[0] += f" (exit code {exit_code})"
    if isinstance(stream, str) and stream:
        lines.append(f"log stream: {read_detail(stream.encode())}")
    can_pass = reason.startswith((HOST_LOST, *NOT_STARTED))
    return JobFault("job failed", "\n".join(lines), can_pass)
