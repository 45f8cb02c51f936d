"""Finding submitted jobs by name: what became of a SubmitJob whose answer never came."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.executors.aws_batch.jobs import TERMINATED
from ingest.services.aws_clients import AwsClients
from ingest.services.aws_errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_batch.type_defs import JobSummaryTypeDef

log = logging.getLogger("ingest.aws_batch")

# ListJobs lags behind SubmitJob by a moment; seconds before each look.
LOOKS_S = (0.0, 0.5, 1.0, 1.5, 2.0)
# Names end in a ULID, whose first characters are a time: cut this far, names of one second agree.
_VARYING_CHARACTERS = 18


@dataclass(frozen=True)
class FoundJob:
    """A job that Batch knows under a name; created_at in ms since 1970."""

    job_id: str
    created_at: int


class JobLookup:
    """Looks names up in one queue; raises AwsError."""

    def __init__(self, clients: AwsClients, queue: str, pause: Callable[[float], None]) -> None:
        self._clients = clients
        self._queue = queue
        self._pause = pause

    def adopt(self, names: Iterable[str]) -> dict[str, str]:
        """The ids of the jobs that exist under these names, in whatever state.

        A name is given up as never submitted after several looks. Of two jobs with one name the
        older is kept and the others are terminated.
        """
        missing, ids = set(names), {}
        for pause_s in LOOKS_S:
            if not missing:
                break
            self._pause(pause_s)
            for name, found in self._find(missing).items():
                ids[name] = self._keep_oldest(name, found)
            missing -= set(ids)
        return ids

    def drop_duplicates(self, name: str) -> str | None:
        """The id of the oldest job of a name, the others terminated; None where none is seen."""
        found = self._find({name}).get(name)
        return self._keep_oldest(name, found) if found else None

    def _keep_oldest(self, name: str, found: Sequence[FoundJob]) -> str:
        oldest, *others = sorted(found, key=lambda job: (job.created_at, job.job_id))
        for job in others:
            log.warning("%s was submitted twice; the later job %s is ended", name, job.job_id)
            self.terminate(job.job_id, "submitted twice")
        return oldest.job_id

    def _find(self, names: set[str]) -> dict[str, list[FoundJob]]:
        """Jobs by name; names alike but for their end are asked for in one call."""
        alike = defaultdict(list)
        for name in sorted(names):
            alike[name[:-_VARYING_CHARACTERS]].append(name)
        found: dict[str, list[FoundJob]] = defaultdict(list)
        for stem, group in alike.items():
            pattern = f"{stem}*" if len(group) > 1 and stem else group[0]
            for summary in self._list(pattern):
                if summary["jobName"] in names:  # the filter itself takes capitals for small ones
                    job = FoundJob(summary["jobId"], summary.get("createdAt", 0))
                    found[summary["jobName"]].append(job)
        return found

    def _list(self, pattern: str) -> Iterable[JobSummaryTypeDef]:
        """Every job in the queue whose name fits, in any state."""
        more: dict[str, Any] = {}
        while True:
            arguments: dict[str, Any] = {
                "jobQueue": self._queue,
                "filters": [{"name": "JOB_NAME", "values": [pattern]}],
                **more,
            }
            with self._clients.calling("batch", "ListJobs", f"queue {self._queue}"):
                page = self._clients.batch.list_jobs(**arguments)
            yield from page["jobSummaryList"]
            if not page.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}

    def terminate(self, job_id: str, why: str) -> None:
        """End a job in whatever state it is; one that cannot be ended is told in the log."""
        try:
            with self._clients.calling("batch", "TerminateJob", f"job {job_id}"):
                self._clients.batch.terminate_job(jobId=job_id, reason=f"{TERMINATED}: {why}")
        except AwsError as exc:
            command = f"aws batch terminate-job --job-id {job_id} --reason {TERMINATED!r}"
            log.warning("job %s goes on: %s. End it by hand: %s", job_id, exc, command)
