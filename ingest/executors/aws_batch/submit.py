"""Handing jobs to AWS Batch exactly once: documents to S3, then one SubmitJob per group of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from ingest.executors.aws_batch.lookup import JobLookup
from ingest.executors.aws_batch.store import JobStore
from ingest.executors.base import Job, JobFault, Submission
from ingest.executors.job_name import name_array, new_ulid
from ingest.services.aws_clients import AwsClients
from ingest.services.aws_errors import AwsError, Trouble
from ingest.services.pacing import Pace

MAX_ARRAY_SIZE = 10_000
MAX_CALLS_PER_S = 30.0  # AWS takes 50 a second from a whole account
SUBMIT_THREADS = 4
# Seconds before SubmitJob is tried again where it was refused for now or surely never arrived.
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
# The variables that tell a container what to do.
JOBS_URI, JOB_ULID, ARRAY_NAME = "INGEST_JOBS_URI", "INGEST_JOB_ULID", "INGEST_ARRAY_NAME"
CODE_DIGEST = "INGEST_CODE_DIGEST"


@dataclass(frozen=True)
class JobGroup:
    """Jobs handed in by one call: a single job, or an array with a child for each."""

    name: str
    ulids: tuple[str, ...]
    is_array: bool

    def names(self) -> dict[str, str]:
        """The job names by ULID; a child's is that of its array, a colon and its index."""
        if not self.is_array:
            return {self.ulids[0]: self.name}
        return {ulid: child_of(self.name, index) for index, ulid in enumerate(self.ulids)}


def child_of(parent: str, index: int) -> str:
    """The name or id of an array's child; Batch forms the id in the same way."""
    return f"{parent}:{index}"


def plan_groups(jobs: Sequence[Job], study_name: str, arrays: bool) -> list[JobGroup]:
    """The calls that hand these jobs in; an array gets a name of its own, with a new ULID."""
    if not arrays or len(jobs) < 2:
        return [JobGroup(job.job_name, (job.ulid,), is_array=False) for job in jobs]
    count = -(-len(jobs) // MAX_ARRAY_SIZE)
    size = -(-len(jobs) // count)  # even sizes, so that no array of one child is left over
    return [
        JobGroup(
            name_array(study_name, new_ulid()),
            tuple(job.ulid for job in jobs[start : start + size]),
            is_array=True,
        )
        for start in range(0, len(jobs), size)
    ]


class Submitter:
    """Hands groups of jobs to Batch.

    request: what SubmitJob gets beside name, array size and variables. variables: the container's
    environment that all jobs share.
    """

    def __init__(
        self,
        clients: AwsClients,
        store: JobStore,
        lookup: JobLookup,
        request: Mapping[str, Any],
        variables: Mapping[str, str],
        upload_threads: int,
        pause: Callable[[float], None],
    ) -> None:
        self._clients = clients
        self._store = store
        self._lookup = lookup
        self._request = request
        self._variables = {**variables, JOBS_URI: str(store.place)}
        self._upload_threads = upload_threads
        self._pause = pause
        self._pace = Pace(1 / MAX_CALLS_PER_S)

    def submit(self, groups: Sequence[JobGroup], jobs: Mapping[str, Job]) -> Iterator[Submission]:
        """Hand in groups, singles side by side; jobs are given by ULID.

        Raises BackendError when Batch or S3 cannot be used; whatever was handed in by then is
        found again by its name.
        """
        try:
            yield from self._submit_singles([jobs[g.ulids[0]] for g in groups if not g.is_array])
            for group in groups:
                if group.is_array:
                    yield from self._submit_array(group, jobs)
        except AwsError as exc:
            raise exc.as_backend_error() from exc

    def _submit_singles(self, jobs: Sequence[Job]) -> Iterator[Submission]:
        faults = self._upload(jobs)
        yield from _refusals(faults)
        with ThreadPoolExecutor(SUBMIT_THREADS) as pool:
            futures = {
                pool.submit(self._submit_once, job.job_name, self._single(job)): job.ulid
                for job in jobs
                if job.ulid not in faults
            }
            try:
                for future in as_completed(futures):
                    yield Submission(futures[future], external_id=future.result())
            finally:
                pool.shutdown(cancel_futures=True)

    def _submit_array(self, group: JobGroup, jobs: Mapping[str, Job]) -> Iterator[Submission]:
        faults = self._upload([jobs[ulid] for ulid in group.ulids])
        yield from _refusals(faults)
        if len(faults) == len(group.ulids):
            return
        # a child whose document is not there keeps its index, and has nothing to do
        manifest = [None if ulid in faults else ulid for ulid in group.ulids]
        self._store.put_manifest(group.name, manifest)
        parent = self._submit_once(group.name, self._array(group))
        for index, ulid in enumerate(group.ulids):
            if ulid not in faults:
                yield Submission(ulid, external_id=child_of(parent, index))

    def _single(self, job: Job) -> dict[str, Any]:
        return self._container({JOB_ULID: job.ulid})

    def _array(self, group: JobGroup) -> dict[str, Any]:
        return {
            "arrayProperties": {"size": len(group.ulids)},
            **self._container({ARRAY_NAME: group.name}),
        }

    def _container(self, variables: Mapping[str, str]) -> dict[str, Any]:
        every = {**self._variables, **variables}
        environment = [{"name": name, "value": value} for name, value in every.items()]
        return {"containerOverrides": {"environment": environment}}

    def _upload(self, jobs: Sequence[Job]) -> dict[str, JobFault]:
        """Store documents, side by side; gives the faults of those that could not be.

        Raises AwsError: S3 cannot be used at all.
        """
        faults: dict[str, JobFault] = {}
        with ThreadPoolExecutor(self._upload_threads) as pool:
            futures = {
                pool.submit(self._store.put_document, job.ulid, job.document): job.ulid
                for job in jobs
            }
            try:
                for future in as_completed(futures):
                    error = future.exception()
                    if isinstance(error, AwsError):
                        faults[futures[future]] = _upload_fault(error)
                        if len(faults) == len(jobs) and error.trouble is Trouble.UNSENT:
                            raise error  # the network is gone: no fault of these jobs
                    elif error is not None:
                        raise error
            finally:
                pool.shutdown(cancel_futures=True)
        return faults

    def _submit_once(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The id of the one job of this name. Raises AwsError.

        After an answer that never came the name is looked up, and submitted again only when
        several looks find nothing.
        """
        in_doubt = False
        for back_off_s in (*BACK_OFF_S, None):
            try:
                job_id = self._call_submit_job(name, arguments)
            except AwsError as exc:
                if not exc.trouble.can_pass:
                    raise
                if exc.trouble is Trouble.DOUBTFUL:
                    in_doubt = True
                    known = self._lookup.adopt([name])
                    if known:
                        return known[name]
                if back_off_s is None:
                    raise
                self._pause(back_off_s)
                continue
            # the call in doubt may have arrived after the looks
            return (self._lookup.drop_duplicates(name) if in_doubt else None) or job_id
        raise AssertionError("the last try returns or raises")

    def _call_submit_job(self, name: str, arguments: Mapping[str, Any]) -> str:
        self._pace.wait()
        with self._clients.calling("batch", "SubmitJob", f"queue {self._request['jobQueue']}"):
            answer = self._clients.batch_once.submit_job(jobName=name, **self._request, **arguments)
        return answer["jobId"]


def _upload_fault(error: AwsError) -> JobFault:
    """The fault of a job whose document could not be stored. Raises what is no job's fault."""
    if error.trouble is Trouble.FATAL:
        raise error
    message = f"the document was not stored: {error}"
    return JobFault("upload failed", message, can_pass=error.trouble.can_pass)


def _refusals(faults: Mapping[str, JobFault]) -> Iterator[Submission]:
    for ulid, fault in faults.items():
        yield Submission(ulid, fault=fault)
