"""The contract between the runner and an executor: Job in, JobUpdate out.

An executor is made for one run, started, handed jobs, asked what became of them, and closed. It
never touches the database.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from ingest.errors import AnalyticsError
from ingest.findings import Finding
from ingest.study.combination import Combination
from ingest.study.setting_fields import input_values
from ingest.study.settings import AnalyticsSettings, RunSettings, StudySettings
from ingest.text.foreign import shorten_middle, show_unseen

FIRST_LINE_LETTERS, MESSAGE_LETTERS = 2_000, 8_000

BAD_ANSWER = "bad answer"
"""Kind of a backend's fault: what it says of a job cannot be true, or is not what was asked."""


class JobState(StrEnum):
    """What an executor says of a job.

    UNKNOWN: it was asked, and the answer names no state we know, or not this job. UNREACHABLE: it
    could not be asked. Neither is running nor ended; both have a limit of their own.
    """

    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"

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
class EarlierJob:
    """A job that an earlier process meant to submit, or did: external_id where it was answered.

    journal_id: what the executor's journal_id() was for its run.
    """

    combination: Combination
    ulid: str
    job_name: str
    external_id: str | None
    journal_id: str | None = None


JOB_LOST = "job lost"
"""Kind of the doubt about a job that its backend does not know any more, which may have ended well:
its results are looked for before it is given up."""


@dataclass(frozen=True)
class JobFault:
    """Why a job did not succeed.

    kind: a few words that failures are grouped by ("model error"). message: first line says what
    happened, further lines are the tail of its output; of a very long one the middle is left out,
    whoever wrote it, and what would steer a terminal is escaped. can_pass: worth another attempt.
    """

    kind: str
    message: str
    can_pass: bool = False

    def __post_init__(self) -> None:
        first, line_end, rest = show_unseen(self.message).partition("\n")
        short = shorten_middle(first, FIRST_LINE_LETTERS) + line_end
        object.__setattr__(self, "message", short + shorten_middle(rest, MESSAGE_LETTERS))

    @property
    def first_line(self) -> str:
        """What happened, without the output."""
        return self.message.partition("\n")[0]


@dataclass(frozen=True)
class Submission:
    """The answer to handing in one job: accepted, or the fault.

    external_id: the backend's id, where it gave one. new_ulid, job_name: the names that the backend
    itself gave the job; from then on the job is asked for, fetched and cancelled by new_ulid.
    """

    ulid: str
    external_id: str | None = None
    fault: JobFault | None = None
    new_ulid: str | None = None
    job_name: str | None = None


@dataclass(frozen=True)
class JobUpdate:
    """What became of a job.

    fault is set when state is FAILED; with UNKNOWN and UNREACHABLE it may say why. execution: any
    text that is another one once the backend itself has started the job again; the time-out of a
    job that is running counts from there.
    """

    ulid: str
    state: JobState
    fault: JobFault | None = None
    execution: str = ""


@dataclass(frozen=True)
class ExecutorContext:
    """What an executor or an analytics source may know of the study.

    root: the study's folder. state_path: where files that must survive this process begin with,
    beside the database: state_path.with_name(state_path.name + ".run-api.jsonl").
    """

    root: Path
    study_name: str
    environment: str
    max_in_flight: int
    state_path: Path
    study: StudySettings
    run: RunSettings
    analytics: AnalyticsSettings


@dataclass(frozen=True)
class NoSettings:
    """Settings class for executors and sources without settings."""


class Executor(ABC):
    """One run's place of execution; its methods are called from one thread.

    Order: start(), adopt() once where jobs_survive_run, then in turns intended_names() and
    submit(), poll(), waits(), fetch() and cancel(); close() after an error too, and settle() last.
    Shape: a job is named by its ULID, of up to run.max_in_flight at once; it ends once, as
    SUCCEEDED or FAILED. Its document is UTF-8 JSON, its results are rows of element label,
    calendar year and value (in the label's own unit). Times are in seconds.
    Settings is a dataclass whose fields are made with ingest.plugin_api.setting; the section
    [executors.<name>] is read into it.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]] = NoSettings
    jobs_survive_run: ClassVar[bool] = False
    """Whether jobs go on when this process ends, and can be adopted by the next run."""
    brings_results: ClassVar[bool] = True
    """Whether fetch() has results; where not, analytics.source says who has them."""
    keeps_results: ClassVar[bool] = False
    """Whether fetch() has the results of earlier runs too, also without start()."""
    can_cancel: ClassVar[bool] = True
    """Whether cancel() stops jobs."""
    waits_in_poll: ClassVar[bool] = False
    """Whether poll() waits for something to happen and is called all the time."""
    polls_a_service: ClassVar[bool] = True
    """Whether poll() costs a service call: each job is passed at most once per poll interval."""
    default_max_in_flight: ClassVar[int] = 100
    """What run.max_in_flight is where a study sets none."""
    default_submit_rate: ClassVar[str | None] = None
    """What run.submit_rate is where a study sets none; None for as fast as possible."""

    def __init__(self, settings: Any, context: ExecutorContext) -> None:
        """Nothing is started or connected here."""
        self.settings = settings
        self.context = context
        self.model_path: str | None = None
        """What the model was loaded from, where start() knows it; recorded with the run."""

    @classmethod
    def identity(cls, settings: Any) -> Mapping[str, Any]:
        """What of its settings decides a result, by name: where that changes, jobs run again.

        Those marked is_input, unless an executor says otherwise. Asked before each plan, of these
        settings alone: it reads no file and asks no service. Values are as in TOML.
        """
        return input_values(settings)

    @staticmethod
    def check(settings: Any, context: ExecutorContext) -> Iterable[Finding]:
        """What `ingest check` finds wrong without running a job."""
        return ()

    @staticmethod
    def preflight(settings: Any, context: ExecutorContext) -> Iterable[Finding]:
        """What `ingest check` finds wrong by asking the service: credentials, names, network."""
        return ()

    def start(self) -> None:
        """Make ready. Raises ConfigError or BackendError before anything is submitted."""

    def adopt(self, jobs: Sequence[EarlierJob]) -> Iterable[Submission]:
        """Which jobs of an earlier process were submitted; called once, after start().

        A Submission with external_id: the job is (or was) at the backend and is followed from now
        on. With a fault: nobody can tell, or it is lost. A job that is left out was certainly
        never submitted.
        """
        return ()

    def journal_id(self) -> str | None:
        """The id of a file beside the database without which submitted jobs are not found again.

        Called after adopt(), which refuses jobs of a journal that is not there; stored with the run
        before anything is submitted. None: there is no such file.
        """
        return None

    def intended_names(self, jobs: Sequence[Job]) -> Mapping[str, str]:
        """Job names by ULID, where the executor wants others; they are stored before submit()."""
        return {}

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> Iterable[Submission]:
        """Hand in jobs; yields the answers that are known at once, the others come from poll()."""

    @abstractmethod
    def poll(self, ulids: Sequence[str], wait_s: float) -> Iterable[JobUpdate | Submission]:
        """What became of jobs, and answers to submissions that were not known yet.

        ulids: the jobs to ask about now. An executor that waits in poll is called all the time,
        often with none, and waits up to wait_s seconds for something to happen.
        Raises BackendError when the backend cannot be used any more; the jobs are then adopted by
        the next run.
        """

    def fetch(self, ulid: str) -> bytes:
        """The raw results of a succeeded job, CSV or JSON as parse_analytics reads them.

        Raises AnalyticsError when there are none.
        """
        raise AnalyticsError(f"the executor {self.name} brings no results: set analytics.source")

    def cancel(self, ulids: Sequence[str]) -> Mapping[str, str]:
        """Stop these jobs; returns the last output of each where there is some."""
        return {}

    def waits(self) -> Sequence[str]:
        """What it waits for now and until when, in words; shown with the progress of the run."""
        return ()

    def close(self) -> None:
        """Let go of everything; called once, also after an error."""

    def settle(self, unanswered: Collection[str], forget: Callable[[], None]) -> None:
        """Called after close() where the run was stored: what is kept of its submissions can go.

        unanswered: the ULIDs of all jobs in the database that a later run may adopt and that have
        no external_id. forget: has the database forget the ids of journals, before one is removed.
        """
