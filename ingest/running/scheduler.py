"""Which job to submit, watch, stop or try again next: a plain state machine without a clock.

Time comes in as seconds from any monotonic clock; nothing here waits, sends or stores. So any
order of answers, faults and delays can be played through it, and gives the same decisions again.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Generic, TypeVar

from ingest.errors import ConfigError

Key = TypeVar("Key", bound=Hashable)

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Rate:
    """At most count in any span of span_s seconds."""

    count: int
    span_s: float


def parse_rate(text: str) -> Rate:
    """The rate that a text like "50/1s", "10/m" or "600/1h" means. Raises ConfigError."""
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d*\.?\d*)\s*(ms|s|m|h)\s*", text)
    span = float(match[2] or 1) * _UNITS_S[match[3]] if match and match[2] != "." else 0.0
    if match is None or int(match[1]) < 1 or span <= 0:
        raise ConfigError(f"submit rate {text!r}: write a number per span of time, e.g. 50/1s")
    return Rate(int(match[1]), span)


@dataclass(frozen=True)
class Limits:
    """The limits that hold for a run; rate None means as fast as the executor takes jobs."""

    max_in_flight: int = 100
    rate: Rate | None = None
    job_timeout_s: float = 3600.0
    retries: int = 2
    retry_delay_s: float = 1.0
    retry_delay_max_s: float = 300.0
    poll_interval_s: float = 0.0
    poll_interval_max_s: float = 30.0
    unknown_limit_s: float = 600.0
    unreachable_limit_s: float = 600.0


# A job is asked about again after this share of its time in flight, within the limits of the
# interval: a long job costs few questions, and is still noticed soon after its end.
_SHARE_OF_AGE = 0.1


class Phase(Enum):
    """Where a job is in its life; from HANDED_IN to RUNNING it is in flight."""

    WAITING = auto()
    HANDED_IN = auto()
    SUBMITTED = auto()
    RUNNING = auto()
    FETCHING = auto()
    ENDED = auto()


@dataclass
class _Job:
    phase: Phase = Phase.WAITING
    attempts: int = 0
    not_before: float = 0.0
    accepted_at: float = 0.0
    running_since: float | None = None
    execution: str = ""
    ask_at: float = 0.0
    unknown_since: float | None = None
    unreachable_since: float | None = None


class Scheduler(Generic[Key]):
    """The life of every job of a run, and what is due at a given time."""

    def __init__(
        self,
        keys: Iterable[Key],
        limits: Limits,
        jitter: Callable[[], float] = lambda: 0.5,
        attempts: Mapping[Key, int] = MappingProxyType({}),
    ) -> None:
        """jitter gives numbers from 0 to 1 that spread further attempts out in time.

        attempts: how often jobs were submitted before, by an earlier process.
        """
        self._limits = limits
        self._jitter = jitter
        self._jobs = {key: _Job(attempts=attempts.get(key, 0)) for key in keys}
        self._waiting = deque(self._jobs)
        self._delayed: list[Key] = []
        self._in_flight: dict[Key, None] = {}
        self._submit_times: deque[float] = deque()
        self._ended = 0
        self._heard_at = -math.inf
        self._spread, self._spread_until = 0.0, -math.inf

    @property
    def is_finished(self) -> bool:
        """Whether every job has ended."""
        return self._ended == len(self._jobs)

    @property
    def in_flight(self) -> list[Key]:
        """Jobs submitted and not ended, in order of submission."""
        return list(self._in_flight)

    @property
    def running(self) -> int:
        """How many jobs are known to be running."""
        return sum(1 for key in self._in_flight if self._jobs[key].phase is Phase.RUNNING)

    @property
    def in_doubt(self) -> int:
        """How many jobs in flight have no known state, or could not be asked about."""
        jobs = (self._jobs[key] for key in self._in_flight)
        return sum(
            1 for j in jobs if j.unknown_since is not None or j.unreachable_since is not None
        )

    def attempts(self, key: Key) -> int:
        """How often a job was submitted."""
        return self._jobs[key].attempts

    def running_s(self, key: Key, now: float) -> float | None:
        """How long a job has been running, None when it was never seen to."""
        job = self._jobs[key]
        return now - job.running_since if job.running_since is not None else None

    def take_submissions(self, now: float) -> list[Key]:
        """The jobs to submit now; they count as submitted from here on."""
        due = [key for key in self._delayed if self._jobs[key].not_before <= now]
        if due:
            self._delayed = [key for key in self._delayed if self._jobs[key].not_before > now]
            self._waiting.extendleft(reversed(due))
        room = min(
            self._limits.max_in_flight - len(self._in_flight),
            len(self._waiting),
            self._allowance(now),
        )
        taken = [self._waiting.popleft() for _ in range(room)]
        for key in taken:
            self._jobs[key].attempts += 1
            self._take(key, Phase.HANDED_IN)
        if self._limits.rate:
            self._submit_times.extend([now] * len(taken))
        return taken

    def _take(self, key: Key, phase: Phase) -> None:
        job = self._jobs[key]
        job.phase = phase
        job.unknown_since = job.unreachable_since = None
        self._in_flight[key] = None

    def adopt(self, key: Key, now: float, attempts: int) -> None:
        """A job was submitted by an earlier process; it is asked about at once."""
        self._waiting.remove(key)
        self._jobs[key].attempts = attempts
        self._take(key, Phase.HANDED_IN)
        self.accepted(key, now)
        self._jobs[key].ask_at = now

    def accepted(self, key: Key, now: float) -> None:
        """A job that was handed in is at the backend, and can be asked about."""
        job = self._jobs[key]
        if job.phase is Phase.HANDED_IN:
            job.phase = Phase.SUBMITTED
            job.accepted_at = now
            job.ask_at = self._next_ask(job, now)

    def _allowance(self, now: float) -> int:
        rate = self._limits.rate
        if rate is None:
            return len(self._waiting)
        # the same sum as in wait_s: "now - span" may round to the other side of it
        while self._submit_times and self._submit_times[0] + rate.span_s <= now:
            self._submit_times.popleft()
        return rate.count - len(self._submit_times)

    def take_questions(self, now: float) -> list[Key]:
        """The jobs to ask about now; without a poll interval those are all in flight."""
        jobs = self._jobs
        due = [
            key
            for key in self._in_flight
            if jobs[key].phase is not Phase.HANDED_IN and jobs[key].ask_at <= now
        ]
        if self._limits.poll_interval_s:
            for key in due:
                jobs[key].ask_at = self._next_ask(jobs[key], now)
        return due

    def _next_ask(self, job: _Job, now: float) -> float:
        """When to ask next: on a grid of poll intervals, so that questions come together."""
        grid = self._limits.poll_interval_s
        if not grid:
            return now
        longest = max(self._limits.poll_interval_max_s, grid)
        wait = min(max((now - job.accepted_at) * _SHARE_OF_AGE, grid), longest)
        return math.floor((now + wait) / grid + 0.5) * grid

    def began(self, key: Key, now: float, execution: str = "") -> None:
        """A job was seen running; its time-out counts from the first time of this execution."""
        self.accepted(key, now)
        self.heard(key, now)
        job = self._jobs[key]
        if job.phase is Phase.SUBMITTED or execution != job.execution:
            job.phase = Phase.RUNNING
            job.running_since = now
            job.execution = execution

    def queued(self, key: Key, now: float) -> None:
        """A job waits for its turn, for the first time or because its machine was taken away."""
        self.heard(key, now)
        job = self._jobs[key]
        if job.phase is Phase.RUNNING:
            job.phase = Phase.SUBMITTED
            job.running_since = None

    def heard(self, key: Key, now: float) -> None:
        """The state of a job in flight is known."""
        job = self._jobs[key]
        job.unknown_since = job.unreachable_since = None
        self._heard_at = now

    def unknown(self, key: Key, now: float) -> None:
        """The answer about a job named no state that is known."""
        job = self._jobs[key]
        job.unreachable_since = None
        self._heard_at = now
        if job.unknown_since is None:
            job.unknown_since = now

    def unreachable(self, key: Key, now: float) -> None:
        """A job could not be asked about."""
        job = self._jobs[key]
        if job.unreachable_since is None:
            job.unreachable_since = now

    def lost(self, now: float) -> list[Key]:
        """Jobs whose state has been unknown for too long, or that alone cannot be asked about."""
        limits = self._limits
        return [
            key
            for key in self._in_flight
            for job in [self._jobs[key]]
            if _is_over(job.unknown_since, limits.unknown_limit_s, now)
            or (
                _is_over(job.unreachable_since, limits.unreachable_limit_s, now)
                and self._heard_at > (job.unreachable_since or now)
            )
        ]

    def is_cut_off(self, now: float) -> bool:
        """Whether nothing at all was heard since jobs became unreachable, for too long."""
        since = [
            job.unreachable_since
            for key in self._in_flight
            for job in [self._jobs[key]]
            if job.unreachable_since is not None and job.unreachable_since >= self._heard_at
        ]
        return bool(since) and _is_over(min(since), self._limits.unreachable_limit_s, now)

    def overdue(self, now: float) -> list[Key]:
        """Jobs that have been running for longer than the time-out."""
        timeout = self._limits.job_timeout_s
        return [
            key for key in self._in_flight if _is_over(self._jobs[key].running_since, timeout, now)
        ]

    def failed(self, key: Key, now: float, *, can_pass: bool) -> bool:
        """An attempt failed. True: it will be tried again later; False: no attempt is left.

        Jobs that fail within one poll interval are due together, so that one call hands them in.
        """
        job = self._jobs[key]
        if not can_pass or job.attempts > self._limits.retries:
            return False
        self._in_flight.pop(key, None)
        delay = self._limits.retry_delay_s * 2.0 ** min(job.attempts - 1, 100)
        grid = self._limits.poll_interval_s
        if now >= self._spread_until:
            self._spread, self._spread_until = 0.5 + self._jitter(), now + grid
        due = now + min(delay, self._limits.retry_delay_max_s) * self._spread
        job.phase = Phase.WAITING
        job.running_since = None
        job.not_before = math.ceil(due / grid) * grid if grid else due
        self._delayed.append(key)
        return True

    def fetching(self, key: Key) -> None:
        """A job has succeeded, and its results are being fetched: it is not in flight any more."""
        self._in_flight.pop(key, None)
        self._jobs[key].phase = Phase.FETCHING

    def ended(self, key: Key) -> None:
        """A job has ended, well or not."""
        self._in_flight.pop(key, None)
        self._jobs[key].phase = Phase.ENDED
        self._ended += 1

    def is_in_flight(self, key: Key) -> bool:
        """Whether a job was submitted and neither has ended nor is being fetched."""
        return key in self._in_flight

    def wait_s(self, now: float, at_most: float) -> float:
        """Seconds until something is due by itself, at most the given number."""
        due = [now + at_most]
        if self._delayed:
            due.append(min(self._jobs[key].not_before for key in self._delayed))
        limits = self._limits
        for key in self._in_flight:
            job = self._jobs[key]
            if job.running_since is not None:
                due.append(job.running_since + limits.job_timeout_s)
            if limits.poll_interval_s and job.phase is not Phase.HANDED_IN:
                due.append(job.ask_at)
        if self._waiting and len(self._in_flight) < self._limits.max_in_flight:
            rate = self._limits.rate
            full = rate is not None and len(self._submit_times) >= rate.count
            due.append(self._submit_times[0] + rate.span_s if rate and full else now)
        return max(0.0, min(due) - now)


def _is_over(since: float | None, limit_s: float, now: float) -> bool:
    return since is not None and since + limit_s <= now
