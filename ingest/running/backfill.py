"""Fetching the results that jobs lack: throttled, each stored as it comes, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pluggy

from ingest.analytics.completeness import Completeness
from ingest.analytics.fetcher import Fetched, ResultFetcher
from ingest.analytics.sources.base import AnalyticsSource
from ingest.clock import Clock, SystemClock
from ingest.database import ValidationDatabase
from ingest.database.late_results import NOT_FETCHED, KnownJob, attach_results
from ingest.database.records import INCOMPLETE
from ingest.errors import ConfigError
from ingest.executors.base import JobFault
from ingest.executors.job_name import is_ulid, parse_job_name
from ingest.plugins.events import RunProgress
from ingest.running.backend import Backend
from ingest.running.closing import read_known_results, store_run_quality
from ingest.running.processor import AnalyticsProcessor, ProcessedResults
from ingest.study.settings import Settings
from ingest.text.causes import cause_of

# The longest a round waits for results before it looks for a stop again.
_ROUND_S = 0.25


@dataclass(frozen=True)
class MissedResult:
    """A job whose results are still missing, and why."""

    job: KnownJob
    fault: JobFault


@dataclass(frozen=True)
class BackfillReport:
    """What a backfill came to; values: metric rows, whether new or known before.

    is_interrupted: it was stopped; the rest is fetched by the next one.
    """

    total: int
    filled: int
    missed: tuple[MissedResult, ...]
    values: int
    new_result_sets: int
    is_interrupted: bool
    elapsed_s: float

    def causes(self) -> list[tuple[JobFault, list[KnownJob]]]:
        """Jobs that miss their results by cause, the largest group first, then by kind.

        What names one job in a message does not make a cause of its own; the first one is shown.
        """
        groups: dict[tuple[str, str], tuple[JobFault, list[KnownJob]]] = {}
        # threads bring them in any order
        for missed in sorted(self.missed, key=lambda m: (m.job.run_id, m.job.combination)):
            fault, job = missed.fault, missed.job
            cause = fault.kind, cause_of(fault.first_line, [*job.combination, job.ulid])
            shown = JobFault(fault.kind, fault.first_line)
            groups.setdefault(cause, (shown, []))[1].append(job)
        return sorted(groups.values(), key=lambda g: (-len(g[1]), g[0].kind, g[0].message))


@dataclass
class _Counts:
    """What was done so far."""

    filled: int = 0
    values: int = 0
    new_result_sets: int = 0
    run_id: int = 0
    runs: set[int] = field(default_factory=set)
    missed: list[MissedResult] = field(default_factory=list)


class Backfill:
    """Fetches and stores results of known jobs; the database must be open for writing."""

    def __init__(
        self,
        database: ValidationDatabase,
        backend: Backend,
        settings: Settings,
        plugins: pluggy.PluginManager,
        clock: Clock | None = None,
    ) -> None:
        """Raises ConfigError where the study names no source to fetch from."""
        if backend.source_type is None and not backend.executor_type.keeps_results:
            raise ConfigError(
                f"the executor {backend.executor_type.name} only has the results of its own runs. "
                "Say where they are: --executor aws-batch where it ran the jobs, or --set "
                "analytics.source=NAME (analytics-api, s3 or a plugin's)"
            )
        self._database, self._backend, self._settings = database, backend, settings
        self._plugins = plugins
        self._clock = clock or SystemClock()
        self._counts = _Counts()
        self._known: dict[int, Completeness] = {}
        self._stop_requested = False

    def request_stop(self) -> None:
        """Stop after the current round; safe to call from a signal handler."""
        self._stop_requested = True

    def execute(
        self,
        jobs: Sequence[KnownJob],
        on_progress: Callable[[RunProgress], None] = lambda progress: None,
    ) -> BackfillReport:
        """Fetch the results of jobs; each job's are stored in one transaction as they come.

        Jobs are fetched with the environment they ran in, one environment after the other.
        Raises BackendError when the service cannot be used; what had come by then is stored.
        """
        self._started = self._clock.now()
        self._total, self._on_progress = len(jobs), on_progress
        try:
            for environment, group in self._by_environment(jobs).items():
                context = replace(self._backend.context, environment=environment)
                with replace(self._backend, context=context).earlier_results() as source:
                    self._fetch_all(group, source)
        finally:
            self._settle()
        counts = self._counts
        done = counts.filled + len(counts.missed)
        return BackfillReport(
            total=len(jobs),
            filled=counts.filled,
            missed=tuple(counts.missed),
            values=counts.values,
            new_result_sets=counts.new_result_sets,
            is_interrupted=done < len(jobs),
            elapsed_s=self._clock.now() - self._started,
        )

    def _by_environment(self, jobs: Iterable[KnownJob]) -> dict[str, list[KnownJob]]:
        """Jobs by environment; those that cannot be asked for are counted as missed."""
        groups: dict[str, list[KnownJob]] = {}
        for job in jobs:
            if is_ulid(job.ulid):
                environment = environment_of(job) or self._backend.context.environment
                groups.setdefault(environment, []).append(job)
            else:
                fault = JobFault("no ULID", "without a ULID there is nothing to ask for")
                self._counts.missed.append(MissedResult(job, fault))
        return groups

    def _fetch_all(self, jobs: Sequence[KnownJob], source: AnalyticsSource) -> None:
        """Fetch the results of jobs of one environment, until all are there or a stop."""
        processor = AnalyticsProcessor(self._database, self._settings, self._plugins)
        fetcher = ResultFetcher(source, self._settings.analytics, self._clock)
        by_ulid: dict[str, list[KnownJob]] = {}
        for job in jobs:
            by_ulid.setdefault(job.ulid, []).append(job)
        waiting = list(reversed(by_ulid))
        try:
            while (waiting or fetcher.pending) and not self._stop_requested:
                # a source that is not remote answers in request(): one at a time, so that each is
                # stored before the next is asked for
                while waiting and (source.is_remote or not fetcher.pending):
                    fetcher.request(waiting.pop())
                for fetched in fetcher.finished(_ROUND_S):
                    jobs_of_it = by_ulid[fetched.ulid]
                    processed = self._process(jobs_of_it[0], fetched, processor)
                    if processed.lack and fetcher.ask_again(fetched.ulid, processed.lack):
                        continue
                    for job in jobs_of_it:
                        self._store(job, self._settled(job, processed), processor)
                self._on_progress(self._progress(fetcher.pending))
        finally:
            fetcher.close()

    def _process(
        self, job: KnownJob, fetched: Fetched, processor: AnalyticsProcessor
    ) -> ProcessedResults:
        """What came for a job, checked, and what it lacks."""
        if fetched.raw is None:
            return ProcessedResults(None, JobFault(NOT_FETCHED, str(fetched.error)))
        processed = processor.process(job.combination, fetched.raw)
        if processed.result_set is None:
            return processed
        known = self._completeness(job.run_id)
        lack = known.find_lack(job.combination, processed.result_set, job.end_year)
        return replace(processed, lack=lack)

    def _settled(self, job: KnownJob, processed: ProcessedResults) -> ProcessedResults:
        """Results that are not asked for again: what they lack for good."""
        if processed.result_set is None:
            return processed
        known = self._completeness(job.run_id)
        results = processed.result_set
        lack = processed.lack and known.find_lack(
            job.combination, results, job.end_year, is_last=True
        )
        return replace(processed, lack=lack)

    def _completeness(self, run_id: int) -> Completeness:
        """What is known of a run's other results."""
        if run_id not in self._known:
            self._known[run_id] = read_known_results(self._database, run_id, self._settings)
        return self._known[run_id]

    def _store(
        self, job: KnownJob, processed: ProcessedResults, processor: AnalyticsProcessor
    ) -> None:
        """Store what came for one job, or remember what is wrong with it."""
        counts, results = self._counts, processed.result_set
        fault = processed.fault
        if results is None:
            fault = fault or JobFault("bad results", "no reason was given")
        elif processed.lack:
            fault = JobFault(INCOMPLETE, processed.lack)
        if fault is not None:
            counts.missed.append(MissedResult(job, fault))
        if results is None or (processed.lack and self._settings.analytics.incomplete == "fail"):
            return
        ended = job.completed_at or self._clock.timestamp()
        processor.maintain_csv_compatibility(job.combination, job.ulid, ended, results)
        stored = attach_results(
            self._database.db, job, results, processed.notes, processed.findings, processed.lack
        )
        counts.filled += not processed.lack
        counts.values += len(results)
        counts.new_result_sets += stored.is_new
        counts.run_id = job.run_id
        counts.runs.add(job.run_id)
        if not processed.lack:
            known = self._completeness(job.run_id)
            known.keep(job.combination, results, job.end_year, run_id=job.run_id)

    def _progress(self, pending: int) -> RunProgress:
        return RunProgress(
            run_id=self._counts.run_id,
            total=self._total,
            succeeded=self._counts.filled,
            failed=len(self._counts.missed),
            in_flight=pending,
            running=0,
            elapsed_s=self._clock.now() - self._started,
            fetching=pending,
        )

    def _settle(self) -> None:
        """Keep what the filled runs changed and what the rules across jobs find in them."""
        from ingest.changes.diff import Tolerances
        from ingest.changes.stored import store_changes

        runs, tolerances = sorted(self._counts.runs), Tolerances.of(self._settings)
        store_changes(self._database.db, runs, tolerances, self._settings.study.ignore)
        for run_id in runs:
            store_run_quality(self._database, run_id, self._settings)
        if self._counts.runs:
            self._database.settle()


def environment_of(job: KnownJob) -> str | None:
    """The environment a job ran in: that of its inputs, or what its job name says."""
    if job.environment is not None:
        return job.environment
    name = parse_job_name(job.job_name or "")
    return name.environment if name else None
