"""Jobs of the dev server: what was accepted, and the state of each at a moment."""

from __future__ import annotations

import hashlib
import heapq
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.clock import Clock
from ingest.executors.base import JobFault
from ingest.executors.job_name import new_ulid

NEVER = float("inf")
_BEFORE_RUNNING = ("SUBMITTED", "RUNNABLE", "STARTING")


@dataclass
class DevJob:
    """An accepted job. Times are seconds of the server's clock; began_at and ended_at are NEVER
    until known. subject names it for the dice: the same in every run with the same documents.
    """

    job_id: str
    ulid: str
    environment: str
    digest: str
    subject: str
    accepted_at: float
    starts_at: float
    began_at: float = NEVER
    ended_at: float = NEVER
    fault: JobFault | None = None
    result: bytes | None = None

    @property
    def job_name(self) -> str:
        """The name that the server gives: botech-sim-{environment}-{ULID}."""
        return f"botech-sim-{self.environment}-{self.ulid}"

    def state(self, now: float) -> str:
        """AWS Batch's word for where the job is."""
        if now >= self.ended_at:
            return "FAILED" if self.fault else "SUCCEEDED"
        if now >= self.began_at:
            return "RUNNING"
        wait_s = self.starts_at - self.accepted_at
        if now >= self.starts_at or wait_s <= 0:
            return "RUNNABLE"  # it waits for a worker
        return _BEFORE_RUNNING[int((now - self.accepted_at) / wait_s * 3)]


def document_digest(document: bytes) -> str:
    """SHA-256 of a document as it was posted."""
    return hashlib.sha256(document).hexdigest()


class JobBook:
    """Every job that was accepted, by its id and its ULID; safe to use from many threads.

    start_time_s: how long a job waits before it runs. job_time_s: how long it runs at least.
    """

    def __init__(
        self,
        clock: Clock,
        wall_time_s: Callable[[], float],
        start_time_s: float = 0.0,
        job_time_s: float = 0.0,
    ) -> None:
        self._start_time_s, self._job_time_s = start_time_s, job_time_s
        self._clock = clock
        # what the clock's zero is as a date, so that startedAt is one
        self._epoch_s = wall_time_s() - clock.now()
        self._lock = threading.Lock()
        self._by_id: dict[str, DevJob] = {}
        self._by_ulid: dict[str, DevJob] = {}
        self._documents: Counter[str] = Counter()
        self._ends: list[tuple[float, str]] = []
        self._in_flight = 0
        self._most_in_flight = 0
        self._ended: Counter[str] = Counter()

    def accept(self, environment: str, document: bytes) -> DevJob:
        """A new job for a document; each call is another job, as there is no idempotency key."""
        digest = document_digest(document)
        now = self._clock.now()
        with self._lock:
            self._documents[digest] += 1
            job = DevJob(
                job_id=str(uuid.uuid4()),
                ulid=new_ulid(),
                environment=environment,
                digest=digest,
                subject=f"{environment} {digest} {self._documents[digest]}",
                accepted_at=now,
                starts_at=now + self._start_time_s,
            )
            self._by_id[job.job_id] = self._by_ulid[job.ulid] = job
            self._count_ends(now)
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)
        return job

    def begin(self, job: DevJob) -> None:
        """The job runs from now on, or from the end of its start time where that is later."""
        with self._lock:
            job.began_at = max(self._clock.now(), job.starts_at)

    def end(self, job: DevJob, result: bytes | None, fault: JobFault | None) -> None:
        """The job has ended, or will have once it has run for its job time."""
        with self._lock:
            job.result, job.fault = result, fault
            if job.began_at == NEVER:
                job.began_at = max(self._clock.now(), job.starts_at)
            job.ended_at = max(self._clock.now(), job.began_at + self._job_time_s)
            heapq.heappush(self._ends, (job.ended_at, job.job_id))

    @property
    def first(self) -> DevJob:
        """The job that was accepted first; there has to be one."""
        return next(iter(self._by_id.values()))

    def find(self, job_id: str) -> DevJob | None:
        """The job with an id."""
        return self._by_id.get(job_id)

    def find_ulid(self, environment: str, ulid: str) -> DevJob | None:
        """The job with a ULID, if it was submitted for this environment."""
        job = self._by_ulid.get(ulid)
        return job if job is not None and job.environment == environment else None

    def unix_time_s(self, moment: float) -> float:
        """A moment of the server's clock in seconds since 1970."""
        return self._epoch_s + moment

    def _count_ends(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, job_id = heapq.heappop(self._ends)
            self._in_flight -= 1
            self._ended[self._by_id[job_id].state(now)] += 1

    def as_dict(self) -> dict[str, Any]:
        """The counts, as JSON has them; documents: how often each was accepted, by SHA-256."""
        with self._lock:
            self._count_ends(self._clock.now())
            return {
                "accepted": len(self._by_id),
                "documents": dict(self._documents),
                "largest_count": max(self._documents.values(), default=0),
                "in_flight": self._in_flight,
                "in_flight_max": self._most_in_flight,
                "succeeded": self._ended["SUCCEEDED"],
                "failed": self._ended["FAILED"],
            }
