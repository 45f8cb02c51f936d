"""What a reader of recorded jobs gives: runs, the metrics of their jobs, and what it noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.database.imports import ImportedRun, MetricsOf
from ingest.database.other_series import OtherNumbers
from ingest.database.records import JobStatus
from ingest.errors import ConfigError
from ingest.executors.job_name import is_ulid, parse_job_name
from ingest.study.combination import Combination
from ingest.text.numbers import at_most, count_text


class ImportFileError(ConfigError):
    """A file cannot be brought in as it is; nothing was changed."""


@dataclass(frozen=True)
class Recorded:
    """Runs in the order in which they happened; metrics gives what is recorded of a job.

    oddities: what else is odd in the file and what became of it, one line each.
    """

    runs: Sequence[ImportedRun]
    metrics: MetricsOf
    oddities: Sequence[str] = ()

    @property
    def job_count(self) -> int:
        """How many jobs the file records."""
        return sum(len(run.jobs) for run in self.runs)

    def numbers(self) -> list[OtherNumbers]:
        """The newest recorded numbers of each combination."""
        found: dict[Combination, OtherNumbers] = {}
        for run, job in ((each, job) for each in self.runs for job in each.jobs):
            is_success = job.job_status is JobStatus.SUCCESS
            result_set = self.metrics(run, job) if is_success else None
            if result_set is not None:
                origin = job.origin or run.origin
                found[job.combination] = OtherNumbers(job.combination, result_set, origin)
        return list(found.values())

    @property
    def warnings(self) -> list[str]:
        """What is odd in the file and what became of it, one line each."""
        jobs = [job for run in self.runs for job in run.jobs if not job.has_ulid]
        names = [f"{job.combination} ({job.ulid!r})" for job in jobs]
        return [*self.oddities, *describe(names, "job", "without a ULID, kept as found")]


def ulid_in(text: str) -> str | None:
    """The ULID that a text is, or that the job name in it holds; None for other texts."""
    name = parse_job_name(text)
    return name.ulid if name else text if is_ulid(text) else None


def describe(found: Sequence[object], noun: str, what: str) -> list[str]:
    """One warning about the things found, with the first few of them; none where there are none.

    noun: as for count_text. what: the rest of the sentence.
    """
    return [f"{count_text(len(found), noun)} {what}: {at_most(found)}"] if found else []
