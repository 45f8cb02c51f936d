"""What plugins and displays are told while a run goes on."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.study.combination import Combination


@dataclass(frozen=True)
class JobFinished:
    """One job has ended and is stored. job_status: success, failed, timeout or cancelled."""

    run_id: int
    combination: Combination
    ulid: str
    job_status: str
    attempts: int
    duration_s: float | None
    row_count: int
    is_new_result: bool
    error_kind: str | None
    error: str | None


@dataclass(frozen=True)
class RunFinished:
    """A run has ended and is stored. status: completed, failed or interrupted."""

    run_id: int
    status: str
    git_commit: str
    total_jobs: int
    successful_jobs: int
    failed_jobs: int
    elapsed_s: float


@dataclass(frozen=True)
class RunProgress:
    """Where a run is now; done counts ended jobs, those of before a resumption included.

    in_doubt: jobs in flight whose state is unknown or could not be asked for. fetching: jobs that
    have ended well and whose results are on the way. waits: what is waited for, and until when.
    """

    run_id: int
    total: int
    succeeded: int
    failed: int
    in_flight: int
    running: int
    elapsed_s: float
    in_doubt: int = 0
    fetching: int = 0
    waits: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """Jobs that have ended."""
        return self.succeeded + self.failed
