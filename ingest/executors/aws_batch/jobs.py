"""What AWS Batch says of a job, read as our states and faults; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.executors.aws_batch.store import ErrorDocument
from ingest.executors.base import JobFault, JobState
from ingest.executors.batch_words import BATCH_STATES, HOST_LOST, NOT_STARTED

# Exit codes of the worker, chosen as sysexits.h has them: bad input, and a failure that passes.
EXIT_INPUT = 65
EXIT_AGAIN = 75

# Why Batch stops a job that began: status reasons and container reasons start with these words.
_TIMED_OUT = "Job attempt duration exceeded timeout"
_OUT_OF_MEMORY = "OutOfMemory"
_SIGNAL_BASE = 128  # a shell's exit code for a process that a signal killed: this plus its number
TERMINATED = "stopped by ingest"


def retry_strategy(attempts: int) -> dict[str, Any]:
    """Which ends of a container Batch itself tries again; the first rule that fits counts."""
    return {
        "attempts": attempts,
        "evaluateOnExit": [
            {"onExitCode": str(EXIT_INPUT), "action": "EXIT"},
            {"onExitCode": str(EXIT_AGAIN), "action": "RETRY"},
            {"onStatusReason": f"{HOST_LOST}*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }


def state_of(described: Mapping[str, Any]) -> JobState:
    """The state of a job as DescribeJobs gives it; UNKNOWN for a word that is new."""
    return BATCH_STATES.get(str(described.get("status")), JobState.UNKNOWN)


def fault_of(described: Mapping[str, Any], error: ErrorDocument | None) -> JobFault:
    """Why a failed job failed: its worker's word where it left one for this attempt."""
    if error is not None and _is_of_last_attempt(described, error):
        return JobFault(error.kind, error.text, error.can_pass)
    status_reason = str(described.get("statusReason") or "")
    container = last_container(described)
    reason, exit_code = str(container.get("reason") or ""), container.get("exitCode")
    words = _joined(status_reason, reason, exit_code, container.get("logStreamName"))
    if status_reason.startswith(_TIMED_OUT):
        return JobFault("timed out", f"{words} (run.job_timeout_s)")
    if status_reason.startswith(HOST_LOST):
        return JobFault("host lost", words, can_pass=True)
    if reason.startswith(_OUT_OF_MEMORY):
        return JobFault("out of memory", f"{words}; give the job definition more memory")
    if reason.startswith(NOT_STARTED) or (status_reason.startswith(NOT_STARTED) and not exit_code):
        return JobFault("container not started", words, can_pass=True)
    if status_reason.startswith(TERMINATED) or exit_code is None:
        return JobFault("stopped", words)
    if exit_code == EXIT_AGAIN:
        return JobFault("worker stopped", words, can_pass=True)
    if exit_code > _SIGNAL_BASE:
        return JobFault("worker crashed", words, can_pass=True)
    return JobFault("container failed", words)


def last_container(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container of a job's last attempt: exitCode, reason, logStreamName where known."""
    attempts = described.get("attempts") or []
    last = dict(attempts[-1].get("container") or {}) if attempts else {}
    return {**(described.get("container") or {}), **last}


def _is_of_last_attempt(described: Mapping[str, Any], error: ErrorDocument) -> bool:
    """Whether a document tells of this job's last attempt, not of one that was tried again."""
    attempts = described.get("attempts") or []
    same_job = error.job_id in ("", described.get("jobId"))
    return same_job and error.attempt >= len(attempts)


def _joined(status_reason: str, reason: str, exit_code: int | None, log: str | None) -> str:
    """All that Batch tells of an end, on one line."""
    parts = [status_reason.strip().rstrip("."), reason.strip().rstrip(".")]
    if exit_code is not None:
        parts.append(f"exit code {exit_code}")
    if log:
        parts.append(f"log stream {log}")
    return "; ".join(part for part in parts if part) or "AWS Batch gave no reason"
