"""AWS Batch's words for the states of a job; the run API in front of it passes them on."""

from __future__ import annotations

from ingest.executors.base import JobState

BATCH_STATES = {
    **dict.fromkeys(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING"), JobState.SUBMITTED),
    "RUNNING": JobState.RUNNING,
    "SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
}
# How a reason begins where the machine was taken away, e.g. a spot instance.
HOST_LOST = "Host EC2"
# How reasons begin where the container never started, so that nothing of the job has run.
NOT_STARTED = (
    "Task failed to start",
    "CannotPull",
    "CannotCreateContainer",
    "CannotStartContainer",
    "ResourceInit",
)
