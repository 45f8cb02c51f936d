"""What goes into the database and comes out of it, as frozen dataclasses, checked when made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from ingest.errors import DatabaseError

if TYPE_CHECKING:
    from ingest.analytics.quality import QualityFinding
    from ingest.metrics import ResultSet
    from ingest.planning.inputs import Inputs
    from ingest.planning.plan import Reason
    from ingest.study.combination import Combination

ULID_LENGTH = 26
_LONGEST_WORDS = 400


def stored_words(text: str) -> str:
    """A reason or cause as it is stored with each of a million rows: cut where it is very long."""
    return text if len(text) <= _LONGEST_WORDS else f"{text[: _LONGEST_WORDS - 3]}..."


class RunStatus(StrEnum):
    """Status of a run: completed when every job succeeded, failed when one or more did not."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class JobStatus(StrEnum):
    """Status of a job, on the way (submitted, running) or final."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobStatus.SUBMITTED, JobStatus.RUNNING)


CUT_OFF = "run cut off"
"""The error_kind of a job whose run was cut off and not resumed; a later run can adopt the job."""
INCOMPLETE = "incomplete"
"""The error_kind of results that lack years or labels, kept as a success or not."""
IS_OPEN = "job_status IN ('submitted', 'running')"
HAS_FAILED = "job_status IN ('failed', 'timeout', 'cancelled')"


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run when it starts; timestamp is ISO 8601 in UTC."""

    timestamp: str
    git_commit: str
    git_branch: str
    dirty_files: tuple[str, ...]
    study: str
    executor: str
    ingest_version: str
    up_to_date_jobs: int = 0
    countries_digest: str | None = None
    """Of the list of the study's countries with names and groups; the next two likewise."""
    scenarios_digest: str | None = None
    labels_digest: str | None = None
    journal_id: str | None = None
    """Of the executor's journal beside the database."""
    git_problem: str | None = None
    """Why git could not tell the commit or the files; None where it could, and outside git."""
    analytics_source: str | None = None
    model_path: str | None = None
    """What its model was loaded from, where the executor knows it."""


def notes_text(notes: Sequence[str]) -> str | None:
    """Notes on a job as job_results.notes keeps them: one per line, null where there are none."""
    return "\n".join(notes) or None


def read_notes(text: str | None) -> tuple[str, ...]:
    """The notes in a text of job_results.notes."""
    return tuple(text.split("\n")) if text else ()


class JobColumns:
    """A record of a job whose fields are columns of job_results by their names.

    Except for the combination and the fields in OTHERS.
    """

    OTHERS: ClassVar[frozenset[str]] = frozenset()

    def columns(self) -> dict[str, Any]:
        """What the record says, by column."""
        others = {"combination", *self.OTHERS}
        return {name: value for name, value in vars(self).items() if name not in others}


@dataclass(frozen=True)
class JobRecord:
    """A job as it is intended, stored before it is submitted."""

    combination: Combination
    ulid: str
    job_name: str
    inputs: Inputs
    reason: Reason
    end_year: int | None = None
    """The first year after the horizon that its document names."""

    def __post_init__(self) -> None:
        if not (self.combination.country and self.combination.scenario):
            raise DatabaseError(f"a job needs a country and a scenario, not {self.combination}")
        if len(self.ulid) != ULID_LENGTH:
            raise DatabaseError(f"job {self.combination}: {self.ulid!r} is no ULID")

    def columns(self) -> dict[str, Any]:
        """What the record says, by column; input_set_id has to be found."""
        return {
            "country": self.combination.country,
            "scenario": self.combination.scenario,
            "ulid": self.ulid,
            "job_name": self.job_name,
            "job_status": JobStatus.SUBMITTED.value,
            "reason_kind": self.reason.kind.value,
            "reason": stored_words(self.reason.text),
            "input_digest": self.inputs.digest,
            "document_digest": self.inputs.document_digest,
            "country_data_digest": self.inputs.country_data_digest or None,
            "end_year": self.end_year,
        }


@dataclass(frozen=True)
class AcceptedJob(JobColumns):
    """A job that its backend took: under which names, when, and at which attempt."""

    combination: Combination
    ulid: str
    job_name: str
    external_id: str | None
    submitted_at: str | None
    attempts: int


@dataclass(frozen=True)
class CutOffJob(AcceptedJob):
    """A job whose run was cut off while it was submitted: it may be at the backend."""

    OTHERS = frozenset({"run_id", "journal_id"})

    run_id: int
    journal_id: str | None


@dataclass(frozen=True)
class JobOutcome(JobColumns):
    """How a job ended. A success has a result set, anything else an error and none.

    error's first line says what happened; duration_s counts from the start of its execution.
    """

    OTHERS = frozenset({"result_set", "findings"})

    combination: Combination
    job_status: JobStatus
    completed_at: str
    attempts: int
    duration_s: float | None = None
    result_set: ResultSet | None = None
    error_kind: str | None = None
    error: str | None = None
    notes: Sequence[str] = field(default=())
    findings: Sequence[QualityFinding] = field(default=())

    def __post_init__(self) -> None:
        if not self.job_status.is_final:
            raise DatabaseError(f"job {self.combination}: {self.job_status} is no final status")
        if (self.job_status is JobStatus.SUCCESS) != bool(self.result_set):
            raise DatabaseError(f"job {self.combination}: metrics go with a success, and only then")

    def columns(self) -> dict[str, Any]:
        """What the record says, by column; result_set_id has to be found."""
        return super().columns() | {"notes": notes_text(self.notes)}


@dataclass(frozen=True)
class StoredResult:
    """Where a job's metrics are; is_new is False when the same numbers were stored before."""

    result_set_id: int
    is_new: bool


@dataclass(frozen=True)
class OpenRun:
    """A run that was cut off: what it was for, and which of its jobs have not ended."""

    run_id: int
    status: RunStatus
    record: RunRecord
    unfinished: dict[Combination, str]
    """Input digest of each job without a final status."""
    finished: frozenset[Combination]
