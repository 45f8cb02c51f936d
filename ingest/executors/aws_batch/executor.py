"""The aws-batch executor: jobs as containers on AWS Batch, documents and results in S3."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

from ingest.errors import BackendError, ConfigError, ResultsNotReadyError
from ingest.executors.aws_batch.image import read_code_digest, read_model_settings
from ingest.executors.aws_batch.jobs import retry_strategy
from ingest.executors.aws_batch.lookup import JobLookup
from ingest.executors.aws_batch.preflight import find_problems
from ingest.executors.aws_batch.settings import (
    MIN_TIMEOUT_S,
    WHERE,
    AwsBatchSettings,
    job_tags,
    setting_problems,
)
from ingest.executors.aws_batch.store import JobStore
from ingest.executors.aws_batch.submit import CODE_DIGEST, JobGroup, Submitter, plan_groups
from ingest.executors.aws_batch.watch import CALL_THREADS, RESULTS_ALONE, JobWatch, parent_of
from ingest.executors.base import (
    EarlierJob,
    Executor,
    ExecutorContext,
    Job,
    JobUpdate,
    Submission,
)
from ingest.findings import Finding, error, has_errors
from ingest.services.aws_clients import AwsClients, find_or_none
from ingest.services.aws_errors import AwsError, AwsPlace

log = logging.getLogger("ingest.aws_batch")


class AwsBatchExecutor(Executor):
    """Jobs on AWS Batch; they go on when this process ends, and are found again by their names."""

    name: ClassVar[str] = "aws-batch"
    Settings: ClassVar[type[AwsBatchSettings]] = AwsBatchSettings
    jobs_survive_run: ClassVar[bool] = True
    keeps_results: ClassVar[bool] = True
    default_max_in_flight: ClassVar[int] = 10_000

    def __init__(
        self,
        settings: AwsBatchSettings,
        context: ExecutorContext,
        pause: Callable[[float], None] = time.sleep,
        place: AwsPlace | None = None,
    ) -> None:
        """pause: how to wait before another try. place: tests pass one with shorter time-outs."""
        super().__init__(settings, context)
        self._settings = settings
        self._pause = pause
        self._clients = AwsClients(place or _aws_place(settings, context))
        self._store = JobStore(self._clients, settings.place)
        self._lookup = JobLookup(self._clients, settings.queue or "", pause)
        self._planned: list[JobGroup] = []
        self._watch = JobWatch(self._clients, self._store)

    @staticmethod
    def check(settings: AwsBatchSettings, context: ExecutorContext) -> list[Finding]:
        """What is missing or wrong in the settings, and whether the model's call is known."""
        findings = list(setting_problems(settings, context))
        try:
            read_model_settings(context.root)
        except ConfigError as exc:
            findings.append(error("no-model-code", WHERE, str(exc)))
        return findings

    @staticmethod
    def preflight(settings: AwsBatchSettings, context: ExecutorContext) -> list[Finding]:
        """What is wrong in AWS; nothing while the settings themselves are wrong."""
        if has_errors(setting_problems(settings, context)):
            return []
        clients = AwsClients(_aws_place(settings, context))
        store = JobStore(clients, settings.place)
        return list(find_problems(clients, store, settings, write=True))

    def start(self) -> None:
        """Look at settings, credentials, queue, job definition and bucket.

        Raises ConfigError (settings), BackendError (AWS).
        """
        for finding in setting_problems(self._settings, self.context):
            if finding.is_error:
                raise ConfigError(str(finding))
        _, model = read_model_settings(self.context.root)
        digest = read_code_digest(self.context.root, self.context.study, model)
        for problem in find_problems(self._clients, self._store, self._settings, write=False):
            raise BackendError(f"{problem.message} (ingest check --executor {self.name} tells all)")
        self._submitter = Submitter(
            clients=self._clients,
            store=self._store,
            lookup=self._lookup,
            request=self._request(),
            variables={CODE_DIGEST: digest},
            upload_threads=self._settings.upload_concurrency,
            pause=self._pause,
        )
        _ = self._clients.batch_once  # every client is made before threads share them

    def _request(self) -> dict[str, Any]:
        """What every SubmitJob gets."""
        timeout_s = max(MIN_TIMEOUT_S, math.ceil(self.context.run.job_timeout_s))
        return {
            "jobQueue": self._settings.queue,
            "jobDefinition": self._settings.job_definition,
            "timeout": {"attemptDurationSeconds": timeout_s},
            "retryStrategy": retry_strategy(self._settings.attempts),
            "tags": job_tags(self._settings, self.context),
            "propagateTags": True,
        }

    def adopt(self, jobs: Sequence[EarlierJob]) -> Iterator[Submission]:
        """Jobs whose id is known are followed on; the others are looked up by name.

        A name that Batch does not know was never submitted, unless its results are in S3: Batch
        forgets finished jobs after some days.
        """
        nameless = [job for job in jobs if job.external_id is None]
        try:
            found = self._find_by_name(nameless)
            lost = [job.ulid for job in nameless if job.ulid not in found]
            found |= dict.fromkeys(self._with_results(lost), RESULTS_ALONE)
        except AwsError as exc:
            raise exc.as_backend_error() from exc
        for job in jobs:
            job_id = job.external_id or found.get(job.ulid)
            if job_id is not None:
                self._watch.follow(job.ulid, job_id)
                yield Submission(job.ulid, job_id)

    def _find_by_name(self, jobs: Sequence[EarlierJob]) -> dict[str, str]:
        """Ids by ULID of jobs that Batch knows by their names; few calls, however many jobs."""
        known = self._lookup.adopt({parent_of(job.job_name) for job in jobs})
        manifests: dict[str, Sequence[str | None]] = {}
        found = {}
        for job in jobs:
            parent, colon, index = job.job_name.partition(":")
            if parent not in known:
                continue
            if colon and parent not in manifests:
                manifests[parent] = self._manifest(parent, known[parent])
            if not colon or job.ulid in manifests[parent][int(index) :][:1]:
                found[job.ulid] = known[parent] + colon + index
        return found

    def _manifest(self, array: str, job_id: str) -> Sequence[str | None]:
        """Which job each child of an array is.

        Where that is gone, as a rule that deletes old objects makes it, nobody can tell any more:
        the array is ended and its jobs count as not found.
        """
        try:
            manifest = find_or_none(lambda: self._store.read_manifest(array))
        except ValueError:
            manifest = None
        if manifest is None:
            log.warning("array %s is ended: its list of jobs is gone from S3", array)
            self._lookup.terminate(job_id, "its list of jobs is gone")
        return manifest or ()

    def _with_results(self, ulids: Sequence[str]) -> list[str]:
        with ThreadPoolExecutor(CALL_THREADS) as pool:
            found = list(pool.map(self._store.has_results, ulids))
        return [ulid for ulid, is_there in zip(ulids, found, strict=True) if is_there]

    def intended_names(self, jobs: Sequence[Job]) -> Mapping[str, str]:
        """The names of arrays' children; a job handed in by itself keeps its own name."""
        self._planned = plan_groups(jobs, self.context.study_name, self._settings.array)
        arrays = [group for group in self._planned if group.is_array]
        return {ulid: name for group in arrays for ulid, name in group.names().items()}

    def submit(self, jobs: Sequence[Job]) -> Iterator[Submission]:
        """Store the documents and hand the jobs in, those named together in one call.

        Raises BackendError when S3 or Batch cannot be used; the next run finds by name what was
        handed in.
        """
        by_ulid = {job.ulid: job for job in jobs}
        groups = [g for g in self._planned if by_ulid.keys() >= set(g.ulids)]
        named = {ulid for group in groups for ulid in group.ulids}
        others = [job for job in jobs if job.ulid not in named]
        unnamed = plan_groups(others, self.context.study_name, self._settings.array)
        names = {ulid: name for group in unnamed for ulid, name in group.names().items()}
        self._planned = []
        for submission in self._submitter.submit([*groups, *unnamed], by_ulid):
            if submission.external_id is not None:
                self._watch.follow(submission.ulid, submission.external_id)
            name = names.get(submission.ulid)
            yield replace(submission, job_name=name) if name else submission

    def poll(self, ulids: Sequence[str], wait_s: float) -> list[JobUpdate]:
        """What became of jobs, in one call per hundred of them. Raises BackendError."""
        return self._watch.poll(ulids)

    def fetch(self, ulid: str) -> bytes:
        """A job's results as its worker stored them.

        Raises ResultsNotReadyError (none there, S3 not reachable), BackendError (credentials).
        """
        try:
            results = self._store.read_results(ulid)
        except AwsError as exc:
            if exc.trouble.can_pass:
                raise ResultsNotReadyError(f"the results of job {ulid}: {exc}") from exc
            raise exc.as_backend_error() from exc
        if results is None:
            raise ResultsNotReadyError(f"job {ulid} has left no results in {self._store.place}")
        return results

    def cancel(self, ulids: Sequence[str]) -> Mapping[str, str]:
        """Terminate jobs in whatever state; one call for an array that ends as a whole."""
        targets = self._watch.forget(ulids)
        with ThreadPoolExecutor(CALL_THREADS) as pool:
            list(pool.map(lambda job_id: self._lookup.terminate(job_id, "cancelled"), targets))
        return {}


def _aws_place(settings: AwsBatchSettings, context: ExecutorContext) -> AwsPlace:
    threads = settings.upload_concurrency + context.analytics.concurrency + CALL_THREADS
    return AwsPlace(settings.region, settings.profile, WHERE, connections=threads)
