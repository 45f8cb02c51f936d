"""ValidationRunner: plan -> submit with throttle -> poll -> fetch -> store, resumable."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Callable, Iterable, Sequence

import pluggy
from ulid import ULID

from ingest import __version__
from ingest.analytics.fetch import AnalyticsSource
from ingest.analytics.metrics import ResultSet
from ingest.analytics.validate import parse_analytics
from ingest.clock import Clock, SystemClock
from ingest.database import ValidationDatabase
from ingest.database.records import JobOutcome, JobRecord, JobStatus, OpenRun, RunRecord, RunStatus
from ingest.diff import Tolerances
from ingest.errors import AnalyticsError
from ingest.events import JobFinished, RunFinished, RunProgress
from ingest.executor_setup import Backend
from ingest.executors.base import Executor, Job, JobFault, JobState, JobUpdate
from ingest.git import GitState
from ingest.plan import Combination, Plan, PlannedJob, ReasonKind, study_contents
from ingest.planning import RunPlanner, Selection
from ingest.plugins import call_observers
from ingest.quality import QualityFinding, check_result_set
from ingest.run_changes import RunChanges, store_run_changes
from ingest.run_quality import read_run_quality, store_run_quality
from ingest.run_session import RunReport, RunSession
from ingest.scheduler import Limits, Scheduler, parse_rate
from ingest.study import Study

log = logging.getLogger("ingest.run")

# The longest a round waits for something to happen before it looks for a stop again.
_ROUND_S = 0.25


class ValidationRunner(RunPlanner):
    """Plans and executes one run of a study; the database must be open for writing to execute."""

    def __init__(
        self,
        study: Study,
        database: ValidationDatabase,
        git: GitState,
        selection: Selection = Selection(),
        *,
        plugins: pluggy.PluginManager,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(study, database, git, selection)
        self._plugins = plugins
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._stop_requested = False

    def request_stop(self) -> None:
        """Stop after the current round; safe to call from a signal handler."""
        self._stop_requested = True

    def execute(
        self,
        plan: Plan,
        backend: Backend,
        on_progress: Callable[[RunProgress], None] = lambda progress: None,
    ) -> RunReport:
        """Run a plan and store every result as soon as it is there.

        on_progress: called after each round, several times a second.
        A run that was cut off is taken up again when this plan is what was left of it.
        A stop that was requested gives a report with status interrupted.
        Raises ConfigError or BackendError when the executor cannot be used; what had finished
        by then is stored and the run is recorded as interrupted.
        """
        executor = backend.make_executor()
        try:
            executor.start()
            source = backend.make_source(executor)
            self._session = self._begin(plan, executor, source)
            try:
                while not self._session.scheduler.is_finished and not self._stop_requested:
                    self.submit_jobs_with_throttling()
                    self.fetch_and_store_results(self.monitor_job_progress())
                    on_progress(self._session.progress(self._clock.now()))
            except BaseException:
                self._finish(interrupted=True)
                raise
            finally:
                source.close()
            return self._finish(interrupted=not self._session.scheduler.is_finished)
        finally:
            executor.close()

    def close_leftovers(self, plan: Plan) -> None:
        """End a run that was cut off, unless this plan takes it up again."""
        open_run = self._database.open_run()
        if open_run is None or self._is_left_of(open_run, plan):
            return
        now = self._clock.timestamp()
        if open_run.unfinished:
            why = "the run was cut off before this job ended, and was not taken up again"
            self._database.close_open_run(open_run.run_id, now, why)
        elif open_run.status is RunStatus.RUNNING:
            self._end_run(open_run.run_id, now)

    def _is_left_of(self, open_run: OpenRun, plan: Plan) -> bool:
        """Whether a plan is exactly what an open run has left, for the same commit and executor."""
        record = open_run.record
        same = (record.git_commit, record.dirty_files, record.executor) == (
            self.git.commit,
            self.git.dirty_files,
            self.study.settings.run.executor,
        )
        planned = {
            job.combination for job in plan.to_run if job.reason.kind is ReasonKind.UNFINISHED
        }
        others = {job.combination for job in plan.to_run} - planned
        unfinished = set(open_run.unfinished)
        return same and bool(planned) and planned == unfinished and others <= open_run.finished

    def _begin(self, plan: Plan, executor: Executor, source: AnalyticsSource) -> RunSession:
        self.close_leftovers(plan)
        open_run = self._database.open_run()
        jobs = list(plan.to_run)
        if open_run is not None and open_run.unfinished:
            jobs = [job for job in jobs if job.combination in open_run.unfinished]
            run_id, ulids = self._take_up(open_run, jobs)
        else:
            open_run = None
            run_id, ulids = self._start(plan)
        session = RunSession(
            run_id=run_id,
            executor=executor,
            source=source,
            scheduler=Scheduler(ulids, self._limits(executor), self._jitter),
            total=len(jobs) + (len(open_run.finished) if open_run else 0),
            started=self._clock.now(),
            is_resumed=open_run is not None,
        )
        for combination, ulid in ulids.items():
            session.rename(combination, ulid)
        if open_run:
            failed = len(self._database.get_failed_jobs(run_id))
            session.failed, session.succeeded = failed, len(open_run.finished) - failed
        log.info("run %d: %d jobs to do, executor %s", run_id, len(jobs), executor.name)
        return session

    def _start(self, plan: Plan) -> tuple[int, dict[Combination, str]]:
        """Store a new run and its intended jobs; gives the run's id and the jobs' ULIDs."""
        settings = self.study.settings
        record = RunRecord(
            timestamp=self._clock.timestamp(),
            git_commit=self.git.commit,
            git_branch=self.git.branch,
            dirty_files=self.git.dirty_files,
            study=settings.name,
            executor=settings.run.executor,
            ingest_version=__version__,
            up_to_date_jobs=len(plan.up_to_date),
        )
        jobs = [self._job_record(job) for job in plan.to_run]
        self._database.keep_study(self.study.countries, self.study.scenarios)
        run_id = self._database.start_validation_run(record, jobs, study_contents(self.study))
        return run_id, {job.combination: job.ulid for job in jobs}

    def _job_record(self, job: PlannedJob) -> JobRecord:
        ulid = str(ULID())
        return JobRecord(job.combination, ulid, self._job_name(ulid), job.inputs, job.reason)

    def _job_name(self, ulid: str) -> str:
        study = re.sub(r"[^A-Za-z0-9_]+", "_", self.study.name)[:60]
        return f"ingest-{study}-{ulid}"

    def _take_up(
        self, open_run: OpenRun, jobs: Sequence[PlannedJob]
    ) -> tuple[int, dict[Combination, str]]:
        """Go on with a run that was cut off: its unfinished jobs under new ULIDs."""
        ulids = {job.combination: str(ULID()) for job in jobs}
        renamed = [(c, ulid, self._job_name(ulid)) for c, ulid in ulids.items()]
        self._database.update_ulids(open_run.run_id, renamed)
        self._database.update_run_status(open_run.run_id, RunStatus.RUNNING)
        return open_run.run_id, ulids

    def _limits(self, executor: Executor) -> Limits:
        run = self.study.settings.run
        rate = run.submit_rate or executor.default_submit_rate
        return Limits(
            max_in_flight=run.max_in_flight,
            rate=parse_rate(rate) if rate else None,
            job_timeout_s=run.job_timeout_s,
            retries=run.retries,
            retry_delay_s=run.retry_delay_s,
            poll_interval_s=0.0 if executor.pushes else run.poll_interval_s,
            poll_interval_max_s=run.poll_interval_max_s,
        )

    def submit_jobs_with_throttling(self) -> None:
        """Submit what the limits allow now; each job's name is stored before it is handed in."""
        session = self._session
        due = session.scheduler.take_submissions(self._clock.now())
        if not due:
            return
        self._name_further_attempts(due)
        jobs = [
            Job(combination, ulid, self._job_name(ulid), self.compose_document(combination))
            for combination in due
            for ulid in [session.ulids[combination]]
        ]
        accepted = []
        for submission in session.executor.submit(jobs):
            combination = session.by_ulid[submission.ulid]
            if submission.fault is not None:
                self._attempt_failed(combination, submission.fault)
                continue
            accepted.append((combination, self._clock.timestamp(), submission.external_id))
            if session.executor.outlives_us:  # its id must survive us, so it is stored right away
                self._database.mark_submitted(session.run_id, accepted)
                accepted = []
        if accepted:
            self._database.mark_submitted(session.run_id, accepted)

    def _name_further_attempts(self, due: Iterable[Combination]) -> None:
        session = self._session
        again = [c for c in due if session.scheduler.attempts(c) > 1]
        for combination in again:
            session.rename(combination, str(ULID()))
        if again:
            names = [(c, session.ulids[c], self._job_name(session.ulids[c])) for c in again]
            self._database.update_ulids(session.run_id, names)

    def monitor_job_progress(self) -> list[JobUpdate]:
        """What became of the jobs in flight; waits a moment for it, stops those out of time."""
        session, clock = self._session, self._clock
        self._stop_overdue(session.scheduler.overdue(clock.now()))
        wait_s = session.scheduler.wait_s(clock.now(), _ROUND_S)
        if not session.scheduler.poll_is_due(clock.now()):
            clock.sleep(wait_s)
            return []
        ulids = [session.ulids[c] for c in session.scheduler.in_flight]
        updates = list(session.executor.poll(ulids, wait_s if session.executor.pushes else 0.0))
        session.scheduler.polled(clock.now(), moved=bool(updates))
        return updates

    def _stop_overdue(self, overdue: Sequence[Combination]) -> None:
        session = self._session
        if not overdue:
            return
        outputs = session.executor.cancel([session.ulids[c] for c in overdue])
        limit = f"{self.study.settings.run.job_timeout_s:g} s"
        for combination in overdue:
            message = f"stopped after running for {limit} (run.job_timeout_s)"
            output = outputs.get(session.ulids[combination])
            fault = JobFault("timed out", f"{message}\n{output}" if output else message)
            self._store(combination, JobStatus.TIMEOUT, fault=fault)

    def fetch_and_store_results(self, updates: Iterable[JobUpdate]) -> None:
        """Fetch, check and store what has finished, each job in one transaction."""
        session = self._session
        begun = []
        for update in updates:
            combination = session.by_ulid.get(update.ulid)
            if combination is None:  # stopped in the meantime
                continue
            if update.state is JobState.RUNNING:
                session.scheduler.began(combination, self._clock.now())
                begun.append(combination)
            elif update.state is JobState.SUCCEEDED:
                self._fetch_and_store(combination)
            elif update.state is JobState.FAILED:
                fault = update.fault or JobFault("failed", "the executor gave no reason")
                self._attempt_failed(combination, fault)
        still_running = [c for c in begun if c in session.ulids]
        if still_running:
            self._database.mark_running(session.run_id, still_running)

    def _fetch_and_store(self, combination: Combination) -> None:
        analytics = self.study.settings.analytics
        try:
            result_set = parse_analytics(
                self._session.source.fetch(self._session.ulids[combination]),
                on_bad_rows=analytics.on_bad_rows,
                element_labels=analytics.element_labels,
            )
        except AnalyticsError as exc:
            self._attempt_failed(combination, JobFault("bad results", str(exc)))
            return
        notes, errors = self._check_metrics(combination, result_set)
        if errors:
            self._attempt_failed(combination, JobFault("metric check", "\n".join(errors)))
        else:
            settings = self.study.settings
            findings = check_result_set(
                settings.rules, combination, result_set, settings.quality.max_findings
            )
            self._store(
                combination,
                JobStatus.SUCCESS,
                result_set=result_set,
                notes=notes,
                findings=findings,
            )

    def _check_metrics(
        self, combination: Combination, result_set: ResultSet
    ) -> tuple[list[str], list[str]]:
        """Notes to keep with the job, and errors that fail it, from the metric-check plugins."""
        try:
            answers = self._plugins.hook.ingest_check_metrics(
                settings=self.study.settings, combination=combination, result_set=result_set
            )
        except Exception as exc:  # noqa: BLE001  # a plugin's fault fails this job alone
            return [], [f"a metric check raised {type(exc).__name__}: {exc}"]
        findings = [finding for answer in answers for finding in answer]
        notes = [*result_set.notes, *(str(f) for f in findings if not f.is_error)]
        return notes, [str(f) for f in findings if f.is_error]

    def _attempt_failed(self, combination: Combination, fault: JobFault) -> None:
        now = self._clock.now()
        if self._session.scheduler.failed(combination, now, can_pass=fault.can_pass):
            first_line = fault.message.partition("\n")[0]
            log.warning("%s: %s: %s; will be tried again", combination, fault.kind, first_line)
        else:
            self._store(combination, JobStatus.FAILED, fault=fault)

    def _store(
        self,
        combination: Combination,
        status: JobStatus,
        *,
        fault: JobFault | None = None,
        result_set: ResultSet | None = None,
        notes: Sequence[str] = (),
        findings: Sequence[QualityFinding] = (),
    ) -> None:
        """Store a job's end, count it, and tell the plugins."""
        session = self._session
        outcome = JobOutcome(
            combination=combination,
            job_status=status,
            completed_at=self._clock.timestamp(),
            attempts=session.scheduler.attempts(combination),
            duration_s=session.scheduler.running_s(combination, self._clock.now()),
            result_set=result_set,
            error_kind=fault.kind if fault else None,
            error=fault.message if fault else None,
            notes=notes,
            findings=findings,
        )
        stored = self._database.record_job_result(session.run_id, outcome)
        session.scheduler.ended(combination)
        ulid = session.forget(combination)
        session.count(outcome, stored)
        is_new = stored is not None and stored.is_new
        self._tell_job_finished(outcome, ulid, is_new)

    def _tell_job_finished(self, outcome: JobOutcome, ulid: str, is_new: bool) -> None:
        event = JobFinished(
            run_id=self._session.run_id,
            combination=outcome.combination,
            ulid=ulid,
            job_status=outcome.job_status.value,
            attempts=outcome.attempts,
            duration_s=outcome.duration_s,
            row_count=len(outcome.result_set) if outcome.result_set else 0,
            is_new_result=is_new,
            error_kind=outcome.error_kind,
            error=outcome.error,
        )
        first_line = (outcome.error or "").partition("\n")[0]
        log.debug("%s %s %s", event.combination, event.job_status, first_line)
        for problem in call_observers(self._plugins.hook.ingest_job_finished, event=event):
            log.warning(problem)

    def _finish(self, *, interrupted: bool) -> RunReport:
        """Record the run's end and say what it came to."""
        session, database = self._session, self._database
        if interrupted:
            status, changes = RunStatus.INTERRUPTED, None
            database.update_run_status(session.run_id, status, self._clock.timestamp())
        else:
            status, changes = self._end_run(session.run_id, self._clock.timestamp())
        quality = read_run_quality(database, session.run_id, self.study.settings)
        report = session.report(status, changes, quality, self._clock.now())
        event = RunFinished(
            run_id=session.run_id,
            status=status.value,
            git_commit=self.git.commit,
            total_jobs=session.total,
            successful_jobs=session.succeeded,
            failed_jobs=session.failed,
            elapsed_s=report.elapsed_s,
        )
        for problem in call_observers(self._plugins.hook.ingest_run_finished, event=event):
            log.warning(problem)
        return report

    def _end_run(self, run_id: int, now: str) -> tuple[RunStatus, RunChanges | None]:
        """Give a run whose jobs have all ended its final status, and keep what it changed."""
        changes = store_run_changes(self._database, run_id, Tolerances.of(self.study.settings))
        store_run_quality(self._database, run_id, self.study.settings)
        failed = self._database.get_failed_jobs(run_id)
        status = RunStatus.FAILED if failed else RunStatus.COMPLETED
        self._database.update_run_status(run_id, status, now)
        self._database.settle()
        return status, changes
