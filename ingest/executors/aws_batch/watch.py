"""Following jobs on AWS Batch: which id is whose, and what became of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ingest.executors.aws_batch.jobs import fault_of, state_of
from ingest.executors.aws_batch.store import JobStore
from ingest.executors.base import JobFault, JobState, JobUpdate
from ingest.services.aws_clients import AwsClients
from ingest.services.aws_errors import AwsError, Trouble

DESCRIBE_AT_MOST = 100
CALL_THREADS = 8
# The id of a job that Batch has forgotten, whose results are in S3 all the same.
RESULTS_ALONE = "results-in-s3"


def parent_of(id_or_name: str) -> str:
    """The array of a child's id or name; a single job's is its own."""
    return id_or_name.partition(":")[0]


@dataclass
class _Answers:
    """What DescribeJobs said by job id, and why it could not be asked of others."""

    described: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    unasked: dict[str, AwsError] = field(default_factory=dict)


class JobWatch:
    """Knows the ids of jobs that were handed in, and asks for their states."""

    def __init__(self, clients: AwsClients, store: JobStore) -> None:
        self._clients = clients
        self._store = store
        self._ids: dict[str, str] = {}
        self._live: dict[str, set[str]] = defaultdict(set)
        self._lost: set[str] = set()

    def follow(self, ulid: str, job_id: str) -> None:
        """A job was handed in under this id."""
        self._ids[ulid] = job_id
        self._live[parent_of(job_id)].add(ulid)

    def poll(self, ulids: Sequence[str]) -> list[JobUpdate]:
        """What became of jobs, in one call per hundred of them. Raises BackendError."""
        ids = {ulid: self._ids[ulid] for ulid in ulids if ulid in self._ids}
        with ThreadPoolExecutor(CALL_THREADS) as pool:
            answers = self._describe([i for i in ids.values() if i != RESULTS_ALONE], pool)

            def update(ulid: str) -> JobUpdate:
                return self._update(ulid, ids.get(ulid), answers)

            updates = list(pool.map(update, ulids))
        for one in updates:
            if one.state.is_final:
                self._ended(one.ulid)
        return updates

    def _describe(self, ids: Sequence[str], pool: ThreadPoolExecutor) -> _Answers:
        answers = _Answers()
        starts = range(0, len(ids), DESCRIBE_AT_MOST)
        chunks = [ids[start : start + DESCRIBE_AT_MOST] for start in starts]
        for chunk, answer in zip(chunks, pool.map(self._describe_chunk, chunks), strict=True):
            if isinstance(answer, AwsError):
                answers.unasked |= dict.fromkeys(chunk, answer)
            else:
                answers.described |= answer
        return answers

    def _describe_chunk(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]] | AwsError:
        try:
            with self._clients.calling("batch", "DescribeJobs", "jobs"):
                answer = self._clients.batch.describe_jobs(jobs=ids)
        except AwsError as exc:
            if exc.trouble is Trouble.FATAL:
                raise exc.as_backend_error() from exc
            return exc
        return {job["jobId"]: job for job in answer["jobs"]}

    def _update(self, ulid: str, job_id: str | None, answers: _Answers) -> JobUpdate:
        if job_id is None:
            message = f"job {ulid} was not handed in by this run"
            return JobUpdate(ulid, JobState.UNKNOWN, JobFault("unknown job", message))
        if job_id in answers.unasked:
            fault = JobFault("not reachable", str(answers.unasked[job_id]), can_pass=True)
            return JobUpdate(ulid, JobState.UNREACHABLE, fault)
        described = answers.described.get(job_id)
        try:
            return self._lost_job(ulid, job_id) if described is None else self._job(ulid, described)
        except AwsError as exc:
            if exc.trouble is Trouble.FATAL:
                raise exc.as_backend_error() from exc
            fault = JobFault("not reachable", str(exc), can_pass=True)
            return JobUpdate(ulid, JobState.UNREACHABLE, fault)

    def _job(self, ulid: str, described: Mapping[str, Any]) -> JobUpdate:
        """The state that Batch tells; a failed job's worker is heard too."""
        self._lost.discard(ulid)
        state = state_of(described)
        if state is JobState.FAILED:
            return JobUpdate(ulid, state, fault_of(described, self._store.read_error(ulid)))
        if state is JobState.UNKNOWN:
            word = described.get("status")
            message = f"AWS Batch gives the state {word!r}, which this version does not know"
            return JobUpdate(ulid, state, JobFault("unknown state", message))
        # each that ended is among the attempts, so the number changes as another one begins
        return JobUpdate(ulid, state, execution=str(len(described.get("attempts") or ())))

    def _lost_job(self, ulid: str, job_id: str) -> JobUpdate:
        """What S3 tells of a job that Batch does not know; it is looked at once."""
        message = f"AWS Batch knows no job {job_id} (any more), and S3 holds nothing of it"
        unknown = JobUpdate(ulid, JobState.UNKNOWN, JobFault("unknown job", message))
        if ulid in self._lost:
            return unknown
        if self._store.has_results(ulid):
            return JobUpdate(ulid, JobState.SUCCEEDED)
        left = self._store.read_error(ulid)
        if left is not None:
            return JobUpdate(
                ulid, JobState.FAILED, JobFault(left.kind, left.text, can_pass=left.can_pass)
            )
        self._lost.add(ulid)
        return unknown

    def _ended(self, ulid: str) -> None:
        job_id = self._ids.get(ulid)
        if job_id is not None:
            self._live[parent_of(job_id)].discard(ulid)

    def forget(self, ulids: Iterable[str]) -> list[str]:
        """The ids to terminate so that these jobs end; an array's own where all of it ends."""
        chosen = {ulid for ulid in ulids if self._ids.get(ulid, RESULTS_ALONE) != RESULTS_ALONE}
        by_parent = defaultdict(set)
        for ulid in chosen:
            by_parent[parent_of(self._ids[ulid])].add(ulid)
        return list(self._targets(by_parent))

    def _targets(self, by_parent: Mapping[str, set[str]]) -> Iterator[str]:
        for parent, ulids in by_parent.items():
            live = ulids & self._live[parent]
            if live == self._live[parent] and live:
                yield parent
            else:
                yield from sorted(self._ids[ulid] for ulid in live)
            self._live[parent] -= live
