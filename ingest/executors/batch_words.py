"""AWS Batch's words for the states of a job; the run API in front of it passes them on."""

from __future__ import annotations

from ingest.executors.base import JobState

BATCH_STATES = {
    **dict.fromkeys(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING"), JobState.SUBMITTED),
    "RUNNING": JobState.RUNNING,
    "SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
}
# How a status reason begins where the machine was taken away, e.g. a spot instance.
HOST_LOST = "Host EC2"
