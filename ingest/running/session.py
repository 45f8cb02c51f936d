"""One run while it goes on: its jobs' names, its counts, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.analytics.completeness import Completeness
from ingest.analytics.fetcher import ResultFetcher
from ingest.database.records import JobOutcome, JobStatus, RunStatus, StoredResult
from ingest.executors.base import Executor, JobFault
from ingest.plugins.events import RunProgress
from ingest.running.claims import Claims
from ingest.running.closing import RunChanges, RunQuality
from ingest.running.processor import AnalyticsProcessor
from ingest.running.scheduler import Scheduler
from ingest.study.combination import Combination
from ingest.text.times import clock_text


@dataclass(frozen=True)
class RunReport:
    """What a run came to. values: metric rows of its successes, whether new or known before."""

    run_id: int
    status: RunStatus
    is_resumed: bool
    total_jobs: int
    successful_jobs: int
    restored_jobs: int
    """Of the successful ones, those that took a result computed before."""
    failed_jobs: int
    values: int
    new_result_sets: int
    known_result_sets: int
    changes: RunChanges | None
    """None for a first run, and for one that was interrupted."""
    quality: RunQuality
    elapsed_s: float


@dataclass
class RunSession:
    """One run while it goes on; by_ulid and ulids hold the jobs that have not ended."""

    run_id: int
    executor: Executor
    fetcher: ResultFetcher
    processor: AnalyticsProcessor
    scheduler: Scheduler[Combination]
    completeness: Completeness
    claims: Claims
    total: int
    started: float
    is_resumed: bool
    restored: int = 0
    succeeded: int = 0
    failed: int = 0
    values: int = 0
    new_result_sets: int = 0
    known_result_sets: int = 0
    ulids: dict[Combination, str] = field(default_factory=dict)
    job_names: dict[Combination, str] = field(default_factory=dict)
    by_ulid: dict[str, Combination] = field(default_factory=dict)
    doubts: dict[Combination, JobFault] = field(default_factory=dict)
    """What was said last of jobs whose state was not known."""

    def rename(self, combination: Combination, ulid: str, job_name: str) -> None:
        """Give a job the names of its newest attempt."""
        self.by_ulid.pop(self.ulids.get(combination, ""), None)
        self.ulids[combination] = ulid
        self.job_names[combination] = job_name
        self.by_ulid[ulid] = combination

    def forget(self, combination: Combination) -> None:
        """A job has ended."""
        del self.by_ulid[self.ulids.pop(combination)]
        del self.job_names[combination]
        self.doubts.pop(combination, None)

    def count(self, outcome: JobOutcome, stored: StoredResult | None) -> None:
        """Count a job's end."""
        self.succeeded += outcome.job_status is JobStatus.SUCCESS
        self.failed += outcome.job_status is not JobStatus.SUCCESS
        self.values += len(outcome.result_set) if outcome.result_set else 0
        if stored is not None:
            self.new_result_sets += stored.is_new
            self.known_result_sets += not stored.is_new

    def withdraw(self, combination: Combination, values: int) -> None:
        """A success that was counted is none; values: how many it had."""
        self.succeeded -= 1
        self.failed += 1
        self.values -= values
        self.completeness.forget(combination)

    def progress(self, now: float) -> RunProgress:
        """Progress so far: counts by state, elapsed time."""
        return RunProgress(
            run_id=self.run_id,
            total=self.total,
            succeeded=self.succeeded,
            failed=self.failed,
            in_flight=len(self.scheduler.in_flight),
            running=self.scheduler.running,
            in_doubt=self.scheduler.in_doubt,
            fetching=self.fetcher.pending,
            waits=self._waits(),
            elapsed_s=now - self.started,
        )

    def _waits(self) -> tuple[str, ...]:
        """What the executor and the source of results wait for now, and until when."""
        waits = list(self.executor.waits())
        if held := self.fetcher.hold():
            waits.append(f"no results are fetched until {clock_text(held[0])}: {held[1]}")
        return tuple(waits)

    def report(
        self, status: RunStatus, changes: RunChanges | None, quality: RunQuality, now: float
    ) -> RunReport:
        """What the run came to."""
        return RunReport(
            run_id=self.run_id,
            status=status,
            is_resumed=self.is_resumed,
            total_jobs=self.total,
            successful_jobs=self.succeeded,
            restored_jobs=self.restored,
            failed_jobs=self.failed,
            values=self.values,
            new_result_sets=self.new_result_sets,
            known_result_sets=self.known_result_sets,
            changes=changes,
            quality=quality,
            elapsed_s=now - self.started,
        )
