"""The contract between the runner and an executor: Job in, JobUpdate out.

An executor is made for one run, started, handed jobs, asked what became of them, and closed. It
never touches the database.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from ingest.errors import AnalyticsError
from ingest.findings import Finding
from ingest.plan import Combination


class JobState(StrEnum):
    """What an executor says of a job. UNKNOWN: it answered, but with no state we know."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in (JobState.SUCCEEDED, JobState.FAILED)


@dataclass(frozen=True)
class Job:
    """One combination to execute. ulid names this attempt; document is the composed JSON."""

    combination: Combination
    ulid: str
    job_name: str
    document: bytes


@dataclass(frozen=True)
class JobFault:
    """Why a job did not succeed.

    kind: a few words that failures are grouped by ("model error"). message: first line says what
    happened, further lines are the tail of its output. can_pass: worth another attempt.
    """

    kind: str
    message: str
    can_pass: bool = False


@dataclass(frozen=True)
class Submission:
    """The answer to handing in one job: external_id where the backend gave one, or the fault."""

    ulid: str
    external_id: str | None = None
    fault: JobFault | None = None


@dataclass(frozen=True)
class JobUpdate:
    """What became of a job; fault is set when state is FAILED."""

    ulid: str
    state: JobState
    fault: JobFault | None = None


@dataclass(frozen=True)
class ExecutorContext:
    """What an executor may know of the study: its folder, name, environment and limits."""

    root: Path
    study_name: str
    environment: str
    max_in_flight: int


@dataclass(frozen=True)
class NoSettings:
    """The settings of an executor or source that has none."""


class Executor(ABC):
    """One run's place of execution; its methods are called from one thread.

    Settings is a dataclass whose fields are made with ingest.setting_fields.setting; the section
    [executors.<name>] is read into it.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]] = NoSettings
    outlives_us: ClassVar[bool] = False
    """Whether jobs go on when this process ends, and can be adopted by the next run."""
    pushes: ClassVar[bool] = False
    """Whether poll() waits for something to happen; otherwise it is called at the poll interval."""
    default_submit_rate: ClassVar[str | None] = None
    """What run.submit_rate is where a study sets none; None for as fast as possible."""

    def __init__(self, settings: Any, context: ExecutorContext) -> None:
        """Nothing is started or connected here."""
        self.settings = settings
        self.context = context

    @staticmethod
    def check(settings: Any, context: ExecutorContext) -> Iterable[Finding]:
        """What `ingest check` finds wrong without running a job."""
        return ()

    def start(self) -> None:
        """Make ready. Raises ConfigError or BackendError before anything is submitted."""

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> Iterator[Submission]:
        """Hand in jobs; yields the answer for each as soon as it is known."""

    @abstractmethod
    def poll(self, ulids: Sequence[str], wait_s: float) -> Iterable[JobUpdate]:
        """What became of these jobs; one that pushes may wait up to wait_s seconds for it."""

    def fetch(self, ulid: str) -> bytes:
        """The raw results of a succeeded job, CSV or JSON as parse_analytics reads them.

        Raises AnalyticsError when there are none.
        """
        raise AnalyticsError(f"the executor {self.name} brings no results: set analytics.source")

    def cancel(self, ulids: Sequence[str]) -> Mapping[str, str]:
        """Stop these jobs; returns the last output of each where there is some."""
        return {}

    def close(self) -> None:
        """Let go of everything; called once, also after an error."""
